"""For whom texts are made, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from services.notifier.texts import Words

HEADLINE_NAME = 22
"""Characters of a name in the first line: place and state must fit the 40 a notification shows."""

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
