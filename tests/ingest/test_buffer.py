"""What waits for the database: bounded, folded, put back in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.ingest.buffer import JOURNALS_PER_DEVICE, PER_DEVICE, READING_COLUMNS, Buffer, Loss
from svitlo.contracts import DeviceState, DeviceStatus, Heartbeat, Journal, JournalEntry, JournalKind

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


def beat(seq: int) -> Heartbeat:
    return Heartbeat(v=1, boot="b1", conn=1, seq=seq, uptime_s=seq, interval_s=10)


def journal(*seconds: float) -> Journal:
    return Journal(v=1, boot="b1", entries=[JournalEntry(t_s=-s, kind=JournalKind.NET_LOST) for s in seconds])


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
    assert buffer.lost == {Loss.FULL: 2}
    assert seqs(buffer) == [3, 4, 5]


def test_a_board_in_a_tight_loop_is_recorded_up_to_a_bound() -> None:
    buffer = Buffer()
    for seq in range(1, 501):
        buffer.add_heartbeat("mad", beat(seq), NOW)
    buffer.add_heartbeat("calm", beat(1), NOW)
    assert len(buffer.take().readings) == PER_DEVICE + 1
    assert buffer.lost == {Loss.FLOOD: 500 - PER_DEVICE}
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
    assert buffer.lost == {Loss.FULL: 1}
    assert seqs(buffer) == [2, 3, 4, 5]


def test_garbage_is_folded_by_day_topic_and_reason_and_bounded() -> None:
    buffer = Buffer(kinds=2)
    firsts = [buffer.add_refused("t", "syntax", "x", b"y" * 1000, None, NOW) for _ in range(5)]
    assert firsts == [True, False, False, False, False]
    assert buffer.add_refused("t", "syntax", "x", b"", None, NOW + timedelta(days=1))
    assert not buffer.add_refused("another", "syntax", "x", b"", None, NOW)
    refused = buffer.take().refused
    assert [item.count for item in refused.values()] == [5, 1]
    assert buffer.lost == {Loss.KINDS: 1}
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


def test_strangers_beyond_the_bound_are_counted() -> None:
    buffer = Buffer(kinds=1)
    for name in ("one", "two", "one"):
        buffer.add_stranger(name, NOW)
    assert buffer.take().strangers.keys() == {"one"}
    assert buffer.lost == {Loss.KINDS: 1}


def test_an_entry_of_a_journal_has_the_time_it_tells() -> None:
    buffer = Buffer()
    buffer.add_journal("d1", journal(340, 0.5), NOW)
    batch = buffer.take()
    (row,) = batch.journals
    times = [NOW - timedelta(seconds=340), NOW - timedelta(seconds=0.5)]
    assert row == (NOW, "d1", "b1", times, ["net_lost", "net_lost"])
    assert batch.seen["d1"] == (NOW, None)


def test_journals_are_bounded_for_a_device_and_in_all() -> None:
    buffer = Buffer(journals=JOURNALS_PER_DEVICE + 1)
    for _ in range(JOURNALS_PER_DEVICE + 5):
        buffer.add_journal("mad", journal(1), NOW)
    assert (len(buffer), buffer.lost) == (JOURNALS_PER_DEVICE, {Loss.FLOOD: 5})
    for device in ("d1", "d2", "d3"):
        buffer.add_journal(device, journal(1), NOW)
    assert (len(buffer), buffer.lost) == (JOURNALS_PER_DEVICE + 1, {Loss.FLOOD: 5, Loss.FULL: 2})


def test_journals_that_could_not_be_written_come_first_again() -> None:
    buffer = Buffer()
    buffer.add_journal("d1", journal(1), NOW)
    batch = buffer.take()
    buffer.add_journal("d2", journal(1), NOW)
    buffer.put_back(batch)
    assert [row[1] for row in buffer.take().journals] == ["d1", "d2"]
    assert not buffer.lost.total()


def test_a_batch_that_is_given_up_is_counted() -> None:
    buffer = Buffer()
    buffer.add_heartbeat("d1", beat(1), NOW)
    buffer.add_journal("d1", journal(1, 2), NOW)
    buffer.give_up(buffer.take())
    assert buffer.lost == {Loss.REFUSED: 2}
