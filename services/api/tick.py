"""What the detector last wrote of its own watch, and how far that can be relied on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

TICK_LIMIT = timedelta(seconds=30)
"""The detector writes every 5 s; a database that was just away may cost it some."""


class Details(Struct, frozen=True):
    """What stands in the tick's JSON: by which rules it watches, and what it holds back. Times are UTC."""

    instance: str | None = None
    policy: dict[str, float] = {}
    proven_at: datetime | None = None
    holding_alerts_until: datetime | None = None


@dataclass(frozen=True)
class Tick:
    """When a detector last wrote (`at`), and since when it had been watching then: None while it is blind (UTC).

    `newest_proof_at` is when it last heard any board at all, known only while it is blind.
    """

    at: datetime
    since: datetime | None
    details: Details = field(default_factory=Details)
    newest_proof_at: datetime | None = None

    def fresh(self, now: datetime) -> bool:
        """Whether what the detector says is so now."""
        return now - self.at <= TICK_LIMIT

    def unobserved_from(self, now: datetime) -> datetime | None:
        """Since when nobody watches, at the latest; None while somebody does. No gap is recorded of it yet."""
        if self.since is None:
            return min(self.at, self.newest_proof_at or self.at)
        return None if self.fresh(now) else self.at


def parse_details(text: str | None) -> Details:
    """The tick's JSON; what an earlier or later version wrote otherwise is left out."""
    try:
        return msgspec.json.decode(text or "{}", type=Details)
    except msgspec.DecodeError:
        return Details()
