"""What the core is told about a device: one message, when it arrived, and whether it was news."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from svitlo.contracts import (
    DevicePayload,
    DeviceState,
    DeviceStatus,
    Heartbeat,
    Journal,
    JournalKind,
    OfflineReason,
    ResetCause,
)


class ObservationKind(StrEnum):
    """What a message says, seen from the power's side."""

    BEAT = "beat"
    BIRTH = "birth"
    WILL = "will"
    GOODBYE = "goodbye"
    MAINS_LOST = "mains_lost"
    JOURNAL = "journal"


class Note(NamedTuple):
    """One entry of a device's journal: what happened, and when by our clock (UTC)."""

    at: datetime
    kind: JournalKind


class Observation(Struct, frozen=True, gc=False):
    """One message of one device.

    `at` is when it arrived here (UTC). `retained` marks what the broker had kept: memory, never proof of life.
    `boots` counts the device's boots (0: it does not count); `reset` is why the present one began. `notes` come with
    a journal, which says nothing of `conn` and `interval_s`.
    """

    device: str
    kind: ObservationKind
    at: datetime
    boot: str
    conn: int
    interval_s: int
    retained: bool = False
    seq: int | None = None
    uptime_s: int | None = None
    mains: bool | None = None
    boots: int = 0
    reset: ResetCause = ResetCause.UNKNOWN
    notes: tuple[Note, ...] = ()


_OFFLINE = {
    OfflineReason.LWT: ObservationKind.WILL,
    OfflineReason.BYE: ObservationKind.GOODBYE,
    OfflineReason.MAINS_LOST: ObservationKind.MAINS_LOST,
    # An offline without a reason is somebody's will in other words.
    None: ObservationKind.WILL,
}


def observe(device: str, payload: DevicePayload, at: datetime, *, retained: bool) -> Observation | None:
    """Translate a decoded payload; None for payloads that say nothing about power (commands)."""
    if isinstance(payload, Heartbeat):
        return Observation(
            device,
            ObservationKind.BEAT,
            at,
            payload.boot,
            payload.conn,
            payload.interval_s,
            retained,
            payload.seq,
            payload.uptime_s,
            payload.mains,
            payload.boots,
            payload.reset,
        )
    if isinstance(payload, DeviceStatus):
        online = payload.state is DeviceState.ONLINE
        kind = ObservationKind.BIRTH if online else _OFFLINE[payload.reason]
        return Observation(device, kind, at, payload.boot, payload.conn, payload.interval_s, retained)
    if isinstance(payload, Journal):
        notes = tuple(Note(at + timedelta(seconds=entry.t_s), entry.kind) for entry in payload.entries)
        return Observation(device, ObservationKind.JOURNAL, at, payload.boot, 0, 0, retained, notes=notes)
    return None
