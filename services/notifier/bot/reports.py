"""`/history`, `/stats`, `/week`, and the buttons under alerts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from aiogram import Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.filters.callback_data import CallbackData
from aiogram.types import BufferedInputFile, CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats_rules, chats_told, history, weekly
from services.notifier.bot import weekly as by_itself
from services.notifier.bot.callbacks import HISTORY, MUTE, WEEK, Ask
from services.notifier.bot.context import Context
from services.notifier.bot.meeting import meet, outdated, reader_of, show
from services.notifier.bot.permission import Permission
from services.notifier.channels.telegram import words_only
from services.notifier.chats import Chat, Place
from services.notifier.history import Site
from services.notifier.sight import site_for, titles, visible_sites
from services.notifier.texts import Words
from services.notifier.views import Reader, short_name, short_path
from services.notifier.views.reports import PERIODS, Period, history_text, stats_text

COMMANDS = ("history", "stats", "week", *by_itself.COMMANDS)

MUTED_FOR: Final = timedelta(hours=8)
MOST_NAMED = 100
"""Characters of a place's name in an answer above the chat, which takes 200."""

CHOICES = 8
"""Places on one page of a choice."""


class Report(StrEnum):
    """What is told of a place."""

    HISTORY = "h"
    STATS = "s"
    WEEK = "w"


class Choose(CallbackData, prefix="rc"):
    """A place for a report (0: only turn to `page`)."""

    report: Report
    site: int
    page: int = 0


class Leaf(CallbackData, prefix="rh"):
    """A page of a place's history."""

    site: int
    page: int


class Look(CallbackData, prefix="rs"):
    """How far back a place's statistics look."""

    site: int
    period: Period


@dataclass(frozen=True)
class Told:
    """An answer, with a picture or without."""

    text: str
    markup: InlineKeyboardMarkup | None = None
    photo: bytes | None = None


def make(context: Context) -> Router:
    """A router of these handlers, and of those for the week by itself."""
    router = Reports(context).router()
    router.include_router(by_itself.make(context))
    return router


