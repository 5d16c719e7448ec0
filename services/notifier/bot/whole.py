"""What concerns the whole chat: `/mute`, `/language`, `/timezone`."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats, chats_rules, conversations, typed
from services.notifier.bot import rules_boards as boards
from services.notifier.bot.context import Context
from services.notifier.bot.meeting import is_private, meet, reader_of, show
from services.notifier.bot.menus import show_menu
from services.notifier.bot.permission import Permission
from services.notifier.bot.rules_boards import Whole, whole_board
from services.notifier.chats import Chat
from services.notifier.texts import LANGUAGES, language_of, words
from services.notifier.views import Reader
from services.notifier.views.settings import muted_now, muted_text, unmuted_text, zone_text

COMMANDS = ("mute", "language", "timezone")

ASKED = "zone"
"""The kind of conversation in which somebody types a time zone."""

NAMES = {"uk": "Українська", "en": "English"}
ZONES = ("Europe/Kyiv", "Europe/Warsaw", "Europe/Berlin", "Europe/London")
"""Where most readers are; the installation's own comes first."""

Answer = tuple[str, InlineKeyboardMarkup | None]


def make(context: Context) -> Router:
    """A router of these handlers."""
    return WholeChat(context).router()


class WholeChat:
    """The handlers."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._permission = Permission()

    def router(self) -> Router:
        """A router of these handlers."""
        router = Router(name="whole chat")
        for observer in (router.message, router.channel_post):
            observer.register(self.command, Command("mute", "unmute", "language", "timezone"))
        router.callback_query.register(self.press, Whole.filter(F.what.in_({"mute", "language", "zone"})))
        router.message.register(self.typed_zone, F.text, F.chat.type == "private", self.is_zone)
        return router

    async def command(self, message: Message, command: CommandObject, bot: Bot) -> None:
        """`/mute`, `/mute 8h`, `/unmute`, `/language`, `/language en`, `/timezone`, `/timezone Europe/Warsaw`."""
        word = (command.args or "").strip()
        allowed = await self._permission.of(message)
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            reader = reader_of(self._context, chat)
            if not allowed:
                text, markup = reader.words.say("group-admins-only"), None
            elif command.command == "mute":
                text, markup = await self._mute(session, chat, word, reader)
            elif command.command == "unmute":
                text, markup = await self._unmute(session, chat, reader)
            elif command.command == "language":
                text, markup = await self._language(session, chat, word, reader)
            elif word:
                text, markup = await self._zone(session, chat, word, reader)
            else:
                text, markup = await self._ask_zone(session, chat, reader, private=is_private(message))
        await message.answer(text, reply_markup=markup)
        if allowed and command.command == "language" and (language := _language_in(word)):
            await show_menu(bot, self._context, replace(chat, language=language))

    async def press(self, query: CallbackQuery, callback_data: Whole, bot: Bot) -> None:
        """A choice for the whole chat."""
        own = words(language_of(query.from_user.language_code, self._context.language))
        if not isinstance(query.message, Message):
            await query.answer(own.say("stale"), show_alert=True)
            return
        if not await self._permission.of(query):
            await query.answer(own.say("group-admins-only"), show_alert=True)
            return
        what, value = callback_data.what, callback_data.value
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, query.message, query.from_user)
            reader = reader_of(self._context, chat)
            if what == "language":
                text, markup = await self._language(session, chat, value, reader)
            elif what == "zone":
                text, markup = await self._zone(session, chat, value, reader)
            elif value == str(boards.UNMUTE):
                text, markup = await self._unmute(session, chat, reader)
            elif value in _MUTES:
                until = boards.muted_until(int(value), reader.now, reader.zone, typed.FOREVER)
                await chats.mute_chat(session, chat.id, until)
                text, markup = muted_text(until, reader), None
            else:
                text, markup = reader.words.say("stale"), None
        await show(query, text, markup)
        if what == "language" and (language := _language_in(value)):
            await show_menu(bot, self._context, replace(chat, language=language))

    async def is_zone(self, message: Message) -> bool:
        """Whether a message may answer the question for a time zone."""
        said = message.text or ""
        if said.startswith("/") or typed.zone(said) is None:
            return False
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            return await conversations.current(session, chat.id, self._context.clock(), ASKED) is not None

    async def typed_zone(self, message: Message) -> None:
        """A time zone, typed."""
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            text, markup = await self._zone(session, chat, message.text or "", reader_of(self._context, chat))
        await message.answer(text, reply_markup=markup)

    async def _mute(self, session: AsyncSession, chat: Chat, word: str, reader: Reader) -> Answer:
        if not word:
            muted = chat.muted_until is not None and chat.muted_until > reader.now
            return reader.words.say("mute-all-which"), boards.mute_all_board(reader, muted=muted)
        span = typed.span(word)
        if span is None:
            return reader.words.say("mute-badly"), None
        until = reader.now + span
        await chats.mute_chat(session, chat.id, until)
        return muted_text(until, reader), None

    async def _unmute(self, session: AsyncSession, chat: Chat, reader: Reader) -> Answer:
        """Speak again: about all, or where it is only places that are silent, about them."""
        silent = [rules for rules in await chats_rules.followed(session, chat.id) if muted_now(rules, reader)]
        whole = chat.muted_until is not None and chat.muted_until > reader.now
        if whole:
            await chats.mute_chat(session, chat.id, None)
        else:
            for rules in silent:
                await chats_rules.mute(session, chat.id, rules.site, None)
        return unmuted_text([rules.title for rules in silent], reader, whole=whole), None

    async def _language(self, session: AsyncSession, chat: Chat, word: str, reader: Reader) -> Answer:
        if not word:
            return reader.words.say("language-which"), whole_board("language", NAMES.items(), chat.language)
        language = _language_in(word)
        if language is None:
            return reader.words.say("language-unknown"), None
        await chats.set_language(session, chat.id, language)
        return words(language).say("language-set"), None

    async def _zone(self, session: AsyncSession, chat: Chat, word: str, reader: Reader) -> Answer:
        name = typed.zone(word)
        if name is None:
            return reader.words.say("zone-unknown"), None
        await chats.set_timezone(session, chat.id, None if name == self._context.zone.key else name)
        await conversations.end(session, chat.id)
        return zone_text(name, replace(reader, zone=ZoneInfo(name)), chosen=True), None

    async def _ask_zone(self, session: AsyncSession, chat: Chat, reader: Reader, *, private: bool) -> Answer:
        if private:
            await conversations.begin(session, chat.id, ASKED, reader.now)
        own = self._context.zone.key
        choices = [(name, name) for name in (own, *(name for name in ZONES if name != own))]
        text = zone_text(reader.zone.key, reader, chosen=False, private=private)
        return text, whole_board("zone", choices, reader.zone.key)


def _language_in(word: str) -> str | None:
    """The language somebody names; None for one we do not speak."""
    language = {"ua": "uk"}.get(word.lower(), word.lower())
    return language if language in LANGUAGES else None


_MUTES = {str(value) for value in (*boards.MUTES, boards.MORNING, boards.FOREVER, boards.UNMUTE)}
