"""For whom texts are made, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from services.notifier.texts import Words

HEADLINE_NAME = 22
"""Characters of a name in the first line: place and state must fit the 40 a notification shows."""

FEWEST = 4
"""Characters of a name that still tell something."""

STEP = " › "
"""Between a place and the one below it."""

Escape = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """For whom a text is made: language, time zone, the moment of reading, and how the channel escapes."""

    words: Words
    zone: ZoneInfo
    now: datetime
    escape: Escape

    def time(self, moment: datetime) -> str:
        """A moment as the reader's clock shows it."""
        return self.words.time(moment, self.zone, self.now)


def short_name(name: str, limit: int = HEADLINE_NAME) -> str:
    """A name cut to `limit` characters."""
    return name if len(name) <= limit else name[: limit - 1].rstrip() + "…"


def full_name(name: str, above: str | None) -> str:
    """A place's name after that of the place above it, which `Section 1` needs; alone if it says that already."""
    return name if above is None or above.casefold() in name.casefold() else f"{above}, {name}"


def title(name: str, above: str | None = None, limit: int = HEADLINE_NAME) -> str:
    """The same cut to `limit` characters: the name above first."""
    whole = full_name(name, above)
    if len(whole) <= limit:
        return whole
    left = limit - len(name) - 2
    if above is None or whole == name or left < FEWEST:
        return short_name(name, limit)
    return f"{short_name(above, left)}, {name}"


def longer(name: str, above: str | None = None) -> str:
    """The whole name where `title` had to cut it; else nothing."""
    whole = full_name(name, above)
    return whole if len(whole) > HEADLINE_NAME else ""


def short_path(path: str, limit: int) -> str:
    """A way from above down to a place, cut to `limit` characters: what it is called itself is cut last."""
    if len(path) <= limit:
        return path
    parts = path.split(STEP)
    while len(parts) > 1:
        parts.pop(0)
        if len(shown := STEP.join(["…", *parts])) <= limit:
            return shown
    return short_name(parts[0], limit)
