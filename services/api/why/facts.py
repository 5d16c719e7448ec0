"""What the database says of a site: its rows, and of the detector's memory the keys an explanation needs.

The memory is the detector's own and changes with it. Whatever it keeps otherwise than is read here is left out, and
the explanation says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from services.api.tick import Tick
from svitlo.contracts import Cause, ChildTally, PowerState, SiteStateWord
from svitlo.maintenance import Window

M = TypeVar("M", bound="Remembered")

NOTHING = timedelta(0)


class Remembered(Struct, frozen=True):
    """What a memory holds; `unread` marks one that could not be read."""

    unread: bool = False


class Dark(Struct, frozen=True):
    """A span in which a board was not known to have power; without an end it goes on (UTC)."""

    start_lo: datetime
    start_hi: datetime
    end_lo: datetime | None = None
    end_hi: datetime | None = None
    cause: str = Cause.PRESUMED.value
    blind: bool = False


class BoardMemory(Remembered, frozen=True):
    """Of a board: when its session began, a last will that is held, silence seen before a pause of ours (UTC)."""

    session_at: datetime | None = None
    will_at: datetime | None = None
    quiet: timedelta = NOTHING
    dark: Dark | None = None


class Unstable(Struct, frozen=True):
    """Power that comes and goes (UTC)."""

    since: datetime
    last_at: datetime
    changes: int = 0


class RememberedOutage(Struct, frozen=True):
    """Of the outage that is on: when it was known (UTC), and whether people are yet to be told."""

    detected_at: datetime
    untold: bool = False


class HeldEvent(Struct, frozen=True):
    """An event that waits to be told."""

    kind: str = "event"


class SiteMemory(Remembered, frozen=True):
    """Of a site: a verdict being confirmed since `pending_at` (while blind: for `pending_for` before), what is held
    back and until when (UTC), and how the sites under it are."""

    pending: str | None = None
    pending_at: datetime | None = None
    pending_for: timedelta | None = None
    outage: RememberedOutage | None = None
    owed: tuple[HeldEvent, ...] = ()
    hold_until: datetime | None = None
    unstable: Unstable | None = None
    children: ChildTally | None = None


class Policy(Struct, frozen=True):
    """The knobs of detection, in seconds but for `misses`; see `svitlo.settings.Policy`."""

    misses: float
    grace_s: float
    will_hold_s: float
    reconnect_s: float
    confirm_off_s: float
    confirm_on_s: float
    pause_limit_s: float
    flap_calm_s: float

    def timeout(self, interval_s: int) -> timedelta:
        """How long a board may be silent."""
        return timedelta(seconds=interval_s * self.misses + self.grace_s)

    def late_after(self, interval_s: int) -> timedelta:
        """When a board counts as late."""
        return timedelta(seconds=interval_s + self.grace_s)

    def settle(self, interval_s: int) -> timedelta:
        """How long after a blind span silence proves nothing."""
        return max(self.timeout(interval_s), timedelta(seconds=self.reconnect_s))


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board that stands for the site. Times are UTC; `updated_at` is when the detector wrote the rest of it."""

    id: str
    weight: int
    liveness: str
    boot: str | None
    conn: int | None
    interval_s: int
    last_proof_at: datetime | None
    lost_at: datetime | None
    lost_by: str | None
    paused_at: datetime | None
    deadline_at: datetime | None
    updated_at: datetime | None
    memory: BoardMemory


@dataclass(frozen=True, kw_only=True)
class OpenOutage:
    """The outage that is on."""

    id: UUID
    started_lo: datetime
    started_hi: datetime
    cause: Cause


@dataclass(frozen=True, kw_only=True)
class Site:
    """The site, its rule, and what the detector last made of it."""

    slug: str
    name: str
    rule: str
    k: int | None
    confirm_off_s: float | None
    confirm_on_s: float | None
    power: PowerState
    state: SiteStateWord
    since: datetime | None
    outage: OpenOutage | None
    memory: SiteMemory


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that an explanation rests on; `tick` is None if no detector ever ran."""

    site: Site
    boards: tuple[Board, ...]
    windows: tuple[Window, ...]
    tick: Tick | None


def remembered_of_device(text: str | None) -> BoardMemory:
    """A board's memory from its JSON; None is one of a version that kept none."""
    return _parsed(text, BoardMemory)


def remembered_of_site(text: str | None) -> SiteMemory:
    """A site's memory from its JSON."""
    return _parsed(text, SiteMemory)


def _parsed(text: str | None, kind: type[M]) -> M:
    try:
        return msgspec.json.decode(text or "{}", type=kind)
    except (msgspec.DecodeError, ValueError):
        return kind(unread=True)
