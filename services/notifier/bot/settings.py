"""The settings of a place: one message that turns into each choice and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aiogram import F, Router
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats, chats_rules, chats_told, conversations, typed
from services.notifier.bot import rules_boards as boards
from services.notifier.bot.context import Context
from services.notifier.bot.following import let_go, list_places
from services.notifier.bot.keyboards import Rule
from services.notifier.bot.meeting import is_private, meet, reader_of, show
from services.notifier.bot.permission import Permission
from services.notifier.bot.rules_boards import LENGTHS, MODES, REMINDERS, Do
from services.notifier.chats import Chat
from services.notifier.chats_rules import KINDS, Rules
from services.notifier.texts import language_of, words
from services.notifier.views import Reader
from services.notifier.views.settings import card_text, quiet_text

COMMANDS: tuple[str, ...] = ()

ASKED = "quiet"
"""The kind of conversation in which somebody types quiet hours."""

_LONGEST_MUTE_MIN = int(typed.LONGEST_MUTE.total_seconds() // 60)


def make(context: Context) -> Router:
    """A router of these handlers."""
    return Settings(context).router()


class NotOfferedError(Exception):
    """A button asks for something that is not offered (any more)."""


class Settings:
    """The handlers."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._permission = Permission()

    def router(self) -> Router:
        """A router of these handlers."""
        router = Router(name="settings")
        router.callback_query.register(self.press, Rule.filter())
        for observer in (router.message, router.channel_post):
            observer.register(self.typed_hours, F.text, self.is_hours)
        return router

    async def press(self, query: CallbackQuery, callback_data: Rule) -> None:
        """Any button of a place's settings: change what it says, and show what is next."""
        own = words(language_of(query.from_user.language_code, self._context.language))
        message = query.message
        if not isinstance(message, Message) or callback_data.do not in set(Do):
            await query.answer(own.say("stale"), show_alert=True)
            return
        if not await self._permission.of(query):
            await query.answer(own.say("group-admins-only"), show_alert=True)
            return
        do, notice = Do(callback_data.do), ""
        try:
            async with self._context.database.transaction() as session:
                chat = await meet(session, self._context, message, query.from_user)
                reader = reader_of(self._context, chat)
                rules = await chats_rules.rules_of(session, chat.id, callback_data.site)
                if rules is None:
                    text, markup = await list_places(session, chat, 0, reader)
                    notice = reader.words.say("not-followed")
                elif do is Do.SET_LEAVE:
                    notice = await let_go(session, chat, rules.site, rules.title, replace(reader, escape=str))
                    text, markup = await list_places(session, chat, 0, reader)
                else:
                    text, markup = await self._step(session, chat, rules, do, callback_data.value, reader, message)
        except NotOfferedError:
            await query.answer(own.say("stale"), show_alert=True)
            return
        await show(query, text, markup, notice)

    async def is_hours(self, message: Message) -> bool | dict[str, Any]:
        """Whether a message answers the question for quiet hours; in a group only a reply to the bot does."""
        said = message.text or ""
        if said.startswith("/") or not (is_private(message) or _to_us(message)):
            return False
        if typed.hours(said) is None and any(letter.isalpha() for letter in said):
            return False  # something else was on their mind, an address perhaps
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            asked = await conversations.current(session, chat.id, self._context.clock(), ASKED)
        return {"site": int(asked.data["site"])} if asked else False

    async def typed_hours(self, message: Message, site: int) -> None:
        """Quiet hours, typed."""
        hours = typed.hours(message.text or "")
        allowed = await self._permission.of(message)
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            reader = reader_of(self._context, chat)
            markup: InlineKeyboardMarkup | None = None
            if not allowed:
                text = reader.words.say("group-admins-only")
            elif hours is None:
                text = reader.words.say("quiet-typed-badly")
            else:
                await conversations.end(session, chat.id)
                await chats_rules.set_quiet(session, chat.id, site, hours)
                rules = await chats_rules.rules_of(session, chat.id, site)
                if rules is None:
                    text = reader.words.say("not-followed")
                else:
                    text, markup = _quiet(rules, reader)
        await message.answer(text, reply_markup=markup)

    async def _step(
        self,
        session: AsyncSession,
        chat: Chat,
        rules: Rules,
        do: Do,
        value: int,
        reader: Reader,
        message: Message,
    ) -> tuple[str, InlineKeyboardMarkup]:
        """Make the change a button stands for, if it does, and return what it leads to."""
        if do is Do.TYPE_QUIET:
            now = self._context.clock()
            await conversations.begin(session, chat.id, ASKED, now, site=rules.site)
            key = "quiet-type" if is_private(message) else "quiet-type-group"
            text = reader.words.say(key, place=reader.escape(rules.title))
            return text, boards.back_board(rules, reader, Do.QUIET)
        if do in _CHANGES:
            change, leads_to = _CHANGES[do]
            await change(session, chat.id, rules, value, reader)
            rules = await chats_rules.rules_of(session, chat.id, rules.site) or rules
        else:
            leads_to = do
        if leads_to is Do.CARD:
            status = (await chats.statuses(session, [rules.site]))[0]
            return card_text(rules, status, chat.muted_until, reader), boards.card_board(rules, reader)
        if leads_to is Do.LEAVE and (above := await chats_told.above(session, chat.id, rules.site)):
            names = {"place": reader.escape(rules.title), "above": reader.escape(above)}
            return reader.words.say("leave-part", **names), boards.leave_board(rules, reader)
        return _SCREENS[leads_to](rules, reader)


