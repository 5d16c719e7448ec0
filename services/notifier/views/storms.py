"""Several alerts in one message: an outage that is over already, lists, areas, what waited for the morning."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.notifier.views.alerts import LATE_AFTER, Alert, alert_text, around_line, correction_lines, headline_of
from services.notifier.views.reader import Reader, longer, short_name, title
from svitlo.contracts import EventKind, PowerState

AREA_FROM = 3
"""Places of one chat that must vanish together to be told as one area."""

NAMES_ROOM = 3000
"""Characters for the places of a list; what does not fit is counted."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is told of one site: its standing alert, and how many outages came and went before that was told.

    `off` is their length together; `ends`: the standing alert is the end of the last of them. `corrections` are of
    outages told before, oldest first.
    """

    alert: Alert
    parent: str | None = None
    area: UUID | None = None
    outages: int = 0
    off: timedelta = timedelta(0)
    ends: bool = False
    corrections: tuple[Alert, ...] = ()


def bundle_text(entries: Sequence[Entry], reader: Reader, *, morning: bool = False) -> str:
    """The text of one message about these sites; `morning`: it waited for the end of the quiet hours."""
    if len(entries) == 1:
        return _single(entries[0], reader)
    if len({entry.parent for entry in entries}) == 1:
        # The first line names the place above all of them.
        entries = [replace(entry, alert=replace(entry.alert, above=None)) for entry in entries]
    area = _area(entries, reader)
    headline = area or _headline(entries, reader)
    if morning:
        headline = reader.words.say("storm-morning") + "\n" + headline
    late = {id(entry) for entry in entries if reader.now - entry.alert.news_at > LATE_AFTER}
    if len(late) == len(entries):
        late.clear()
        if not morning:
            headline = f"{headline} {reader.words.say('alert-late')}"
    return "\n".join([headline, *_lines(entries, reader, late)])


@dataclass(frozen=True)
class StillOff:
    """A place without power, since when (UTC), and what it belongs to."""

    place: str
    started: datetime
    parent: str | None = None


def reminders_text(places: Sequence[StillOff], reader: Reader) -> str:
    """Places are still without power; those that are for longest stand first."""
    words = reader.words
    if len(places) == 1:
        return _still_off(places[0], reader)
    said = words.say("alert-reminders", count=len(places))
    parent = _common(place.parent for place in places)
    lines = [f"{said} — {reader.escape(short_name(parent))}" if parent else said]
    room = NAMES_ROOM
    for number, off in enumerate(sorted(places, key=lambda place: place.started)):
        # The first line names what all of them belong to.
        place = reader.escape(title(off.place, None if parent else off.parent))
        duration = words.duration(reader.now - off.started)
        line = words.say("alert-reminders-place", place=place, time=reader.time(off.started), duration=duration)
        room -= len(line) + 1
        if room < 0:
            lines.append(words.say("storm-more", count=len(places) - number))
            break
        lines.append(line)
    return "\n".join(lines)


def _still_off(off: StillOff, reader: Reader) -> str:
    words = reader.words
    headline = words.say("alert-reminder", place=reader.escape(title(off.place, off.parent)))
    whole = reader.escape(longer(off.place, off.parent))
    span = words.duration(reader.now - off.started)
    detail = words.say("alert-reminder-since", time=reader.time(off.started), duration=span)
    return "\n".join(line for line in (headline, whole, detail) if line)


def _single(entry: Entry, reader: Reader) -> str:
    around = [line] if (line := around_line(entry.alert, reader)) else []
    return "\n".join([_standing(entry, reader), *_earlier(entry, reader), *around, *_corrections(entry, reader)])


def _standing(entry: Entry, reader: Reader) -> str:
    if not entry.ends or entry.alert.reconstructed:
        return alert_text(entry.alert, reader)
    words, alert = reader.words, entry.alert
    headline = _was_off(entry, reader)
    if reader.now - alert.news_at > LATE_AFTER:
        headline = f"{headline} {words.say('alert-late')}"
    lines = [headline]
    if whole := longer(alert.place, alert.above):
        lines.append(reader.escape(whole))
    start, end = alert.outage_started or alert.occurred_lo, alert.occurred_hi
    span = words.say("storm-was-off-span", start=reader.time(start), end=reader.time(end))
    if entry.outages > 1:
        span = words.say("storm-was-off-times", count=entry.outages, end=reader.time(end))
    return "\n".join([*lines, span])


def _earlier(entry: Entry, reader: Reader) -> list[str]:
    """The outages that were over before what stands now; flapping counts its own."""
    if not entry.outages or entry.ends or entry.alert.flapping is not None:
        return []
    duration = reader.words.duration(entry.off)
    return [reader.words.say("storm-earlier", count=entry.outages, duration=duration)]


def _corrections(entry: Entry, reader: Reader) -> list[str]:
    return [line for alert in entry.corrections for line in correction_lines(alert, reader)]


def _was_off(entry: Entry, reader: Reader) -> str:
    place = reader.escape(title(entry.alert.place, entry.alert.above))
    return reader.words.say("storm-was-off", place=place, duration=reader.words.duration(entry.off))


def _lines(entries: Sequence[Entry], reader: Reader, late: Collection[int]) -> list[str]:
    """The lines of each site, those without power first; the last one counts what found no room.

    `late`: the `id()` of entries that came late beside others that did not.
    """
    ordered = sorted(entries, key=lambda entry: _power(entry) is not PowerState.OFF)
    lines: list[str] = []
    room = NAMES_ROOM
    for number, entry in enumerate(ordered):
        plain = entry.ends and not entry.alert.reconstructed
        line = _was_off(entry, reader) if plain else headline_of(entry.alert, reader)
        if id(entry) in late:
            line = f"{line} {reader.words.say('alert-late')}"
        more = [line, *(f"   {told}" for told in (*_earlier(entry, reader), *_corrections(entry, reader)))]
        room -= sum(len(line) + 1 for line in more)
        if room < 0:
            return [*lines, reader.words.say("storm-more", count=len(ordered) - number)]
        lines += more
    return lines


def _headline(entries: Sequence[Entry], reader: Reader) -> str:
    words = reader.words
    off = sum(_power(entry) is PowerState.OFF for entry in entries)
    on = sum(_power(entry) is PowerState.ON for entry in entries)
    parent = _common(entry.parent for entry in entries)
    if off == len(entries):
        said = words.say("storm-off", count=off)
    elif on == len(entries):
        said = words.say("storm-on", count=on)
    elif off:
        said = words.say("storm-mixed", off=off, count=len(entries))
    else:
        said = words.say("storm-changes", count=len(entries))
    return f"{said} — {reader.escape(short_name(parent))}" if parent else said


def _common(parents: Iterable[str | None]) -> str | None:
    """What all of them belong to; None if there is no such thing."""
    found = set(parents)
    return found.pop() if len(found) == 1 else None


def _area(entries: Sequence[Entry], reader: Reader) -> str | None:
    """What stands above the places of an area's outage: all went at once, and more than these few."""
    areas = {entry.area for entry in entries}
    if len(areas) != 1 or areas == {None} or len(entries) < AREA_FROM:
        return None
    if any(entry.alert.kind is not EventKind.POWER_LOST for entry in entries):
        return None
    total = max(len(entries), *(entry.alert.area_sites for entry in entries))
    since = reader.time(min(entry.alert.occurred_lo for entry in entries))
    parent = _common(entry.parent for entry in entries)
    if parent:
        # The area may be larger than this place.
        place, own = reader.escape(short_name(parent)), len(entries)
        said = reader.words.say("storm-area-of", place=place, count=own, time=since)
        return f"{said}\n{reader.words.say('alert-lost-area', count=total - own)}" if total > own else said
    return reader.words.say("storm-area", count=total, time=since)


def _power(entry: Entry) -> PowerState:
    alert = entry.alert
    match alert.kind:
        case EventKind.POWER_LOST:
            return PowerState.OFF
        case EventKind.STABLE if alert.flapping is not None:
            return alert.flapping.power
        case EventKind.UNSTABLE:
            return PowerState.UNKNOWN
        case EventKind.OUTAGE_REVISED if not alert.retracted and alert.outage_ended is None:
            return PowerState.OFF
    return PowerState.ON
