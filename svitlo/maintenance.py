"""Maintenance windows: when planned work takes place, by the clock on the wall of its zone. Pure.

A recurrence is an RFC 5545 rule of days. It keeps the local time of the first occurrence over changes to and from
daylight saving; how long a window lasts is elapsed time. Where a change of the clock leaves the local time out, the
offset before the change counts (02:30 in a night without it is 03:30); where it comes twice, the first one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrule, rrulestr

from svitlo.errors import UserError

Span = tuple[datetime, datetime]
"""From (inclusive) and to (exclusive), aware, in UTC."""

LONGEST = timedelta(days=14)
SHORTHAND: Final = {name: f"FREQ={name.upper()}" for name in ("daily", "weekly", "monthly", "yearly")}

_DAYS = "MO|TU|WE|TH|FR|SA|SU"
_PARTS: Final[dict[str, tuple[str, int, int]]] = {
    "FREQ": ("DAILY|WEEKLY|MONTHLY|YEARLY", 0, 0),
    "INTERVAL": (r"\d{1,4}", 1, 1000),
    "COUNT": (r"\d{1,5}", 1, 10_000),
    "UNTIL": (r"\d{8}(T\d{6}Z?)?", 0, 0),
    "BYDAY": (rf"([+-]?\d{{1,2}})?({_DAYS})", 0, 0),
    "BYMONTHDAY": (r"[+-]?\d{1,2}", 1, 31),
    "BYYEARDAY": (r"[+-]?\d{1,3}", 1, 366),
    "BYWEEKNO": (r"[+-]?\d{1,2}", 1, 53),
    "BYMONTH": (r"\d{1,2}", 1, 12),
    "BYSETPOS": (r"[+-]?\d{1,3}", 1, 366),
    "WKST": (_DAYS, 0, 0),
}
"""What a rule may be made of: how one value looks and, of numbers, the least and greatest without the sign.

No times of day: there is one occurrence a day at most, so expanding a rule stays cheap whatever it says.
"""


@dataclass(frozen=True)
class Window:
    """Planned work on a site and, if `subtree`, on all under it.

    `starts_at` (UTC, whole seconds) is the first occurrence, `zone` the IANA zone by whose wall clock `rrule` repeats
    it; without a rule there is only the first.
    """

    id: int
    site: str
    subtree: bool
    starts_at: datetime
    duration_s: int
    zone: str
    rrule: str | None = None
    reason: str | None = None


def occurrences(window: Window, since: datetime, until: datetime) -> list[Span]:
    """Those of a window's occurrences that overlap `[since, until)`, the earliest first."""
    found = []
    for start, end in _from(window, since):
        if start >= until:
            break
        found.append((start, end))
    return found


def next_occurrence(window: Window, now: datetime) -> Span | None:
    """The occurrence that goes on at `now` or is the next to come."""
    return next(_from(window, now), None)


def spans(windows: Iterable[Window], since: datetime, until: datetime) -> tuple[Span, ...]:
    """The occurrences of many windows in `[since, until)` as spans that neither overlap nor touch, in order."""
    joined: list[Span] = []
    for start, end in sorted(span for window in windows for span in occurrences(window, since, until)):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return tuple(joined)


