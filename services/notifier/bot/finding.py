"""What the bot understands: commands, buttons, and being let in or thrown out of a chat."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from aiogram import F, Router
from aiogram.enums import ChatMemberStatus
from aiogram.filters import Command, CommandObject, CommandStart, ExceptionTypeFilter
from aiogram.types import CallbackQuery, ChatMemberUpdated, ErrorEvent, Message, User
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats
from services.notifier.bot.context import Context
from services.notifier.bot.keyboards import Board, Press, board_of
from services.notifier.chats import TELEGRAM, Chat, Place
from services.notifier.texts import Words, language_of, words
from services.notifier.views import Reader, status_text
from svitlo.clock import utc_now
from svitlo.db.session import Database
from svitlo.errors import DatabaseUnavailableError

COMMANDS = ("subscribe", "unsubscribe", "status", "help")
"""The menu, in order; `command-<name>` are the descriptions."""

GONE = (ChatMemberStatus.KICKED, ChatMemberStatus.LEFT)

_TITLES = {Board.FOLLOW: ("follow-which", "follow-none"), Board.LEAVE: ("leave-which", "leave-none")}


def make(context: Context) -> Router:
    """A router of these handlers."""
    return Commands(context.database, language=context.language, zone=context.zone, clock=context.clock).router()


class Commands:
    """The handlers; each change of theirs is one transaction, committed before the answer."""

    def __init__(
        self, database: Database, *, language: str, zone: ZoneInfo, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._language = language
        self._zone = zone
        self._clock = clock

    def router(self) -> Router:
        """A router of these handlers."""
        router = Router(name="commands")
        router.message.register(self.start, CommandStart())
        router.message.register(self.subscribe, Command("subscribe"))
        router.message.register(self.unsubscribe, Command("unsubscribe"))
        router.message.register(self.status, Command("status"))
        router.message.register(self.help, Command("help"))
        router.message.register(self.moved, F.migrate_to_chat_id)
        router.callback_query.register(self.press, Press.filter())
        router.my_chat_member.register(self.membership)
        router.error.register(self.database_away, ExceptionTypeFilter(DatabaseUnavailableError))
        return router

    async def start(self, message: Message, command: CommandObject) -> None:
        """`/start`, `/start s_<slug>` (a public site), `/start i_<invite>` (any site)."""
        kind, _, word = (command.args or "").partition("_")
        async with self._database.transaction() as session:
            chat = await self._meet(session, message)
            if word and kind in ("s", "i"):
                text = await self._follow(session, chat, slug=word if kind == "s" else None, invite=word)
                places: list[Place] = []
            else:
                places = await chats.public_sites(session, chat.id)
                text = words(chat.language).say("hello" if places else "hello-empty")
        await message.answer(text, reply_markup=board_of(Board.FOLLOW, places, 0, words(chat.language)))

    async def subscribe(self, message: Message, command: CommandObject) -> None:
        """`/subscribe`, `/subscribe <slug>`, `/subscribe <invite>`."""
        async with self._database.transaction() as session:
            chat = await self._meet(session, message)
            word = (command.args or "").strip()
            text = await self._follow(session, chat, slug=word.lower(), invite=word) if word else ""
            places = [] if word else await chats.public_sites(session, chat.id)
        await self._answer_board(message, Board.FOLLOW, text, places, words(chat.language))

    async def unsubscribe(self, message: Message, command: CommandObject) -> None:
        """`/unsubscribe`, `/unsubscribe <slug>`."""
        word = (command.args or "").strip().lower()
        async with self._database.transaction() as session:
            chat = await self._meet(session, message)
            say = words(chat.language).say
            places = await chats.followed_sites(session, chat.id)
            text = ""
            if word:
                place = next((place for place in places if place.slug == word), None)
                if place is not None:
                    await chats.unsubscribe(session, chat.id, place.id)
                text = say("left", place=html.escape(place.name, quote=False)) if place else say("not-followed")
        await self._answer_board(message, Board.LEAVE, text, places, words(chat.language))

    async def status(self, message: Message) -> None:
        """`/status`: the sites the chat follows, or else the public ones."""
        async with self._database.transaction() as session:
            chat = await self._meet(session, message)
            followed = await chats.followed_sites(session, chat.id)
            places = followed or await chats.public_sites(session, chat.id)
            sites = await chats.statuses(session, [place.id for place in places])
        reader = Reader(
            words=words(chat.language),
            zone=self._zone,
            now=self._clock(),
            escape=lambda text: html.escape(text, quote=False),
        )
        if not sites:
            await message.answer(reader.words.say("status-none"))
            return
        intro = "" if followed else reader.words.say("status-public") + "\n\n"
        await message.answer(intro + status_text(sites, reader))

    async def help(self, message: Message) -> None:
        """`/help`."""
        async with self._database.transaction() as session:
            chat = await self._meet(session, message)
        await message.answer(words(chat.language).say("help"))

    async def press(self, query: CallbackQuery, callback_data: Press) -> None:
        """A button of a board: follow or leave the place, and show the board as it is then."""
        if query.message is None:
            await query.answer()
            return
        board, notice = callback_data.board, ""
        async with self._database.transaction() as session:
            chat = await chats.meet(session, TELEGRAM, query.message.chat.id, self._language_of(query.from_user))
            if callback_data.site and board is Board.FOLLOW:
                notice = await self._follow(session, chat, site_id=callback_data.site, escape=str)
            elif callback_data.site:
                notice = await self._leave(session, chat, callback_data.site)
            listed = chats.public_sites if board is Board.FOLLOW else chats.followed_sites
            places = await listed(session, chat.id)
        spoken = words(chat.language)
        await query.answer(notice[:200] or None)
        if isinstance(query.message, Message):
            markup = board_of(board, places, callback_data.page, spoken)
            title, empty = _TITLES[board]
            await query.message.edit_text(spoken.say(title if places else empty), reply_markup=markup)

    async def membership(self, event: ChatMemberUpdated) -> None:
        """Blocked or thrown out: nothing more goes there. Let in (again): the chat is active."""
        async with self._database.transaction() as session:
            if event.new_chat_member.status not in GONE:
                await chats.meet(session, TELEGRAM, event.chat.id, self._language_of(event.from_user))
                return
            chat = await chats.find_chat(session, TELEGRAM, event.chat.id)
            if chat is not None:
                await chats.close_chat(session, chat, f"the bot is {event.new_chat_member.status} there")

    async def moved(self, message: Message) -> None:
        """A group became a supergroup, which has another id."""
        async with self._database.transaction() as session:
            chat = await chats.find_chat(session, TELEGRAM, message.chat.id)
            if chat is not None and message.migrate_to_chat_id is not None:
                await chats.move_chat(session, chat, message.migrate_to_chat_id)

    async def database_away(self, event: ErrorEvent) -> None:
        """Say that it is us, not them."""
        if event.update.message is not None:
            spoken = words(self._language_of(event.update.message.from_user))
            await event.update.message.answer(spoken.say("later"))
        elif event.update.callback_query is not None:
            query = event.update.callback_query
            await query.answer(words(self._language_of(query.from_user)).say("later"))

    async def _meet(self, session: AsyncSession, message: Message) -> Chat:
        return await chats.meet(session, TELEGRAM, message.chat.id, self._language_of(message.from_user))

    async def _follow(
        self,
        session: AsyncSession,
        chat: Chat,
        *,
        slug: str | None = None,
        invite: str | None = None,
        site_id: int | None = None,
        escape: Callable[[str], str] = lambda text: html.escape(text, quote=False),
    ) -> str:
        """Subscribe the chat to what was named; returns what to say."""
        say = words(chat.language).say
        place = await chats.find_site(session, slug=slug, invite=invite, site_id=site_id)
        if place is None:
            return say("not-found")
        new = await chats.subscribe(session, chat.id, place.id)
        return say("followed" if new else "followed-already", place=escape(place.name))

    async def _leave(self, session: AsyncSession, chat: Chat, site_id: int) -> str:
        say = words(chat.language).say
        followed = await chats.followed_sites(session, chat.id)
        place = next((place for place in followed if place.id == site_id), None)
        if place is None:
            return say("not-followed")
        await chats.unsubscribe(session, chat.id, place.id)
        return say("left", place=place.name)

    async def _answer_board(
        self, message: Message, board: Board, text: str, places: list[Place], spoken: Words
    ) -> None:
        if text:
            await message.answer(text)
            return
        title, empty = _TITLES[board]
        await message.answer(spoken.say(title if places else empty), reply_markup=board_of(board, places, 0, spoken))

    def _language_of(self, user: User | None) -> str:
        return language_of(user.language_code if user else None, self._language)
