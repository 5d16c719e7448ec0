"""What the link wizard does once it is known for which chat and that whoever asks may: its texts and boards."""

from __future__ import annotations

from dataclasses import replace

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import InlineKeyboardMarkup, Message, User
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats, pins_store
from services.notifier.bot.context import Context
from services.notifier.bot.groups_boards import card_board, link_tree_board, unlink_board
from services.notifier.bot.meeting import meet, reader_of
from services.notifier.bot.menus import show_menu
from services.notifier.bot.permission import Permission
from services.notifier.bot.rights import Rights, bot_rights
from services.notifier.chats import Chat
from services.notifier.chats_tree import follow, public_tree
from services.notifier.pins_store import NO_RIGHT
from services.notifier.sight import titles
from services.notifier.texts import LANGUAGES
from services.notifier.views import Reader
from services.notifier.views.finding import branch_text
from services.notifier.views.groups import Card, card_text, rights_text

Page = tuple[str, InlineKeyboardMarkup | None]
"""A text and the board under it."""

_CHAT = text("""
SELECT id, chat_id, topic_id, kind, language, timezone, muted_until, active, title FROM chats
WHERE id = :chat AND platform = 'telegram'
""")


_CLOSED_TOPICS = text("""
SELECT topic_id FROM chats WHERE platform = 'telegram' AND chat_id = :chat_id AND topic_id <> 0 AND NOT active
  AND NOT coalesce(inactive_reason ILIKE ANY ('{%thread not found%,%topic_closed%,%topic_deleted%}'), false)
""")


async def reopen_topics(session: AsyncSession, chat_id: int, language: str) -> None:
    """Let the topics of a group have alerts again that fell silent because the bot was out or might not write.

    One that was closed or deleted itself stays as it is.
    """
    for topic in (await session.execute(_CLOSED_TOPICS, {"chat_id": chat_id})).scalars().all():
        await chats.meet(session, chats.TELEGRAM, chat_id, language, topic_id=topic)


