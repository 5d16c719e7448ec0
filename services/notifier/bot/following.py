"""What several routers say: a place is followed now, and the list of those a chat follows. Within a transaction."""

from __future__ import annotations

from aiogram.types import InlineKeyboardMarkup
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats, chats_rules, chats_told
from services.notifier.bot.keyboards import after_board, on_page, places_board
from services.notifier.chats import Chat, Place
from services.notifier.sight import follow, tree_for
from services.notifier.views import Reader
from services.notifier.views.finding import Followed, followed_text, places_text
from services.notifier.views.reader import STEP


async def follow_place(
    session: AsyncSession, chat: Chat, place: Place, reader: Reader
) -> tuple[str, InlineKeyboardMarkup]:
    """Let the chat follow a place and those below it; returns what to say and what may come next."""
    followed = await follow(session, chat, place)
    status = (await chats.statuses(session, [place.id]))[0]
    tree = await tree_for(session, chat)
    spot = tree.get(place.id)
    name = STEP.join(step.name for step in tree.path(spot)[-2:]) if spot else place.name
    several = len(followed) if len(followed) > 1 else 0
    text = followed_text(name, status, reader, new=any(followed.values()), several=several)
    return text, after_board(None if several else place.id, reader.words)


async def let_go(session: AsyncSession, chat: Chat, site: int, name: str, reader: Reader) -> str:
    """Let a chat follow a place no longer; returns what to say: it may be told of it still, with the place above."""
    await chats.unsubscribe(session, chat.id, site)
    above, place = await chats_told.above(session, chat.id, site), reader.escape(name)
    if above is None:
        return reader.words.say("left", place=place)
    return reader.words.say("left-part", place=place, above=reader.escape(above))


async def list_places(session: AsyncSession, chat: Chat, page: int, reader: Reader) -> tuple[str, InlineKeyboardMarkup]:
    """One page of what the chat follows, each with its state."""
    rules = await chats_rules.followed(session, chat.id)
    shown = on_page(rules, page)
    sites = await chats.statuses(session, [place.site for place in shown])  # in the same order: by name
    places = [
        Followed(status=status, title=place.title, muted_until=place.muted_until, silent=not place.kinds)
        for status, place in zip(sites, shown, strict=True)
    ]
    text = places_text(places, len(rules), chat.muted_until, reader)
    return text, places_board(rules, page, reader.words)
