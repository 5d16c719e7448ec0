"""Reads from when to when an outage really was, as a person writes it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MOMENT = r"(?:(\d{1,2})[./](\d{1,2})(?:[./](\d{4}))?,?\s+)?(\d{1,2})[:.](\d{2})"
_SPAN = re.compile(rf"\s*{_MOMENT}\s*(?:-|–|—|\s|до|to|…)+\s*{_MOMENT}\s*", re.IGNORECASE)


def parse_span(said: str, zone: ZoneInfo, recorded: datetime) -> tuple[datetime, datetime] | None:
    """Start and end (UTC) of `14:05–16:20` or `20.11 23:10 – 21.11 01:40` on the clock of `zone`.

    What is not said comes from the recorded start: its day, the nearest year, and of a clock time that comes twice in a
    night the nearer one. An end that would be before its start is of the next day. None for what cannot be read, and
    for a clock time that was leapt over.
    """
    found = _SPAN.fullmatch(said)
    if found is None:
        return None
    parts = found.groups()
    began = recorded.astimezone(zone)
    try:
        day = _day(parts[0:3], began.date())
        start = _moment(day, _clock(parts[3:5]), zone, recorded)
        if start is None:
            return None
        if parts[5]:
            end = _moment(_day(parts[5:8], day), _clock(parts[8:10]), zone, start)
        else:
            end = _after(day, _clock(parts[8:10]), zone, start)
    except ValueError:
        return None
    return None if end is None else (start, end)


def _day(parts: tuple[str | None, ...], near: date) -> date:
    """A day of a month, in the year nearest to `near`. Raises ValueError for a day that is none."""
    day, month, year = parts
    if day is None or month is None:
        return near
    if year is not None:
        return date(int(year), int(month), int(day))
    tried = []
    for candidate in (near.year - 1, near.year, near.year + 1):
        try:
            tried.append(date(candidate, int(month), int(day)))
        except ValueError:  # the 29th of February is not in every year
            continue
    return min(tried, key=lambda found: abs(found - near))


def _clock(parts: tuple[str | None, ...]) -> time:
    return time(int(parts[0] or 0), int(parts[1] or 0))


def _after(day: date, clock: time, zone: ZoneInfo, start: datetime) -> datetime | None:
    """The first moment after `start` with this clock time."""
    for offset in (0, 1):
        for fold in (0, 1):
            found = _exact(datetime.combine(day + timedelta(days=offset), clock, tzinfo=zone).replace(fold=fold), zone)
            if found is not None and found > start:
                return found
    return None


def _moment(day: date, clock: time, zone: ZoneInfo, near: datetime) -> datetime | None:
    both = [_exact(datetime.combine(day, clock, tzinfo=zone).replace(fold=fold), zone) for fold in (0, 1)]
    return min((found for found in both if found is not None), key=lambda found: abs(found - near), default=None)


def _exact(local: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment in UTC; None for a clock time that the night in which the clock is set leaps over."""
    moment = local.astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None) else None
