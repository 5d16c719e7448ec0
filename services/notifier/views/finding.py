"""What people read while they look for a place, and what the places they follow are like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.notifier.places import Spot, Tree, normal
from services.notifier.views.reader import STEP, Reader, short_name
from services.notifier.views.status import DATED, SiteStatus
from svitlo.contracts import PowerState, SiteStateWord

LABEL = 40
"""Characters of a button."""

MARKS = {
    SiteStateWord.ON: "💡",
    SiteStateWord.OFF: "🔌",
    SiteStateWord.PARTIAL: "🌗",
    SiteStateWord.LATE: "⏳",
    SiteStateWord.BACKUP: "🔋",
    SiteStateWord.UNKNOWN: "❔",
    SiteStateWord.MAINTENANCE: "🛠",
}
"""The sign of a state, the same everywhere."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A place in a chat's list: how it stands, and whether it is muted now or wants no alert at all."""

    status: SiteStatus
    title: str
    muted_until: datetime | None = None
    silent: bool = False


def hello_text(reader: Reader, tree: Tree, *, typing: bool) -> str:
    """The first words; `typing`: whether an address may be typed here."""
    if not len(tree):
        return reader.words.say("hello-empty")
    return reader.words.say("hello") + "\n" + reader.words.say("choose-or-type" if typing else "choose")


def branch_text(path: Sequence[Spot], status: SiteStatus | None, reader: Reader, *, typing: bool) -> str:
    """A place in the tree that has others below it; without a path the top of the tree."""
    if not path or status is None:
        return reader.words.say("choose-or-type" if typing else "choose")
    where = reader.escape(STEP.join(spot.name for spot in path))
    return "\n".join(
        (
            f"📍 {where}",
            state_line(status, reader),
            "",
            reader.words.say("choose" if path[-1].followed else "choose-below"),
        )
    )


def followed_text(name: str, status: SiteStatus, reader: Reader, *, new: bool, several: int = 0) -> str:
    """A place (or `several`: with private ones below it) is followed from now on, or was already; and how it stands."""
    headline = reader.words.say("followed" if new else "followed-already", place=reader.escape(name))
    if several:
        headline += " " + reader.words.say("followed-several", count=several)
    elif status.children:
        headline += " " + reader.words.say("followed-all")
    lines = (headline, state_line(status, reader), reader.words.say("followed-then") if new else "")
    return "\n".join(line for line in lines if line)


def state_line(status: SiteStatus, reader: Reader) -> str:
    """How a place stands now, without its name."""
    words = reader.words
    line = words.say(f"now-{status.state.value}")
    if status.state in DATED and status.since is not None:
        span = words.duration(reader.now - status.since)
        line += " " + words.say("state-since", time=reader.time(status.since), duration=span)
    elif status.state is SiteStateWord.MAINTENANCE and status.power is not PowerState.UNKNOWN:
        line += f" ({words.say(f'now-power-{status.power.value}')})"
    if status.children_off:
        line += ". " + words.say("state-children", off=status.children_off, total=status.children)
    return f"{MARKS[status.state]} {line}"


def found_text(count: int, reader: Reader, *, any_public: bool) -> str:
    """What a search brought."""
    if count:
        return reader.words.say("found", count=count)
    return reader.words.say("found-none" if any_public else "found-none-empty")


def places_text(places: Sequence[Followed], total: int, muted_until: datetime | None, reader: Reader) -> str:
    """The places a chat follows (one page of `total`), each with its state."""
    words = reader.words
    if not total:
        return words.say("places-none")
    lines = [words.say("places", count=total)]
    if muted_until is not None and muted_until > reader.now:
        lines.append(muted_line("places-muted", muted_until, reader))
    lines.append("")
    for place in places:
        status = place.status
        name, line = reader.escape(place.title), state_line(status, reader)
        hushed = place.silent or (place.muted_until is not None and place.muted_until > reader.now)
        lines.append(f"{line[: line.index(' ')]} <b>{name}</b>{' 🔕' if hushed else ''}\n{line[line.index(' ') + 1 :]}")
    return "\n".join(lines)


def muted_line(key: str, until: datetime, reader: Reader) -> str:
    """A sentence with the end of a mute; `<key>-forever` where it has none."""
    if until.year >= FOREVER_YEAR:
        return reader.words.say(f"{key}-forever")
    return reader.words.say(key, time=reader.time(until))


FOREVER_YEAR = 9000
"""A mute until this year or later ends only when somebody ends it."""


def spot_label(spot: Spot, *, branches: bool) -> str:
    """A place on a button of the tree."""
    tail = _marks(spot) + (" ›" if branches else "")
    return f"{MARKS[spot.state]} {short_name(spot.name, LABEL - len(tail) - 2)}{tail}"


def found_label(spot: Spot, tree: Tree) -> str:
    """A place on a button of what was found: with the one above it, which `секція 1` needs."""
    tail = _marks(spot)
    room = LABEL - len(tail) - 2
    above = tree.path(spot)[:-1]
    name = spot.name
    if above and normal(above[-1].name) not in normal(name):
        left = room - len(name) - 2
        name = f"{short_name(above[-1].name, left)}, {name}" if left >= 5 else name
    return f"{MARKS[spot.state]} {short_name(name, room)}{tail}"


def _marks(spot: Spot) -> str:
    """What stands behind a name: that others do not see the place, and that it is followed."""
    return (" 🔒" if spot.private else "") + (" ✅" if spot.followed else "")
