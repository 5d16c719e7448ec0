"""The week of a place as a picture with its words, asked for or by itself on Sunday evening."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from babel.dates import format_date

from services.notifier import chats_told, history
from services.notifier.channels.base import Button, Said
from services.notifier.history import Record, Site
from services.notifier.views import Reader, short_name
from services.notifier.views.reports import (
    WORTH_SAYING,
    dates,
    essence,
    summary_of,
    week_caption,
)
from svitlo.db.session import Database
from svitlo.pictures.day import bounds
from svitlo.pictures.render import png_of
from svitlo.pictures.week import Day, Labels, Week, week_svg
from svitlo.statistics import Recorded, Span, Statistics

DAYS: Final = 7
ZOOM: Final = 2.0
FRESH: Final = timedelta(minutes=1)
MOST_KEPT: Final = 64
"""Pictures of some 50 kB each."""

LISTED: Final = 12
"""Places in the list of a chat that follows several."""

_BUTTON_NAME: Final = 40


@dataclass(frozen=True)
class Shown:
    """A picture (PNG) and the words that go with it, in the channel's markup."""

    photo: bytes
    caption: str


class _Kept:
    """The pictures of the last minute; one is drawn at a time."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.pictures: dict[tuple[Site, date, str, str], tuple[datetime, Shown]] = {}

    def forget(self, now: datetime) -> None:
        """Let go of what is too old, and of the oldest if there are many."""
        for key in [key for key, (at, _) in self.pictures.items() if abs(now - at) >= FRESH]:
            del self.pictures[key]
        while len(self.pictures) > MOST_KEPT:
            del self.pictures[next(iter(self.pictures))]


_kept: weakref.WeakKeyDictionary[Database, _Kept] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class _Days:
    """Seven local days of a record, each with its statistics."""

    record: Record
    whole: Statistics
    each: list[tuple[date, Statistics]]


async def shown(database: Database, site: Site, last: date, reader: Reader) -> Shown:
    """The seven days up to the local day `last`, not older than a minute. Raises `DatabaseUnavailableError`.

    All of a house ask for the same picture on Sunday evening: it is drawn for the first of them and kept for the rest.
    """
    kept = _kept.setdefault(database, _Kept())
    async with kept.lock:
        key = (site, last, reader.words.language, reader.zone.key)
        made = kept.pictures.get(key)
        if made is None or abs(reader.now - made[0]) >= FRESH:
            made = kept.pictures[key] = reader.now, await _draw(database, site, last, reader)
            kept.forget(reader.now)
        return made[1]


async def _draw(database: Database, site: Site, last: date, reader: Reader) -> Shown:
    found = await _read(database, site, last, reader)
    # Not in a thread: resvg holds the interpreter's lock while it draws, for less than a tenth of a second.
    photo = png_of(svg_of(found.record, last, reader), zoom=ZOOM)
    # Let go of the loop, so that drawing many in a row holds up nobody for longer than one of them.
    await asyncio.sleep(0)
    return Shown(photo, week_caption(site.name, found.each, found.whole, reader))


async def said(database: Database, *, chat: int, payload: Mapping[str, Any], reader: Reader) -> Said | None:
    """What a chat is sent on Sunday evening; `payload["day"]` is that Sunday, as the chat's zone has it.

    Of one place its picture, of several a list with a button for each picture; None if it follows none any more.
    Raises `DatabaseUnavailableError`.
    """
    last = date.fromisoformat(payload["day"])
    async with database.transaction() as session:
        places = await chats_told.told_sites(session, chat)
        found = [await history.site_for(session, chat, place.id) for place in places[:LISTED]]
    sites = [site for site in found if site is not None]
    if not sites:
        return None
    if len(places) == 1:
        picture = await shown(database, sites[0], last, reader)
        return Said(text=picture.caption, photo=picture.photo)
    return await _list(database, sites, len(places), last, reader)


def svg_of(record: Record, last: date, reader: Reader) -> str:
    """The picture of a record's seven days up to `last`. Pure."""
    found = _days(record, last, reader)
    week = Week(
        days=[_day(day, statistics, reader) for day, statistics in found.each],
        zone=reader.zone,
        since=max(record.since, record.site.created_at),
        until=min(record.until, record.now),
        off=[_span(outage, record) for outage in record.outages if not outage.momentary and not outage.maintenance],
        planned=[_span(outage, record) for outage in record.outages if not outage.momentary and outage.maintenance],
        blind=[(max(start, record.since), min(end, record.until, record.now)) for start, end in record.blind],
    )
    return week_svg(week, _labels(found, reader))


