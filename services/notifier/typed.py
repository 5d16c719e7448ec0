"""What people type for hours, spans and time zones. Pure."""

from __future__ import annotations

import functools
import re
import zoneinfo
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of a mute that has none."""

LONGEST_MUTE = timedelta(days=30)
MORNING = 8
"""The hour at which a mute until morning ends."""

NIGHT_ENDS = 5
"""Before this hour `until morning` means the same day's."""

_HOURS = re.compile(r"\s*(\d{1,2})(?:[:.](\d{2}))?\s*(?:-|–|—|до|to|\s)\s*(\d{1,2})(?:[:.](\d{2}))?\s*")
_SPAN = re.compile(r"(\d{1,4})\s*([^\W\d_]*)\.?")
_UNITS = {
    timedelta(minutes=1): ("m", "min", "minute", "minutes", "хв", "хвилин", "хвилина", "хвилини", "х"),
    timedelta(hours=1): ("", "h", "hour", "hours", "г", "год", "година", "години", "годин", "годину"),
    timedelta(days=1): ("d", "day", "days", "д", "дн", "день", "дні", "днів"),
}


def hours(typed: str) -> tuple[int, int] | None:
    """`22:30-06:45` as minutes of the day; None for anything else, also for hours that end where they begin."""
    found = _HOURS.fullmatch(typed.lower())
    if found is None:
        return None
    start, end = (int(found[first]) * 60 + int(found[first + 1] or 0) for first in (1, 3))
    if any(int(found[first + 1] or 0) > 59 for first in (1, 3)) or max(start, end) > 24 * 60:
        return None
    start, end = start % 1440, end % 1440
    return None if start == end else (start, end)


def span(typed: str) -> timedelta | None:
    """`8h`, `30 хв`, `2 дні`, `8` (hours); None for anything else, and for more than 30 days."""
    found = _SPAN.fullmatch(typed.strip().lower())
    if found is None:
        return None
    unit = next((unit for unit, names in _UNITS.items() if found[2] in names), None)
    if unit is None or not timedelta(0) < int(found[1]) * unit <= LONGEST_MUTE:
        return None
    return int(found[1]) * unit


def morning(now: datetime, zone: ZoneInfo) -> datetime:
    """The next eight o'clock in the morning by a zone's clock, in UTC: after a short night the same day's."""
    local = now.astimezone(zone)
    day = local.date() if local.hour < NIGHT_ENDS else local.date() + timedelta(days=1)
    return datetime.combine(day, time(MORNING), tzinfo=zone).astimezone(UTC)


def zone(typed: str) -> str | None:
    """The IANA name somebody means: `Europe/Warsaw`, `warsaw`, `new york`; None if there is none, or several."""
    wanted = re.sub(r"\s+", "_", typed.strip().lower())
    names = _zones()
    if wanted in names:
        return names[wanted]
    cities = {name for key, name in names.items() if "/" in key and key.rpartition("/")[2] == wanted}
    return cities.pop() if len(cities) == 1 else None


@functools.cache
def _zones() -> dict[str, str]:
    """Zones by their name in small letters; `posix/` and the like are none of ours."""
    return {
        name.lower(): name
        for name in zoneinfo.available_timezones()
        if not name.startswith(("posix", "right", "SystemV", "Etc/GMT")) and name not in ("localtime", "Factory")
    }