def _to_us(message: Message) -> bool:
    """Whether a message replies to one of the bot's; in a channel, which has no authors, to any."""
    replied = message.reply_to_message
    if replied is None or message.bot is None:
        return False
    return message.chat.type == "channel" or (replied.from_user is not None and replied.from_user.id == message.bot.id)


Screen = Callable[[Rules, Reader], tuple[str, InlineKeyboardMarkup]]
Change = Callable[[AsyncSession, int, Rules, int, Reader], Awaitable[None]]


def _screen(key: str, board: Callable[[Rules, Reader], InlineKeyboardMarkup]) -> Screen:
    def screen(rules: Rules, reader: Reader) -> tuple[str, InlineKeyboardMarkup]:
        return reader.words.say(key, place=reader.escape(rules.title)), board(rules, reader)

    return screen


def _quiet(rules: Rules, reader: Reader) -> tuple[str, InlineKeyboardMarkup]:
    hours = quiet_text(rules, reader)
    text = reader.words.say("quiet-which", place=reader.escape(rules.title), hours=hours)
    return text, boards.quiet_board(rules, reader)


_SCREENS: dict[Do, Screen] = {
    Do.KINDS: _screen("kinds-which", boards.kinds_board),
    Do.LENGTH: _screen("length-which", boards.length_board),
    Do.QUIET: _quiet,
    Do.REMIND: _screen("remind-which", boards.remind_board),
    Do.MUTE: _screen("mute-which", boards.mute_board),
    Do.LEAVE: _screen("leave-which", boards.leave_board),
}


def _offered(value: int, offered: tuple[int, ...] | range) -> int:
    if value not in offered:
        raise NotOfferedError(value)
    return value


async def _set_kind(session: AsyncSession, chat: int, rules: Rules, value: int, _reader: Reader) -> None:
    kind = KINDS[_offered(value, range(len(KINDS)))]
    await chats_rules.set_kinds(session, chat, rules.site, list({*rules.kinds} ^ {kind}))


async def _set_length(session: AsyncSession, chat: int, rules: Rules, value: int, _reader: Reader) -> None:
    await chats_rules.set_min_minutes(session, chat, rules.site, _offered(value, LENGTHS))


async def _set_quiet(session: AsyncSession, chat: int, rules: Rules, value: int, _reader: Reader) -> None:
    hours = None if value == -1 else boards.unpacked(value)
    if hours is None and value != -1:
        raise NotOfferedError(value)
    await chats_rules.set_quiet(session, chat, rules.site, hours)


async def _set_mode(session: AsyncSession, chat: int, rules: Rules, value: int, _reader: Reader) -> None:
    await chats_rules.set_quiet_mode(session, chat, rules.site, MODES[_offered(value, range(len(MODES)))])


async def _set_remind(session: AsyncSession, chat: int, rules: Rules, value: int, _reader: Reader) -> None:
    await chats_rules.set_remind(session, chat, rules.site, _offered(value, REMINDERS))


async def _set_mute(session: AsyncSession, chat: int, rules: Rules, value: int, reader: Reader) -> None:
    _offered(value, range(boards.FOREVER, _LONGEST_MUTE_MIN + 1))
    until = boards.muted_until(value, reader.now, reader.zone, typed.FOREVER)
    await chats_rules.mute(session, chat, rules.site, until)


_CHANGES: dict[Do, tuple[Change, Do]] = {
    Do.SET_KIND: (_set_kind, Do.KINDS),
    Do.SET_LENGTH: (_set_length, Do.CARD),
    Do.SET_QUIET: (_set_quiet, Do.QUIET),
    Do.SET_MODE: (_set_mode, Do.QUIET),
    Do.SET_REMIND: (_set_remind, Do.CARD),
    Do.SET_MUTE: (_set_mute, Do.CARD),
}
"""What a button changes, and what it leads to then."""
