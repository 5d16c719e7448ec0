"""Is this device alive? `never_seen -> online -> late -> lost`, and `paused` after a goodbye."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from services.detector.core.dark import Dark, clamped
from services.detector.core.dark import rewound as dark_rewound
from services.detector.core.observation import Note
from services.detector.core.policy import Policy
from svitlo.contracts import Cause, EvidenceKind

NOTHING = timedelta(0)


class Liveness(StrEnum):
    """What we hold of a device."""

    NEVER_SEEN = "never_seen"
    ONLINE = "online"
    LATE = "late"
    LOST = "lost"
    PAUSED = "paused"


ALIVE = (Liveness.ONLINE, Liveness.LATE)


class DeviceState(Struct, frozen=True, omit_defaults=True, gc=False):
    """Everything remembered of a device. Times are UTC by our clock.

    `sensor` says that it tells of its mains. `last_proof_at` is when the last proof of power arrived, `powered_at`
    when it was sent as far as that can be told;
    `began_at` when the current boot began by the device's own uptime; `session_at` when we saw the current session
    begin. `lost_at` and `lost_by` are the first evidence of the last loss; `unpowered_at` is when the device last
    said that its mains is gone. `will_at` and `birth_at` hold a word that waits to be confirmed. `quiet` is silence
    we watched before we were last interrupted. `dark` is the newest span in which the device was not heard; `notes`
    are the journals that came before the heartbeat they explain.
    """

    liveness: Liveness = Liveness.NEVER_SEEN
    boot: str | None = None
    previous_boot: str | None = None
    conn: int = 0
    seq: int | None = None
    boots: int = 0
    sensor: bool = False
    interval_s: int = 10
    last_proof_at: datetime | None = None
    powered_at: datetime | None = None
    lost_at: datetime | None = None
    lost_by: EvidenceKind | None = None
    unpowered_at: datetime | None = None
    paused_at: datetime | None = None
    began_at: datetime | None = None
    session_at: datetime | None = None
    will_at: datetime | None = None
    birth_at: datetime | None = None
    returned_by: EvidenceKind | None = None
    quiet: timedelta = NOTHING
    dark: Dark | None = None
    notes: tuple[Note, ...] = ()


class Watch(Struct, frozen=True):
    """Since when we see without a break (None while we are blind), and how far that is proven.

    `proven_at` is when the newest echo was sent that came back through the broker: up to then our link carried.
    """

    since: datetime | None
    proven_at: datetime | None = None


def observed(state: DeviceState, watch: Watch) -> bool:
    """Whether what we hold of the device was seen since we last began to watch."""
    return watch.since is not None and state.last_proof_at is not None and state.last_proof_at >= watch.since


def begun(state: DeviceState, at: datetime, watch: Watch, by: EvidenceKind | None = None) -> Dark:
    """A new dark span: after the last proof of power, before `at`."""
    lo = state.powered_at or state.last_proof_at or at
    return Dark(
        number=state.dark.number + 1 if state.dark is not None else 1,
        start_lo=min(lo, at),
        start_hi=at,
        boot=state.boot,
        boots=state.boots,
        cause=Cause.POWER if by is EvidenceKind.MAINS else Cause.PRESUMED,
        by_sensor=by is EvidenceKind.MAINS,
        blind=not observed(state, watch),
    )


def proven(state: DeviceState, at: datetime, sent: datetime, by: EvidenceKind) -> DeviceState:
    """The device lives: a proof that was `sent` then and arrived `at`."""
    returned = state.liveness is Liveness.LOST
    return replace(
        state,
        liveness=Liveness.ONLINE,
        last_proof_at=at,
        powered_at=sent,
        will_at=None,
        birth_at=None,
        paused_at=None,
        unpowered_at=None,
        quiet=NOTHING,
        returned_by=by if returned else state.returned_by,
    )


def lost(state: DeviceState, at: datetime, by: EvidenceKind, watch: Watch) -> DeviceState:
    """The device is lost; `at` is the evidence."""
    return replace(
        state,
        liveness=Liveness.LOST,
        lost_at=at,
        lost_by=by,
        dark=begun(state, at, watch, by),
        notes=(),
        will_at=None,
        birth_at=None,
        paused_at=None,
        quiet=NOTHING,
    )


def blinded(state: DeviceState) -> DeviceState:
    """The device when our link broke: a will that came with the break proves nothing (a broker told to stop
    publishes the will of every client before it closes), and boards need time to come back."""
    if state.will_at is None and not state.quiet:
        return state
    return replace(state, will_at=None, quiet=NOTHING)


def interrupted(state: DeviceState, since: datetime, until: datetime, policy: Policy) -> DeviceState:
    """The device when only we stopped, having watched from `since` to `until`: what silence we saw is kept.

    Else a detector that is restarted again and again would never find a dead board. A board that is well is silent
    for an interval at most, so only what is beyond that is counted.
    """
    state = state if state.will_at is None else replace(state, will_at=None)
    if state.liveness not in ALIVE or state.last_proof_at is None:
        return state
    silent = until - max(since, state.last_proof_at) - policy.late_after(state.interval_s)
    return replace(state, quiet=state.quiet + silent) if silent > NOTHING else state


def rewound(state: DeviceState, now: datetime) -> DeviceState:
    """The device after our clock was set back: nothing we hold can have happened later than `now`."""
    dark = dark_rewound(state.dark, now) if state.dark is not None else None
    state = clamped(state, now, _TIMES)
    # Before `now`, not at it: what is watched from now on is not to look as if it had been seen already.
    proof = state.last_proof_at if state.last_proof_at is None else min(state.last_proof_at, now - MOMENT)
    return replace(state, last_proof_at=proof, session_at=None, will_at=None, birth_at=None, notes=(), dark=dark)


_TIMES = ("last_proof_at", "powered_at", "unpowered_at", "paused_at", "began_at", "lost_at")
MOMENT = timedelta(microseconds=1)
