"""What was: outages one by one, how much of a day, a week or a month they took, and the words of a week's picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from services.notifier.views.reader import Reader
from svitlo.contracts import Cause
from svitlo.statistics import NOTHING, Statistics

PAGE = 10
"""Outages shown at once."""

WORTH_SAYING = timedelta(minutes=1)
"""Less time than this without watch is not mentioned."""

COMPARABLE = 0.02
"""Two periods are compared if no more than this share of either was not watched."""


class Period(StrEnum):
    """How far back statistics look."""

    DAY = "d"
    WEEK = "w"
    MONTH = "m"


PERIODS: Final = {Period.DAY: timedelta(days=1), Period.WEEK: timedelta(days=7), Period.MONTH: timedelta(days=30)}
_NAMES: Final = {Period.DAY: "day", Period.WEEK: "week", Period.MONTH: "month"}


@dataclass(frozen=True, kw_only=True)
class Past:
    """An outage as people are told of it; without `end` it goes on. Times are UTC."""

    start: datetime
    end: datetime | None
    cause: Cause
    maintenance: bool = False
    reconstructed: bool = False


@dataclass(frozen=True)
class Summary:
    """All outages of a window together, those planned too: how many, how long, the longest, the planned ones."""

    number: int
    off: timedelta
    longest: timedelta
    planned: int
    planned_off: timedelta
    observed: timedelta

    @property
    def share(self) -> float:
        """Of the watched time, how much was without power, from 0 to 1."""
        return self.off / self.observed if self.observed else 0.0


def summary_of(found: Statistics) -> Summary:
    """Both tallies of the statistics in one."""
    return Summary(
        number=found.outages.number + found.planned.number,
        off=found.outages.off + found.planned.off,
        longest=max(found.outages.longest, found.planned.longest),
        planned=found.planned.number,
        planned_off=found.planned.off,
        observed=found.observed,
    )


def history_text(place: str, outages: Sequence[Past], page: int, reader: Reader) -> str:
    """A page of outages, newest first, a line each."""
    say = reader.words.say
    if not outages:
        return say("history-none" if page == 0 else "history-no-more", place=reader.escape(place))
    first = page * PAGE + 1
    title = say("history-title", place=reader.escape(place), first=first, last=first + len(outages) - 1)
    return "\n".join([title, "", *(_line(outage, reader) for outage in outages)])


def stats_text(place: str, period: Period, found: Statistics, before: Statistics | None, reader: Reader) -> str:
    """How much was without power, compared with the period before; what was not watched is said and not counted."""
    say, name = reader.words.say, _NAMES[period]
    lines = [say(f"stats-title-{name}", place=reader.escape(place)), ""]
    if not found.observed:
        return "\n".join([*lines, say("stats-blind")])
    summary = summary_of(found)
    lines += [essence(summary, reader), *_details(found, summary, reader)]
    late = found.until - found.since < PERIODS[period] - WORTH_SAYING
    if late:
        lines.append(say("stats-since", time=reader.time(found.since)))
    elif before is not None and before.observed:
        lines.append(_comparison(name, found, before, reader))
    return "\n".join(lines)


def essence(summary: Summary, reader: Reader) -> str:
    """One sentence: how long without power, how often."""
    if not summary.number:
        return reader.words.say("report-none")
    return reader.words.say(
        "report-off",
        duration=reader.words.duration(summary.off),
        share=percent(summary.share, reader),
        count=summary.number,
    )


def week_caption(place: str, days: Sequence[tuple[date, Statistics]], found: Statistics, reader: Reader) -> str:
    """What the picture of a week shows, in words; below Telegram's 1024 characters."""
    say = reader.words.say
    lines = [say("week-title", place=reader.escape(place), dates=dates(days[0][0], days[-1][0], reader)), ""]
    if not found.observed:
        return "\n".join([*lines, say("stats-blind")])
    summary = summary_of(found)
    lines += [essence(summary, reader), *_details(found, summary, reader)]
    worst, off = max(((day, summary_of(of).off) for day, of in days), key=lambda one: one[1])
    if summary.number > 1 and off:
        named = format_date(worst, "EEEE, d MMMM", locale=reader.words.language)
        lines.append(say("week-worst", day=named, duration=reader.words.duration(off)))
    return "\n".join(lines)


