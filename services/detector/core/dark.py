"""A span in which a device was not known to have power, and what its return says about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from services.detector.core.observation import Note, Observation
from svitlo.contracts import Cause, JournalKind, ResetCause

T = TypeVar("T", bound=Struct)

BOOT_TIME = timedelta(seconds=10)
"""How long a board may need from power to the start of its uptime counter, with rounding and the way here."""

SLACK = timedelta(seconds=3)
"""How far a board's own times may be off: whole seconds, and the way here."""

JOURNAL_WAIT = timedelta(seconds=10)
"""How long the return of a board with a mains sensor waits for its journal, which may know of a cut."""

POWER_RESETS = frozenset({ResetCause.POWER_ON, ResetCause.BROWNOUT})
FAULT_RESETS = frozenset({ResetCause.WATCHDOG, ResetCause.SOFT, ResetCause.HARD, ResetCause.DEEPSLEEP})
POWERED = frozenset({Cause.NETWORK, Cause.DEVICE})
"""Causes that mean: the device had power all along."""


class Dark(Struct, frozen=True, omit_defaults=True, gc=False):
    """From between `start_lo` and `start_hi` to between `end_lo` and `end_hi` (None while it goes on); UTC.

    `cause` is `power` where the device was without power, `network` or `device` where it had power all along, and
    `presumed` where nothing says. `number` counts the spans of a device; `boot` and `boots` are those before.
    `unheard` marks an end known by a birth alone: the first heartbeat will say more. `journal_until` waits for a
    journal; `unproven` is a cause that rests on none having come, `dated` a start that one told. `blind` marks a span
    in which we were.
    """

    number: int
    start_lo: datetime
    start_hi: datetime
    boot: str | None = None
    boots: int = 0
    end_lo: datetime | None = None
    end_hi: datetime | None = None
    noticed_at: datetime | None = None
    cause: Cause = Cause.PRESUMED
    by_sensor: bool = False
    unheard: bool = False
    journal_until: datetime | None = None
    unproven: bool = False
    dated: bool = False
    blind: bool = False

    @property
    def over(self) -> bool:
        """Whether the device is back."""
        return self.end_hi is not None

    @property
    def settled(self) -> bool:
        """Whether what is known of the cause will not change by what is on its way already."""
        return self.over and not self.unheard and self.journal_until is None

    def overlaps(self, other: Dark) -> bool:
        """Whether the two may have shared a moment."""
        end, other_end = self.end_hi, other.end_hi
        return (other_end is None or self.start_lo <= other_end) and (end is None or other.start_lo <= end)


def ended_by_birth(dark: Dark, at: datetime) -> Dark:
    """The device said hello and nothing else yet."""
    return _ended(dark, dark.start_lo, at, at, dark.cause, unheard=True)


def ended_by_beat(dark: Dark, beat: Observation, began: datetime | None, known_dark_at: datetime | None) -> Dark:
    """What a device's first heartbeat says of the time before it.

    `began` is when its present boot began by its own uptime; `known_dark_at` when it last said there was no mains.
    """
    at = beat.at if dark.noticed_at is None else dark.noticed_at
    arrival = beat.at if dark.end_hi is None else dark.end_hi
    same_boot = beat.boot == dark.boot
    if dark.by_sensor:
        if same_boot or began is None or (known_dark_at is not None and known_dark_at >= began):
            return _ended(dark, known_dark_at or dark.start_lo, arrival, at, Cause.POWER)
        # On a battery it outlived the mains for a while; then it went too.
        return _ended(dark, max(began - BOOT_TIME, known_dark_at or dark.start_lo), began, at, Cause.POWER)
    if began is None or beat.uptime_s is None:
        return _ended(dark, dark.start_lo, arrival, at, Cause.PRESUMED)
    if same_boot:
        ran = began <= dark.start_lo + SLACK
        if ran and beat.mains is not None:
            # It has a sensor, and so perhaps a battery: only its journal knows whether the mains was there.
            waiting = _ended(dark, dark.start_lo, arrival, at, Cause.PRESUMED)
            return replace(waiting, journal_until=beat.at + JOURNAL_WAIT)
        return _ended(dark, dark.start_lo, arrival, at, Cause.NETWORK if ran else Cause.PRESUMED)
    reboots = beat.boots - dark.boots if beat.boots > dark.boots > 0 else None
    in_gap = began >= dark.start_lo - SLACK
    if beat.reset in POWER_RESETS and in_gap:
        # After several boots the power may have come back long before the last of them.
        lo = began - BOOT_TIME if reboots in (None, 1) else dark.start_lo
        return _ended(dark, lo, min(began, arrival), at, Cause.POWER)
    if beat.reset in FAULT_RESETS and reboots in (None, 1):
        return _ended(dark, dark.start_lo, min(began, arrival), at, Cause.DEVICE)
    return _ended(dark, dark.start_lo, min(began, arrival) if in_gap else arrival, at, Cause.PRESUMED)


