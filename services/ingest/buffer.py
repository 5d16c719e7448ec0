"""What waits to be written: bounded, so that a database that is away costs memory only up to a point.

Readings are many and worth little one by one: when the buffer is full the oldest go, counted. Garbage is folded
together by day, topic and reason, so that a board that sends nothing else cannot fill a disk.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from svitlo.contracts import DeviceState, DeviceStatus, Heartbeat

READING_COLUMNS = (
    "received_at",
    "device_id",
    "kind",
    "reason",
    "boot",
    "boots",
    "conn",
    "seq",
    "uptime_s",
    "interval_s",
    "keepalive_s",
    "reset",
    "mains",
    "volts",
    "rssi",
    "heap",
    "fw",
    "device_time",
)
SAMPLE_BYTES = 256
TOPIC_CHARACTERS = 200

Reading = tuple[Any, ...]


@dataclass
class Refused:
    """Messages of one kind that broke the contract."""

    device_id: str | None
    detail: str
    sample: bytes
    first_at: datetime
    last_at: datetime
    count: int = 1


@dataclass
class Seen:
    """The newest word of a device, for the registry."""

    at: datetime
    heartbeat: Heartbeat | None = None


@dataclass
class Stranger:
    """A device that is not in the registry."""

    first_at: datetime
    last_at: datetime
    count: int = 1


@dataclass
class Batch:
    """One transaction's worth."""

    readings: list[Reading] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)
    refused: dict[tuple[date, str, str], Refused] = field(default_factory=dict)
    strangers: dict[str, Stranger] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.readings or self.seen or self.refused or self.strangers)


PER_DEVICE = 100
"""Readings one device may have between two writes; a board in a tight loop must not fill the disk."""


class Buffer:
    """Collects between two writes; `dropped` counts readings that found no room or were too many of one device."""

    def __init__(self, limit: int = 200_000, kinds: int = 1000) -> None:
        self._limit = limit
        self._kinds = kinds
        self._readings: deque[Reading] = deque()
        self._counts: dict[str, int] = {}
        self._rest = Batch()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._readings)

    def add_heartbeat(self, device: str, beat: Heartbeat, at: datetime) -> None:
        """A heartbeat of a registered device, arrived `at` (UTC)."""
        device_time = datetime.fromtimestamp(beat.ts, UTC) if beat.ts is not None else None
        self._add(
            (
                at,
                device,
                "heartbeat",
                None,
                beat.boot,
                beat.boots,
                beat.conn,
                beat.seq,
                beat.uptime_s,
                beat.interval_s,
                None,
                beat.reset.value,
                beat.mains,
                beat.volts,
                beat.rssi,
                beat.heap,
                beat.fw,
                device_time,
            )
        )
        self._rest.seen[device] = Seen(at, beat)

    def add_status(self, device: str, status: DeviceStatus, at: datetime) -> None:
        """A birth, will or goodbye of a registered device. A will is the broker's word, so the device was not seen."""
        reason = status.reason.value if status.reason else None
        self._add(
            (
                at,
                device,
                status.state.value,
                reason,
                status.boot,
                None,
                status.conn,
                None,
                None,
                status.interval_s,
                status.keepalive_s,
                *(None,) * 7,
            )
        )
        if status.state is DeviceState.ONLINE:
            self._rest.seen[device] = Seen(at, self._rest.seen[device].heartbeat if device in self._rest.seen else None)

    def add_stranger(self, device: str, at: datetime) -> None:
        """A well-formed message of a device that is not registered."""
        known = self._rest.strangers.get(device)
        if known is not None:
            known.last_at, known.count = at, known.count + 1
        elif len(self._rest.strangers) < self._kinds:
            self._rest.strangers[device] = Stranger(at, at)

    def add_refused(
        self, topic: str, reason: str, detail: str, payload: bytes, device: str | None, at: datetime
    ) -> bool:
        """A message that broke the contract; says whether it is the first of its kind since the last write."""
        topic = topic.replace("\x00", "\ufffd")[:TOPIC_CHARACTERS]
        key = (at.date(), topic, reason)
        known = self._rest.refused.get(key)
        if known is not None:
            known.last_at, known.count = at, known.count + 1
            known.detail, known.sample = detail, payload[:SAMPLE_BYTES]
            return False
        if len(self._rest.refused) < self._kinds:
            self._rest.refused[key] = Refused(device, detail[:200], payload[:SAMPLE_BYTES], at, at)
            return True
        return False

    def take(self) -> Batch:
        """Everything collected so far; the buffer is empty afterwards."""
        batch, self._rest = self._rest, Batch()
        batch.readings = list(self._readings)
        self._readings.clear()
        self._counts.clear()
        return batch

    def put_back(self, batch: Batch) -> None:
        """A batch that could not be written: its readings go to the front, as far as there is room."""
        room = self._limit - len(self._readings)
        kept = batch.readings[-room:] if room > 0 else []
        self.dropped += len(batch.readings) - len(kept)
        self._readings.extendleft(reversed(kept))
        for device, seen in batch.seen.items():
            self._rest.seen.setdefault(device, seen)
        for key, refused in batch.refused.items():
            newer = self._rest.refused.get(key)
            if newer is None:
                self._rest.refused[key] = refused
            else:
                newer.first_at, newer.count = refused.first_at, newer.count + refused.count
        for device, stranger in batch.strangers.items():
            later = self._rest.strangers.get(device)
            if later is None:
                self._rest.strangers[device] = stranger
            else:
                later.first_at, later.count = stranger.first_at, later.count + stranger.count

    def _add(self, reading: Reading) -> None:
        device = reading[1]
        count = self._counts[device] = self._counts.get(device, 0) + 1
        if count > PER_DEVICE:
            self.dropped += 1
            return
        if len(self._readings) >= self._limit:
            self._readings.popleft()
            self.dropped += 1
        self._readings.append(reading)