def dates(first: date, last: date, reader: Reader) -> str:
    """`16–22 листопада 2026`."""
    language = reader.words.language
    start = "d MMMM y" if first.year != last.year else "d MMMM" if first.month != last.month else "d"
    dash = "–" if start == "d" else " – "
    return f"{format_date(first, start, locale=language)}{dash}{format_date(last, 'd MMMM y', locale=language)}"


def percent(share: float, reader: Reader) -> str:
    """A share from 0 to 1 in per cent, as exact as it is worth (`11`, `4,3`, `<0,1`): never nothing, never all."""
    shown, language = 100 * share, reader.words.language
    if 0 < shown < 0.1:
        return "<" + str(format_decimal(0.1, locale=language))
    if 99.9 < shown < 100:
        return ">" + str(format_decimal(99.9, locale=language))
    return str(format_decimal(shown, format="0.#" if shown < 10 or shown > 99 else "0", locale=language))


def _details(found: Statistics, summary: Summary, reader: Reader) -> list[str]:
    say, duration = reader.words.say, reader.words.duration
    lines = []
    if summary.number > 1:
        lines.append(say("report-longest", duration=duration(summary.longest)))
    if summary.planned:
        lines.append(say("report-planned", count=summary.planned, duration=duration(summary.planned_off)))
    if found.momentary:
        lines.append(say("report-momentary", count=found.momentary))
    if found.unseen:
        lines.append(say("report-unseen", count=found.unseen))
    if found.unobserved >= WORTH_SAYING:
        lines.append(say("report-unobserved", duration=duration(found.unobserved)))
    return lines


def _comparison(name: str, found: Statistics, before: Statistics, reader: Reader) -> str:
    say, duration = reader.words.say, reader.words.duration
    now, then = summary_of(found), summary_of(before)
    if not then.number:
        return say(f"stats-before-none-{name}")
    line = say(f"stats-before-{name}", duration=duration(then.off), count=then.number)
    if not all(one.unobserved <= COMPARABLE * (one.until - one.since) for one in (found, before)):
        return line
    change = now.off - then.off
    if abs(change) < WORTH_SAYING:
        return f"{line} {say('stats-same')}"
    return f"{line} {say('stats-more' if change > NOTHING else 'stats-less', duration=duration(abs(change)))}"


def _line(outage: Past, reader: Reader) -> str:
    say = reader.words.say
    start = _moment(outage.start, reader)
    span = reader.words.duration((outage.end or reader.now) - outage.start)
    if outage.end is None:
        line = say("history-open", start=start, duration=span)
    else:
        same = outage.start.astimezone(reader.zone).date() == outage.end.astimezone(reader.zone).date()
        end = f"{outage.end.astimezone(reader.zone):%H:%M}" if same else _moment(outage.end, reader)
        line = say("history-line", start=start, end=end, dash="–" if same else " – ", duration=span)
    if outage.maintenance:
        return f"{line} · {say('history-planned')}"
    if outage.reconstructed:
        return f"{line} · {say('history-reconstructed')}"
    return f"{line} · {say('history-confirmed')}" if outage.cause is Cause.POWER else line


def _moment(moment: datetime, reader: Reader) -> str:
    """`сб 21.11 14:03`; with the year if it is not this one."""
    local, language = moment.astimezone(reader.zone), reader.words.language
    day = "EEE dd.MM" if language == "uk" else "EEE d MMM"
    if local.year != reader.now.astimezone(reader.zone).year:
        day += ".y" if language == "uk" else " y"
    # Of an aware moment Babel would shift the clock again.
    return str(format_datetime(local.replace(tzinfo=None), f"{day} HH:mm", locale=language))
