"""For whom texts are made, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from services.notifier.texts import Words

HEADLINE_NAME = 22
"""Characters of a name in the first line: place and state must fit the 40 a notification shows."""

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