def without_journal(dark: Dark) -> Dark:
    """None came: most likely there was nothing to tell but the network."""
    return replace(dark, cause=Cause.NETWORK, unproven=True, journal_until=None)


def noted(dark: Dark, notes: tuple[Note, ...], *, same_boot: bool) -> Dark:
    """What a device's journal adds: it decides where nothing else does, and dates by its sensor."""
    if dark.end_hi is None or dark.end_lo is None:
        return dark
    until = dark.end_hi + SLACK
    lost = [note.at for note in notes if note.kind is JournalKind.MAINS_LOST and _within(note.at, dark.start_lo, until)]
    back = [note.at for note in notes if note.kind is JournalKind.MAINS_BACK and _within(note.at, dark.start_lo, until)]
    if lost and dark.cause is not Cause.DEVICE:
        start = _narrowed(dark.start_lo, dark.start_hi, lost[0])
        if lost[0] - SLACK > dark.start_hi and not dark.dated:  # it fell silent first: until then its mains was there
            start = lost[0] - SLACK, lost[0] + SLACK
        end = _narrowed(dark.end_lo, dark.end_hi, back[-1]) if back else (dark.end_lo, dark.end_hi)
        return replace(
            dark,
            cause=Cause.POWER,
            start_lo=start[0],
            start_hi=max(min(start[1], end[1]), start[0]),
            end_lo=max(end[0], start[0]),
            end_hi=end[1],
            unproven=False,
            dated=True,
            journal_until=None,
        )
    if dark.journal_until is not None or dark.unproven:
        return replace(dark, cause=Cause.NETWORK, unproven=False, journal_until=None)
    dropped = any(
        note.kind is JournalKind.NET_LOST and _within(note.at, dark.start_lo, dark.start_hi + SLACK) for note in notes
    )
    if dark.cause is Cause.PRESUMED and same_boot and dropped and not dark.unheard:
        return replace(dark, cause=Cause.NETWORK)
    return dark


def rewound(dark: Dark, now: datetime) -> Dark:
    """The span after our clock was set back to `now`."""
    waiting = earlier(dark.journal_until, now + JOURNAL_WAIT)
    return replace(clamped(dark, now, _TIMES), journal_until=waiting)


_TIMES = ("start_lo", "start_hi", "end_lo", "end_hi", "noticed_at")


def earlier(moment: datetime | None, now: datetime) -> datetime | None:
    """A moment, but not after `now`."""
    return moment if moment is None else min(moment, now)


def clamped(thing: T, now: datetime, names: tuple[str, ...]) -> T:
    """A thing whose times of these names are not after `now`."""
    return replace(thing, **{name: earlier(getattr(thing, name), now) for name in names})


def _ended(dark: Dark, lo: datetime, hi: datetime, at: datetime, cause: Cause, *, unheard: bool = False) -> Dark:
    hi = max(hi, dark.start_lo)
    return replace(
        dark,
        start_hi=min(dark.start_hi, hi),
        end_lo=min(max(lo, dark.start_lo), hi),
        end_hi=hi,
        noticed_at=at,
        cause=cause,
        unheard=unheard,
        journal_until=None,
    )


def _within(moment: datetime, lo: datetime, hi: datetime) -> bool:
    return lo - SLACK <= moment <= hi


def _narrowed(lo: datetime, hi: datetime, moment: datetime) -> tuple[datetime, datetime]:
    """Bounds narrowed to a moment the device noted, as far as it lies in them."""
    narrow = max(lo, moment - SLACK), min(hi, moment + SLACK)
    return narrow if narrow[0] <= narrow[1] else (lo, hi)
