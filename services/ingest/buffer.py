"""What waits to be written: bounded, so that a database that is away costs memory only up to a point.

Readings are many and worth little one by one: when the buffer is full the oldest go. Garbage is folded together by
day, topic and reason, so that a board that sends nothing else cannot fill a disk. Whatever finds no room is counted.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from svitlo.contracts import DeviceState, DeviceStatus, Heartbeat, Journal

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

PER_DEVICE = 100
"""Readings one device may have between two writes; a board in a tight loop must not fill the disk."""
JOURNALS_PER_DEVICE = 10
"""Journals of one device between two writes; each has 64 entries at most."""

Row = tuple[Any, ...]
"""When it arrived, the device, and what else its table wants."""
Seen = tuple[datetime, Heartbeat | None]
"""When a device last spoke, and its newest heartbeat since the last write, for the registry."""


class Loss(StrEnum):
    """Why something is not kept, as the log says it."""

    FULL = "of a full buffer"
    FLOOD = "of boards that send too much"
    KINDS = "beyond the strangers and malformed kinds that are told apart"
    REFUSED = "that the database refused"


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
class Stranger:
    """A device that is not in the registry."""

    first_at: datetime
    last_at: datetime
    count: int = 1


@dataclass
class Batch:
    """One transaction's worth."""

    readings: list[Row] = field(default_factory=list)
    journals: list[Row] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)
    refused: dict[tuple[date, str, str], Refused] = field(default_factory=dict)
    strangers: dict[str, Stranger] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.readings or self.journals or self.seen or self.refused or self.strangers)


class _Lane:
    """Rows in the order they came; bounded in all, and for each device between two writes."""

    def __init__(self, limit: int, per_device: int, lost: Counter[Loss]) -> None:
        self._limit, self._per_device, self._lost = limit, per_device, lost
        self._rows: deque[Row] = deque()
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        device = row[1]
        count = self._counts[device] = self._counts.get(device, 0) + 1
        if count > self._per_device:
            self._lost[Loss.FLOOD] += 1
            return
        if len(self._rows) >= self._limit:
            self._rows.popleft()
            self._lost[Loss.FULL] += 1
        self._rows.append(row)

    def take(self) -> list[Row]:
        rows, self._rows = list(self._rows), deque()
        self._counts.clear()
        return rows

    def put_back(self, rows: list[Row]) -> None:
        """To the front, as far as there is room."""
        room = self._limit - len(self._rows)
        kept = rows[-room:] if room > 0 else []
        self._lost[Loss.FULL] += len(rows) - len(kept)
        self._rows.extendleft(reversed(kept))


class Buffer:
    """Collects between two writes; `lost` counts by reason what is not kept."""

    def __init__(self, limit: int = 200_000, journals: int = 10_000, kinds: int = 1000) -> None:
        self.lost: Counter[Loss] = Counter()
        self._kinds = kinds
        self._readings = _Lane(limit, PER_DEVICE, self.lost)
        self._journals = _Lane(journals, JOURNALS_PER_DEVICE, self.lost)
        self._rest = Batch()

    def __len__(self) -> int:
        """Readings and journals that wait."""
        return len(self._readings) + len(self._journals)

    def add_heartbeat(self, device: str, beat: Heartbeat, at: datetime) -> None:
        """A heartbeat of a registered device, arrived `at` (UTC)."""
        self._readings.add(
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
                beat.reset._value_,
                beat.mains,
                beat.volts,
                beat.rssi,
                beat.heap,
                beat.fw,
                _utc(beat.ts) if beat.ts is not None else None,
            )
        )
        self._rest.seen[device] = (at, beat)

    def add_status(self, device: str, status: DeviceStatus, at: datetime) -> None:
        """A birth, will or goodbye of a registered device. A will is the broker's word, so the device was not seen."""
        reason = status.reason.value if status.reason else None
        self._readings.add(
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
            self._see(device, at)

    def add_journal(self, device: str, journal: Journal, at: datetime) -> None:
        """What a registered device wrote down; an entry's time is counted back from `at` (UTC), its arrival."""
        times = [at + timedelta(seconds=entry.t_s) for entry in journal.entries]
        self._journals.add((at, device, journal.boot, times, [entry.kind.value for entry in journal.entries]))
        self._see(device, at)

    def add_stranger(self, device: str, at: datetime) -> None:
        """A well-formed message of a device that is not registered."""
        known = self._rest.strangers.get(device)
        if known is not None:
            known.last_at, known.count = at, known.count + 1
        elif len(self._rest.strangers) < self._kinds:
            self._rest.strangers[device] = Stranger(at, at)
        else:
            self.lost[Loss.KINDS] += 1

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
        self.lost[Loss.KINDS] += 1
        return False

    def take(self) -> Batch:
        """Everything collected so far; the buffer is empty afterwards."""
        batch, self._rest = self._rest, Batch()
        batch.readings, batch.journals = self._readings.take(), self._journals.take()
        return batch

    def put_back(self, batch: Batch) -> None:
        """A batch that could not be written: its rows go to the front, as far as there is room."""
        self._readings.put_back(batch.readings)
        self._journals.put_back(batch.journals)
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

    def give_up(self, batch: Batch) -> None:
        """A batch that the database will never take."""
        self.lost[Loss.REFUSED] += len(batch.readings) + len(batch.journals)

    def _see(self, device: str, at: datetime) -> None:
        known = self._rest.seen.get(device)
        self._rest.seen[device] = (at, known[1] if known is not None else None)


@lru_cache(maxsize=256)  # boards agree on the time, more or less
def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
