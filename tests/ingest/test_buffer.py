"""What waits for the database: bounded, folded, put back in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.ingest.buffer import PER_DEVICE, READING_COLUMNS, Buffer
from svitlo.contracts import DeviceState, DeviceStatus, Heartbeat

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


def beat(seq: int) -> Heartbeat:
    return Heartbeat(v=1, boot="b1", conn=1, seq=seq, uptime_s=seq, interval_s=10)


def seqs(buffer: Buffer) -> list[int]:
    return [reading[READING_COLUMNS.index("seq")] for reading in buffer.take().readings]


def test_every_reading_has_every_column() -> None:
    buffer = Buffer()
    buffer.add_heartbeat("d1", beat(1), NOW)
    buffer.add_status(
        "d1",
        DeviceStatus(v=1, state=DeviceState.ONLINE, boot="b1", conn=1, keepalive_s=10, interval_s=10),
        NOW,
    )
    assert [len(reading) for reading in buffer.take().readings] == [len(READING_COLUMNS)] * 2


def test_a_full_buffer_lets_the_oldest_go_and_counts_them() -> None:
    buffer = Buffer(limit=3)
    for seq in range(1, 6):
        buffer.add_heartbeat("d1", beat(seq), NOW)
    assert buffer.dropped == 2
    assert seqs(buffer) == [3, 4, 5]


def test_a_board_in_a_tight_loop_is_recorded_up_to_a_bound() -> None:
    buffer = Buffer()
    for seq in range(1, 501):
        buffer.add_heartbeat("mad", beat(seq), NOW)
    buffer.add_heartbeat("calm", beat(1), NOW)
    assert len(buffer.take().readings) == PER_DEVICE + 1
    assert buffer.dropped == 500 - PER_DEVICE
    buffer.add_heartbeat("mad", beat(501), NOW)
    assert seqs(buffer) == [501]


def test_a_batch_that_could_not_be_written_comes_first_again() -> None:
    buffer = Buffer(limit=4)
    for seq in (1, 2, 3):
        buffer.add_heartbeat("d1", beat(seq), NOW)
    batch = buffer.take()
    for seq in (4, 5):
        buffer.add_heartbeat("d1", beat(seq), NOW)
    buffer.put_back(batch)
    assert buffer.dropped == 1
    assert seqs(buffer) == [2, 3, 4, 5]


def test_garbage_is_folded_by_day_topic_and_reason_and_bounded() -> None:
    buffer = Buffer(kinds=2)
    firsts = [buffer.add_refused("t", "syntax", "x", b"y" * 1000, None, NOW) for _ in range(5)]
    assert firsts == [True, False, False, False, False]
    assert buffer.add_refused("t", "syntax", "x", b"", None, NOW + timedelta(days=1))
    assert not buffer.add_refused("another", "syntax", "x", b"", None, NOW)
    refused = buffer.take().refused
    assert [item.count for item in refused.values()] == [5, 1]
    assert len(next(iter(refused.values())).sample) == 256


def test_counts_survive_a_failed_write() -> None:
    buffer = Buffer()
    buffer.add_refused("t", "syntax", "x", b"1", None, NOW)
    buffer.add_stranger("s", NOW)
    batch = buffer.take()
    buffer.add_refused("t", "syntax", "x", b"2", None, NOW)
    buffer.add_stranger("s", NOW + timedelta(seconds=5))
    buffer.put_back(batch)
    again = buffer.take()
    assert [item.count for item in again.refused.values()] == [2]
    assert (again.strangers["s"].count, again.strangers["s"].first_at) == (2, NOW)
