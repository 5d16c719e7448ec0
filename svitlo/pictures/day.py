"""A local day on the wall clock's scale of 24 hours, also where the clock changes. Pure.

Where the clock goes back, the hour that comes twice shares its room: its first pass takes the first half. Where it goes
forward, the hour that never was stays empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Span = tuple[datetime, datetime]
"""From (inclusive) and to (exclusive), aware, in UTC."""

DAY_H = 24.0


@dataclass(frozen=True)
class Stretch:
    """A part of a day in which the clock runs evenly: from when to when, and where on the scale, in hours."""

    since: datetime
    until: datetime
    start: float
    end: float


def bounds(day: date, zone: ZoneInfo) -> Span:
    """When a local day begins and ends."""
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def stretches(day: date, zone: ZoneInfo) -> list[Stretch]:
    """A day's even parts in order: one, or two round a change of the clock."""
    since, until = bounds(day, zone)
    change = _change(since, until, zone)
    if change is None:
        return [Stretch(since, until, _wall(since, zone), DAY_H)]
    before, after = _hours(change, since, zone), _wall(change, zone)
    if after >= before:
        parts = [Stretch(since, change, _wall(since, zone), before), Stretch(change, until, after, DAY_H)]
        return [part for part in parts if part.since < part.until]
    twice, middle = timedelta(hours=before - after), (after + before) / 2
    return [
        Stretch(since, change - twice, _wall(since, zone), after),
        Stretch(change - twice, change, after, middle),
        Stretch(change, change + twice, middle, before),
        Stretch(change + twice, until, before, DAY_H),
    ]


def on_scale(span: Span, parts: list[Stretch]) -> list[tuple[float, float]]:
    """Where a span lies on the scale of a day, in hours from 0 to 24; nothing if it is of other days."""
    found: list[tuple[float, float]] = []
    for part in parts:
        since, until = max(span[0], part.since), min(span[1], part.until)
        if since >= until:
            continue
        scale = (part.end - part.start) / ((part.until - part.since) / timedelta(hours=1))
        start = part.start + (since - part.since) / timedelta(hours=1) * scale
        end = part.start + (until - part.since) / timedelta(hours=1) * scale
        if found and abs(found[-1][1] - start) < 1e-9:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _wall(moment: datetime, zone: ZoneInfo) -> float:
    local = moment.astimezone(zone)
    return local.hour + local.minute / 60 + local.second / 3600


def _hours(moment: datetime, since: datetime, zone: ZoneInfo) -> float:
    """What the clock would show at `moment` if it had not been changed since the day began."""
    return _wall(since, zone) + (moment - since) / timedelta(hours=1)


def _change(since: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment between at which the clock is changed, to the second."""
    first = since.astimezone(zone).utcoffset()
    if until.astimezone(zone).utcoffset() == first:
        return None
    while until - since > timedelta(seconds=1):
        middle = since + (until - since) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == first:
            since = middle
        else:
            until = middle
    return until