async def _read(database: Database, site: Site, last: date, reader: Reader) -> _Days:
    since, until = _window(last, reader)
    async with database.transaction() as session:
        record = await history.record_of(session, site, since, until, reader.now)
    return _days(record, last, reader)


def _window(last: date, reader: Reader) -> Span:
    first = last - timedelta(days=DAYS - 1)
    return bounds(first, reader.zone)[0], bounds(last, reader.zone)[1]


def _days(record: Record, last: date, reader: Reader) -> _Days:
    days = [last - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    return _Days(record, record.statistics(), [(day, record.statistics(*bounds(day, reader.zone))) for day in days])


def _span(outage: Recorded, record: Record) -> Span:
    """As people are told: from the last proof of power to the first one after, or to now."""
    return outage.started_lo, outage.ended_hi or min(record.until, record.now)


def _day(day: date, found: Statistics, reader: Reader) -> Day:
    label = format_date(day, "EEE d", locale=reader.words.language)
    off = summary_of(found).off
    if off:
        total = reader.words.duration(off)
    elif found.observed:
        total = reader.words.say("week-nothing")
    else:
        # Of a day to come, or before the place was there, there is nothing to say.
        total = reader.words.say("week-no-data") if found.since < found.until else ""
    return Day(date=day, label=label[:1].upper() + label[1:], total=total, quiet=not off)


def _labels(found: _Days, reader: Reader) -> Labels:
    say, record = reader.words.say, found.record
    summary = summary_of(found.whole)
    first, last = found.each[0][0], found.each[-1][0]
    if not found.whole.observed:
        headline = say("week-summary-blind")
    elif not summary.number:
        headline = say("week-summary-none")
    else:
        headline = say("week-summary", duration=reader.words.duration(summary.off), count=summary.number)
    blind = found.whole.unobserved >= WORTH_SAYING
    return Labels(
        title=record.site.name,
        dates=dates(first, last, reader),
        summary=headline,
        column=say("week-column"),
        on=say("week-on"),
        off=say("week-off"),
        planned=say("week-planned") if summary.planned else "",
        blind=say("week-blind", duration=reader.words.duration(found.whole.unobserved)) if blind else "",
        notes=[note for day, _ in found.each if (note := _clock_note(day, reader))],
        description=_description(found, reader),
    )


def _clock_note(day: date, reader: Reader) -> str:
    """That a day has not 24 hours."""
    start, end = bounds(day, reader.zone)
    hours = (end - start) / timedelta(hours=1)
    if hours == 24:
        return ""
    named = format_date(day, "d MMMM", locale=reader.words.language)
    return reader.words.say("week-clock", day=named, hours=f"{hours:g}")


def _description(found: _Days, reader: Reader) -> str:
    """The picture for those who cannot see it."""
    return " ".join([essence(summary_of(found.whole), reader), *(
        f"{format_date(day, 'EEEE', locale=reader.words.language)}: {_day(day, of, reader).total};"
        for day, of in found.each
    )])  # fmt: skip


async def _list(database: Database, sites: list[Site], total: int, last: date, reader: Reader) -> Said:
    # Imported here because aiogram takes seconds and 165 MB, and channels without buttons need none of it.
    from services.notifier.bot.callbacks import WEEK, Ask

    say = reader.words.say
    first = last - timedelta(days=DAYS - 1)
    lines, buttons = [say("week-list", dates=dates(first, last, reader)), ""], []
    for site in sites:
        found = await _read(database, site, last, reader)
        words = essence(summary_of(found.whole), reader) if found.whole.observed else say("week-summary-blind") + "."
        lines.append(say("week-list-line", place=reader.escape(short_name(site.name, 60)), essence=words))
        data = Ask(what=WEEK, site=site.id).pack()
        buttons.append((Button(short_name(site.name, _BUTTON_NAME), data),))
    if total > len(sites):
        lines.append(say("week-list-more", count=total - len(sites)))
    return Said(text="\n".join(lines), buttons=tuple(buttons))
