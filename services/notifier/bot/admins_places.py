"""Choosing a place in a conversation of admins: page by page, or by typing a part of its name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiogram.types import InlineKeyboardMarkup, Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.bot.admins_desk import Act, Desk, Reply, Step, Visit, written
from services.notifier.bot.keyboards import PAGE, Row, button, paged
from services.notifier.conversations import Conversation
from services.notifier.people import Realm
from services.notifier.places import Spot, Tree
from services.notifier.texts import Words
from services.notifier.views import short_path
from svitlo.contracts import SiteStateWord

PATH = 60
"""Characters of a place's way on a button."""

LONGEST = 120
"""Characters of what is typed; of what is longer the rest is not looked at."""


def offer(
    visit: Visit, realms: Sequence[Realm], question: str, do: str, page: int = 0, *first: tuple[str, Act]
) -> Reply:
    """A question with one page of places under it; where there are more it says that a name may be typed."""
    text = visit.say(question)
    if len(realms) > PAGE:
        text += "\n" + visit.say("place-type", count=len(realms))
    return Reply(text, places_board(realms, do, page, visit.reader.words, *first))


def search(desk: Desk, do: str) -> Step:
    """A step that takes what was typed for the name of a place: buttons that `do` with each that fits."""

    async def step(session: AsyncSession, visit: Visit, talk: Conversation, message: Message) -> Reply:
        realms = await desk.admin_realms(session, visit)
        if not realms:
            return Reply(visit.say("no-places"))
        await desk.begin(session, visit, talk.kind, **talk.data)
        found = await look_for(visit, realms, written(message), do)
        return found or Reply(visit.say("place-not-found"), _board([_whole(visit, do)]))

    return step


async def look_for(visit: Visit, realms: Sequence[Realm], typed: str, do: str) -> Reply | None:
    """The places that fit what was typed, and the way to all of them; None if none fits."""
    # Thousands of names take a while, in which alerts must go out.
    found = await asyncio.to_thread(fitting, realms, typed[:LONGEST])
    if not found:
        return None
    board = _board([*(_row(realm, do) for realm in found), _whole(visit, do)])
    return Reply(visit.say("found", count=len(found)), board)


def places_board(
    realms: Sequence[Realm], do: str, page: int, words: Words, *first: tuple[str, Act]
) -> InlineKeyboardMarkup:
    """One page of places by their way; pressing one does `do` with its key, turning the page does `<do>s`."""
    rows: list[Row] = [[button(label, act)] for label, act in first] if page == 0 else []
    shown, turns = paged(realms, page, words, lambda to: Act(do=f"{do}s", page=to))
    rows += [_row(realm, do) for realm in shown]
    return _board([*rows, *turns])


def fitting(realms: Sequence[Realm], typed: str) -> list[Realm]:
    """The places that fit what was typed best, as residents find theirs; an exact short name comes first."""
    spots = [Spot(realm.id, realm.slug, realm.name, realm.parent, SiteStateWord.UNKNOWN) for realm in realms]
    known = {realm.id: realm for realm in realms}
    found = [known[spot.id] for spot in Tree(spots).search(typed)]
    exact = [realm for realm in realms if realm.slug == typed.strip().lower()]
    return [*exact, *(realm for realm in found if realm not in exact)]


def _row(realm: Realm, do: str) -> Row:
    return [button(short_path(realm.path, PATH), Act(do=do, what=str(realm.id)))]


def _whole(visit: Visit, do: str) -> Row:
    return [button(visit.say("button-all"), Act(do=f"{do}s"))]


def _board(rows: list[Row]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=rows)