class Desk:
    """Serves one installation; each change is one transaction, committed before the answer is made."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database
        self._permission = Permission()

    async def find(self, key: int) -> tuple[Chat, str | None] | None:
        """A chat by our key, with its title."""
        async with self._database.transaction() as session:
            row = (await session.execute(_CHAT, {"chat": key})).mappings().one_or_none()
        if row is None:
            return None
        values = dict(row)
        title: str | None = values.pop("title")
        return Chat(**values), title

    async def may(self, bot: Bot, chat: Chat, message: Message, user: User) -> bool:
        """Whether a person who presses under `message` may change that chat: in it, or from a private chat."""
        if message.chat.type != "private" and message.chat.id != chat.chat_id:
            return False
        if chat.kind == "private":
            return chat.chat_id == user.id
        return await self._permission.is_admin(bot, chat.chat_id, user.id)

    async def reader(self, chat: Chat, message: Message, user: User | None) -> Reader:
        """For whom the wizard speaks: the chat itself, or the person who looks after it from elsewhere."""
        if message.chat.id == chat.chat_id:
            return reader_of(self._context, chat)
        async with self._database.transaction() as session:
            return reader_of(self._context, await meet(session, self._context, message, user))

    async def card(self, bot: Bot, chat: Chat, title: str | None, reader: Reader, *, forum: bool = False) -> Page:
        """The chat as it is now."""
        rights = await bot_rights(bot, chat.chat_id, chat.kind)
        async with self._database.transaction() as session:
            card = await self._card(session, chat, title, rights, forum=forum)
        missing = bool(rights_text(card, reader))
        return card_text(card, reader), card_board(chat.id, card, reader.words, missing=missing)

    async def tree(self, chat: Chat, site: int, page: int, reader: Reader) -> Page:
        """The places to choose from."""
        async with self._database.transaction() as session:
            tree = await public_tree(session, chat.id)
            linked = bool(await chats.followed_sites(session, chat.id))
            spot = tree.get(site)
            sites = await chats.statuses(session, [spot.id]) if spot else []
        if not len(tree):
            said = reader.words.say("group-none")
        elif spot is None:
            said = reader.words.say("group-which")
        else:
            said = branch_text(tree.path(spot), sites[0] if sites else None, reader, typing=False)
        return said, link_tree_board(chat.id, tree, spot, page, reader.words, linked=linked)

    async def places(self, chat: Chat, page: int, reader: Reader) -> Page:
        """The places to let go."""
        async with self._database.transaction() as session:
            places = await titles(session, await chats.followed_sites(session, chat.id))
        if not places:
            return reader.words.say("unlink-none"), None
        return reader.words.say("unlink-which"), unlink_board(chat.id, places, page, reader.words)

    async def follow(
        self, chat: Chat, *, site_id: int | None = None, slug: str | None = None, invite: str | None = None
    ) -> bool:
        """Let the chat follow a public place, or any by its invitation; False if there is no such place."""
        async with self._database.transaction() as session:
            place = await chats.find_site(session, site_id=site_id, slug=slug, invite=invite)
            if place is not None:
                await follow(session, chat.id, place.id)
        return place is not None

    async def drop(self, bot: Bot, chat: Chat, site: int) -> bool:
        """Let go of one place (0: all); with the last one the pinned message goes. True if nothing is left."""
        async with self._database.transaction() as session:
            places = await chats.followed_sites(session, chat.id)
            for place in places:
                if site in (0, place.id):
                    await chats.unsubscribe(session, chat.id, place.id)
            left = [place for place in places if site not in (0, place.id)]
            message_id = None if left else await pins_store.forget(session, chat.id)
        await self._remove(bot, chat, message_id)
        return not left

    async def pin(self, bot: Bot, chat: Chat) -> None:
        """Begin to keep a pinned message, or end it."""
        rights = await bot_rights(bot, chat.chat_id, chat.kind)
        message_id = None
        async with self._database.transaction() as session:
            if await pins_store.wanted(session, chat.id):
                message_id = await pins_store.forget(session, chat.id)
            else:
                await pins_store.want(session, chat.id, stopped=None if rights.pin else NO_RIGHT)
        await self._remove(bot, chat, message_id)

    async def check(self, bot: Bot, chat: Chat) -> Rights:
        """Look at the rights again, and go on with what only waited for them."""
        rights = await bot_rights(bot, chat.chat_id, chat.kind)
        async with self._database.transaction() as session:
            if rights.send:
                await reopen_topics(session, chat.chat_id, chat.language)
            if rights.pin:
                await pins_store.resume(session, chat.chat_id)
        return rights

    async def next_language(self, bot: Bot, chat: Chat) -> Chat:
        """Speak the next of our languages to the chat."""
        language = LANGUAGES[(LANGUAGES.index(chat.language) + 1) % len(LANGUAGES)]
        async with self._database.transaction() as session:
            await chats.set_language(session, chat.id, language)
        await show_menu(bot, self._context, replace(chat, language=language))
        found = await self.find(chat.id)
        return found[0] if found else chat

    async def _card(self, session: AsyncSession, chat: Chat, title: str | None, rights: Rights, *, forum: bool) -> Card:
        places = await titles(session, await chats.followed_sites(session, chat.id))
        return Card(
            kind=chat.kind,
            title=title,
            places=[place.name for place in places],
            language=chat.language,
            pinned=await pins_store.wanted(session, chat.id),
            may_send=rights.send,
            may_pin=rights.pin,
            topic=chat.topic_id != 0,
            other_topics=forum,
        )

    async def _remove(self, bot: Bot, chat: Chat, message_id: int | None) -> None:
        """Delete what was pinned; where Telegram does not let us, at least unpin it."""
        if message_id is None:
            return
        for call in (bot.delete_message, bot.unpin_chat_message):
            try:
                await call(chat.chat_id, message_id=message_id)
            except TelegramAPIError:
                continue
            return
