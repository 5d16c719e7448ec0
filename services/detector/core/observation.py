"""What the core is told about a device: one message, when it arrived, and whether it was news."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from svitlo.contracts import DevicePayload, DeviceState, DeviceStatus, Heartbeat, OfflineReason


class ObservationKind(StrEnum):
    """What a message says, seen from the power's side."""

    BEAT = "beat"
    BIRTH = "birth"
    WILL = "will"
    GOODBYE = "goodbye"
    MAINS_LOST = "mains_lost"


class Observation(Struct, frozen=True):
    """One message of one device.

    `at` is when it arrived here (UTC). `retained` marks what the broker had kept: memory, never proof of life.
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


_OFFLINE = {
    OfflineReason.LWT: ObservationKind.WILL,
    OfflineReason.BYE: ObservationKind.GOODBYE,
    OfflineReason.MAINS_LOST: ObservationKind.MAINS_LOST,
    # An offline without a reason is somebody's will in other words.
    None: ObservationKind.WILL,
}


def observe(device: str, payload: DevicePayload, at: datetime, *, retained: bool) -> Observation | None:
    """Translate a decoded payload; None for payloads that say nothing about liveness (journal, command)."""
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
        )
    if isinstance(payload, DeviceStatus):
        online = payload.state is DeviceState.ONLINE
        kind = ObservationKind.BIRTH if online else _OFFLINE[payload.reason]
        return Observation(device, kind, at, payload.boot, payload.conn, payload.interval_s, retained)
    return None