def find_zone(name: str) -> ZoneInfo:
    """The zone of that name. Raises `UserError`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UserError(f"{name!r} is not a time zone; write one such as Europe/Kyiv") from error


def parse_rrule(text: str) -> str:
    """A recurrence as it is stored: an RFC 5545 rule, or `daily`, `weekly`, `monthly`, `yearly`. Raises `UserError`."""
    given = text.strip()
    rule = SHORTHAND.get(given.lower(), given.upper().removeprefix("RRULE:"))
    if len(rule) > 200:
        raise UserError("a recurrence rule may have at most 200 characters")
    parts: dict[str, str] = {}
    for part in rule.split(";"):
        name, _, value = part.partition("=")
        if name in parts:
            raise UserError(f"{name} stands twice in {given!r}; give it once")
        parts[name] = value
    if "FREQ" not in parts or "" in parts:
        raise UserError(f"{given!r} is not a recurrence; write daily, weekly, monthly or a rule: FREQ=WEEKLY;BYDAY=MO")
    for name, value in parts.items():
        _check_part(name, value)
    if "COUNT" in parts and "UNTIL" in parts:
        raise UserError("a recurrence ends by COUNT or by UNTIL; leave one of them out")
    try:
        _rule(rule, datetime(2000, 1, 1), ZoneInfo("UTC"))
    except ValueError as error:
        raise UserError(f"{given!r} is not a recurrence rule: {error}") from error
    return rule


def check(window: Window) -> None:
    """Raises `UserError` saying what to write instead when the window cannot be."""
    zone = find_zone(window.zone)
    if not 0 < window.duration_s <= LONGEST.total_seconds():
        raise UserError(f"maintenance may last from a second to {LONGEST.days} days at a time")
    if window.rrule is None:
        return
    first = _local(window.starts_at, zone)
    matching = next(iter(_rule(parse_rrule(window.rrule), first, zone)), None)
    if matching is None:
        raise UserError(f"the rule {window.rrule} never comes true from {first:%Y-%m-%d %H:%M} on")
    if matching != first:
        raise UserError(
            f"the rule {window.rrule} says nothing of {first:%Y-%m-%d}; begin with one of its days, "
            f"{matching:%Y-%m-%d} for example"
        )


def _check_part(name: str, value: str) -> None:
    if name not in _PARTS:
        known = ", ".join(_PARTS)
        raise UserError(f"{name} cannot stand in a recurrence rule here; what can: {known}")
    pattern, least, greatest = _PARTS[name]
    for item in value.split(",") if name.startswith("BY") else [value]:
        if not re.fullmatch(pattern, item, re.ASCII):
            shown = pattern.replace("|", ", ") if name in ("FREQ", "WKST") else "what RFC 5545 says"
            raise UserError(f"{name}={value} is not possible in a recurrence; write {shown}")
        if greatest and not least <= abs(int(item)) <= greatest:
            raise UserError(f"{name}={value} is out of range: {least} to {greatest}")


def _from(window: Window, since: datetime) -> Iterator[Span]:
    """The occurrences that end after `since`."""
    length = timedelta(seconds=window.duration_s)
    for start in _starts(window, since - length):
        yield start, start + length


def _starts(window: Window, after: datetime) -> Iterator[datetime]:
    if window.rrule is None:
        if window.starts_at > after:
            yield window.starts_at
        return
    zone = ZoneInfo(window.zone)
    first = _local(window.starts_at, zone)
    # A day too early, since local time and UTC are never farther apart; what is too early is dropped below.
    for local in _rule(window.rrule, first, zone).xafter(_local(after, zone) - timedelta(days=1)):
        # The first may be the later one of a local time that comes twice, which its local time does not tell.
        start = window.starts_at if local == first else local.replace(tzinfo=zone).astimezone(UTC)
        if start > after:
            yield start


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _rule(text: str, first: datetime, zone: ZoneInfo) -> rrule:
    """The rule on local time, without a zone. Raises `ValueError`."""
    parts = text.split(";")
    rule = rrulestr(";".join(part for part in parts if not part.startswith("UNTIL=")), dtstart=first)
    assert isinstance(rule, rrule), "one line is one rule"
    end = next((part.removeprefix("UNTIL=") for part in parts if part.startswith("UNTIL=")), None)
    return rule if end is None else rule.replace(until=_end(end, zone))


def _end(until: str, zone: ZoneInfo) -> datetime:
    """The last local moment a rule may give: a date means its whole day, a time with Z is UTC."""
    if "T" not in until:
        return datetime.strptime(until, "%Y%m%d") + timedelta(days=1, seconds=-1)
    end = datetime.strptime(until.removesuffix("Z"), "%Y%m%dT%H%M%S")
    return _local(end.replace(tzinfo=UTC), zone) if until.endswith("Z") else end