class Reports:
    """The handlers. They read in one transaction and answer after it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._permission = Permission()
        self._reports: dict[Report, Callable[[Site, Reader], Awaitable[Told]]] = {
            Report.HISTORY: self._history,
            Report.STATS: self._stats,
            Report.WEEK: self._week,
        }

    def router(self) -> Router:
        """A router of these handlers."""
        router = Router(name="reports")
        for report, command in ((Report.HISTORY, "history"), (Report.STATS, "stats"), (Report.WEEK, "week")):
            router.message.register(self._asker(report), Command(command))
        router.callback_query.register(self.chosen, Choose.filter())
        router.callback_query.register(self.leafed, Leaf.filter())
        router.callback_query.register(self.looked, Look.filter())
        router.callback_query.register(self.asked, Ask.filter())
        return router

    def _asker(self, report: Report) -> Callable[[Message], Awaitable[None]]:
        async def ask(message: Message) -> None:
            await self.ask(message, report)

        return ask

    async def ask(self, message: Message, report: Report) -> None:
        """A command: the report of the only place of the chat, or a choice of its places."""
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            places = await _places(session, chat)
            site = await site_for(session, chat, places[0].id) if len(places) == 1 else None
        reader = reader_of(self._context, chat)
        if site is not None:
            await _answer(message, await self._reports[report](site, reader))
            return
        text = reader.words.say(f"report-which-{report.name.lower()}" if places else "report-nowhere")
        await message.answer(text, reply_markup=_choice(report, places, 0, reader.words))

    async def chosen(self, query: CallbackQuery, callback_data: Choose) -> None:
        """A place was chosen, or another page of places."""
        if not isinstance(query.message, Message):
            await outdated(query, self._context)
            return
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, query.message, query.from_user)
            site = await site_for(session, chat, callback_data.site)
            places = await _places(session, chat)
        reader, report = reader_of(self._context, chat), callback_data.report
        if callback_data.site == 0:
            markup = _choice(report, places, callback_data.page, reader.words)
            await show(query, reader.words.say(f"report-which-{report.name.lower()}"), markup)
        elif site is None:
            await query.answer(reader.words.say("report-not-here"))
        elif report is Report.WEEK:
            await query.answer()
            await _answer(query.message, await self._week(site, reader))
        else:
            told = await self._reports[report](site, reader)
            await show(query, told.text, told.markup)

    async def leafed(self, query: CallbackQuery, callback_data: Leaf) -> None:
        """Older or newer outages."""
        site, reader = await self._looker(query, callback_data.site)
        if site is not None and reader is not None:
            told = await self._history(site, reader, callback_data.page)
            await show(query, told.text, told.markup)

    async def looked(self, query: CallbackQuery, callback_data: Look) -> None:
        """Statistics of another period."""
        site, reader = await self._looker(query, callback_data.site)
        if site is not None and reader is not None:
            told = await self._stats(site, reader, callback_data.period)
            await show(query, told.text, told.markup)

    async def asked(self, query: CallbackQuery, callback_data: Ask) -> None:
        """A button under an alert: the alert stays, the answer is a message of its own."""
        if callback_data.what == MUTE:
            await self._mute(query, callback_data.site)
            return
        site, reader = await self._looker(query, callback_data.site)
        if site is None or reader is None or not isinstance(query.message, Message):
            return
        await query.answer()
        if callback_data.what == HISTORY:
            await _answer(query.message, await self._history(site, reader))
        elif callback_data.what == WEEK:
            await _answer(query.message, await self._week(site, reader))

    async def _mute(self, query: CallbackQuery, site: int) -> None:
        """Silence the place by whose rules this one is told, and say which that is: it may be the building."""
        if not isinstance(query.message, Message):
            await outdated(query, self._context)
            return
        allowed = await self._permission.of(query)
        until = self._context.clock() + MUTED_FOR
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, query.message, query.from_user)
            nearest = await chats_told.nearest(session, chat.id, site)
            rules = None if nearest is None else await chats_rules.rules_of(session, chat.id, nearest)
            if allowed and rules is not None:
                await chats_rules.mute(session, chat.id, rules.site, until)
        reader = reader_of(self._context, chat)
        key = "muted-not-allowed" if not allowed else "muted-until" if rules else "muted-not-followed"
        place = short_name(rules.title, MOST_NAMED) if rules else ""
        await query.answer(reader.words.say(key, time=reader.time(until), place=place), show_alert=True)

    async def _looker(self, query: CallbackQuery, key: int) -> tuple[Site | None, Reader | None]:
        """The place a button is about, if the chat may look at it; otherwise the button is answered here."""
        if not isinstance(query.message, Message):
            await outdated(query, self._context)
            return None, None
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, query.message, query.from_user)
            site = await site_for(session, chat, key)
        reader = reader_of(self._context, chat)
        if site is None:
            await query.answer(reader.words.say("report-not-here"))
        return site, reader

    async def _history(self, site: Site, reader: Reader, page: int = 0) -> Told:
        async with self._context.database.transaction() as session:
            outages, older = await history.latest(session, site.id, page)
        say = reader.words.say
        turns = []
        if page > 0:
            turns.append(_button(say("report-newer"), Leaf(site=site.id, page=page - 1)))
        if older:
            turns.append(_button(say("report-older"), Leaf(site=site.id, page=page + 1)))
        more = [_button(say("report-stats"), Choose(report=Report.STATS, site=site.id)), _week_button(site, reader)]
        return Told(history_text(site.name, outages, page, reader), _keyboard(turns, more))

    async def _stats(self, site: Site, reader: Reader, period: Period = Period.WEEK) -> Told:
        length, now = PERIODS[period], reader.now
        async with self._context.database.transaction() as session:
            record = await history.record_of(session, site, now - 2 * length, now, now)
        found, before = record.statistics(now - length, now), record.statistics(now - 2 * length, now - length)
        say = reader.words.say
        # Of a shorter period there is nothing to compare with.
        whole = before.until - before.since >= length
        periods = [
            _button(("• " if one is period else "") + say(f"stats-{one.name.lower()}"), Look(site=site.id, period=one))
            for one in Period
        ]
        more = [_button(say("report-history"), Leaf(site=site.id, page=0)), _week_button(site, reader)]
        text = stats_text(site.name, period, found, before if whole else None, reader)
        return Told(text, _keyboard(periods, more))

    async def _week(self, site: Site, reader: Reader) -> Told:
        today = reader.now.astimezone(reader.zone).date()
        picture = await weekly.shown(self._context.database, site, today, reader)
        return Told(picture.caption, photo=picture.photo)


async def _places(session: AsyncSession, chat: Chat) -> list[Place]:
    """What the chat may ask about: what it is told of, or else all that it may see without following."""
    places = await chats_told.told_sites(session, chat.id) or await visible_sites(session, chat)
    return await titles(session, places)


async def _answer(message: Message, told: Told) -> None:
    if told.photo is not None:
        picture = BufferedInputFile(told.photo, "week.png")
        try:
            await message.answer_photo(picture, caption=told.text, reply_markup=told.markup)
        except TelegramBadRequest as error:
            if not words_only(error):
                raise
        else:
            return
    await message.answer(told.text, reply_markup=told.markup)


def _choice(report: Report, places: list[Place], page: int, words: Words) -> InlineKeyboardMarkup | None:
    if not places:
        return None
    page = min(max(page, 0), (len(places) - 1) // CHOICES)
    rows = [
        [_button(short_path(place.name, 40), Choose(report=report, site=place.id))]
        for place in places[page * CHOICES : (page + 1) * CHOICES]
    ]
    turns = []
    if page > 0:
        turns.append(_button(words.say("page-back"), Choose(report=report, site=0, page=page - 1)))
    if (page + 1) * CHOICES < len(places):
        turns.append(_button(words.say("page-next"), Choose(report=report, site=0, page=page + 1)))
    return _keyboard(*rows, turns)


def _week_button(site: Site, reader: Reader) -> InlineKeyboardButton:
    return _button(reader.words.say("report-week"), Ask(what=WEEK, site=site.id))


def _keyboard(*rows: list[InlineKeyboardButton]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[row for row in rows if row])


def _button(label: str, data: CallbackData) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=label, callback_data=data.pack())
