"""Ingest against a real broker and database: readings, registry, strangers, garbage, accounts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import aiomqtt
import pytest
from sqlalchemy import text

from services.detector.service import run as run_detector
from services.ingest import store
from services.ingest.buffer import PER_DEVICE, Batch, Refused, Stranger
from services.ingest.service import run
from svitlo import registry
from svitlo.db.session import Database
from tests.support.broker import Broker
from tests.support.house import furnish, heartbeat, speaking_as, status
from tests.support.service import serving, settings_for
from tests.support.wait import eventually_async


async def rows(database: Database, statement: str, **values: Any) -> list[Any]:
    async with database.transaction() as session:
        return list((await session.execute(text(statement), values)).mappings())


async def one(database: Database, statement: str) -> Any:
    return next(iter((await rows(database, statement))[0].values()))


async def ready(database: Database, broker: Broker) -> None:
    """Wait until what a board says is recorded (it says it again until then)."""
    async with speaking_as(broker, "board-1") as board:
        seqs = count(1)

        async def recorded() -> bool:
            await board.publish("svitlo/devices/board-1/heartbeat", heartbeat(next(seqs), boot="probe"), qos=1)
            return bool(await one(database, "SELECT count(*) FROM readings"))

        await eventually_async(recorded, 20)


@pytest.fixture
async def house(database: Database, broker: Broker) -> Database:
    await furnish(database, broker, {"home": ["board-1", "board-2"]})
    return database


async def test_readings_land_in_the_partition_of_their_day(house: Database, broker: Broker, database_url: str) -> None:
    async with serving(run, settings_for("ingest", broker, database_url)):
        await ready(house, broker)
        async with speaking_as(broker, "board-2") as board:
            await board.publish("svitlo/devices/board-2/status", status("online"), qos=1, retain=True)
            for seq in range(1, 51):
                await board.publish(
                    "svitlo/devices/board-2/heartbeat",
                    heartbeat(seq, volts=229.5, ts=1_795_212_000),
                    qos=0,
                    retain=True,
                )
        await eventually_async(
            lambda: one_is(house, "SELECT count(*) FROM readings WHERE device_id = 'board-2'", 51), 20
        )
    found = await rows(
        house, "SELECT *, CAST(tableoid AS regclass) AS part FROM readings WHERE device_id = 'board-2' AND seq = 50"
    )
    assert found[0]["part"] == f"readings_{found[0]['received_at'].astimezone(UTC):%Y%m%d}"
    assert found[0]["volts"] == pytest.approx(229.5)
    assert found[0]["device_time"] == datetime.fromtimestamp(1_795_212_000, UTC)
    device = (await rows(house, "SELECT * FROM devices WHERE id = 'board-2'"))[0]
    assert (device["fw"], device["rssi"], device["boot"], device["reset"]) == ("test", -50, "9f3c01ab", "power_on")
    assert datetime.now(UTC) - device["last_seen_at"] < timedelta(minutes=1)
    assert device["first_seen_at"] <= device["last_seen_at"]


async def one_is(database: Database, statement: str, value: Any) -> bool:
    return bool(await one(database, statement) == value)


async def test_what_was_retained_before_is_not_recorded_again(
    house: Database, broker: Broker, database_url: str
) -> None:
    async with speaking_as(broker, "board-2") as board:
        await board.publish("svitlo/devices/board-2/heartbeat", heartbeat(7), qos=1, retain=True)
    async with serving(run, settings_for("ingest", broker, database_url)):
        await ready(house, broker)
    assert await one(house, "SELECT count(*) FROM readings WHERE device_id = 'board-2'") == 0


async def test_a_stranger_is_noted_and_becomes_known_without_a_restart(
    house: Database, broker: Broker, database_url: str
) -> None:
    async with serving(run, settings_for("ingest", broker, database_url)):
        await ready(house, broker)
        async with speaking_as(broker, "svitlo.admin") as anybody:
            for _ in range(3):
                await anybody.publish("svitlo/devices/stranger/heartbeat", heartbeat(1), qos=1)
            await eventually_async(lambda: one_is(house, "SELECT coalesce(sum(count), 0) FROM unknown_devices", 3))
            async with house.transaction() as session:
                await registry.add_device(session, "home", "stranger")

            async def recorded() -> bool:
                await anybody.publish("svitlo/devices/stranger/heartbeat", heartbeat(2), qos=1)
                return bool(await one(house, "SELECT count(*) FROM readings WHERE device_id = 'stranger'"))

            await eventually_async(recorded)
    assert await one(house, "SELECT count(*) FROM unknown_devices") == 0


SEQS = count(1000)

GARBAGE: dict[str, bytes] = {
    "encoding": b"\xff\xfe\xfa",
    "syntax": b'{"v":1,"boot":"9f3',
    "content": b'{"v":1,"boot":7,"conn":[],"seq":{}}',
    "version": b'{"v":2,"anything":true}',
    "oversize": b" " * 60_000,
    "not a number": heartbeat(1).replace(b'"seq": 1', b'"seq": NaN'),
    "deep": b'{"v":1,"x":' + b"[" * 900,
    "bare": b"null",
}


@pytest.mark.parametrize("channel", ["heartbeat", "status", "journal"])
async def test_garbage_is_counted_kept_and_changes_nothing(
    house: Database, broker: Broker, database_url: str, channel: str
) -> None:
    fast = {"misses": 2, "grace_s": 20.0, "reconnect_s": 20.0}
    detector = settings_for("detector", broker, database_url)
    detector = detector.model_copy(update={"policy": detector.policy.model_copy(update=fast)})
    async with (
        serving(run, settings_for("ingest", broker, database_url)),
        serving(run_detector, detector),
    ):
        await ready(house, broker)
        async with speaking_as(broker, "board-1") as board:

            async def on() -> bool:
                await board.publish("svitlo/devices/board-1/heartbeat", heartbeat(next(SEQS), boot="probe"), qos=1)
                return await one_is(house, "SELECT count(*) FROM site_state WHERE power = 'on'", 1)

            await eventually_async(on)
        before = await state(house)
        async with speaking_as(broker, "board-1") as board:
            for payload in GARBAGE.values():
                await board.publish(f"svitlo/devices/board-1/{channel}", payload, qos=1, retain=True)
            # A megabyte does not get past the broker, which drops it without cutting the sender off.
            await board.publish(f"svitlo/devices/board-1/{channel}", b"x" * 1_000_000, qos=1)
            await board.publish(f"svitlo/devices/board-1/{channel}", GARBAGE["version"], qos=1)
        async with speaking_as(broker, "svitlo.admin") as anybody:
            await anybody.publish(f"svitlo/devices/No Such Id/{channel}", b"{}", qos=1)
        wanted = len(GARBAGE) + 2
        await eventually_async(lambda: one_is(house, "SELECT coalesce(sum(count), 0) FROM quarantine", wanted), 15)
        assert await state(house) == before
        # Both are alive and do their work.
        async with speaking_as(broker, "board-2") as board:
            await board.publish("svitlo/devices/board-2/heartbeat", heartbeat(1), qos=1)
            await eventually_async(
                lambda: one_is(house, "SELECT count(*) FROM device_state WHERE device_id = 'board-2'", 1), 10
            )
    reasons = {row["reason"]: row["count"] for row in await rows(house, "SELECT reason, count FROM quarantine")}
    assert {"encoding", "syntax", "content", "version", "oversize", "topic"} == reasons.keys()
    assert reasons["version"] == 2
    kept = await rows(house, "SELECT device_id, length(sample) AS length FROM quarantine WHERE reason = 'oversize'")
    assert kept[0]["device_id"] == "board-1"
    assert kept[0]["length"] <= 256


async def state(database: Database) -> list[Any]:
    found: list[Any] = []
    for statement in (
        "SELECT power, state FROM site_state",
        "SELECT device_id, liveness, boot, conn FROM device_state ORDER BY device_id",
        "SELECT count(*) FROM power_events",
        "SELECT count(*) FROM outages",
    ):
        found += await rows(database, statement)
    return found


async def test_accounts_of_a_broker_that_lost_everything_come_back_by_themselves(
    house: Database, broker: Broker, database_url: str
) -> None:
    async with serving(run, settings_for("ingest", broker, database_url)):
        await ready(house, broker)
        await asyncio.to_thread(broker.terminate)
        await asyncio.to_thread(broker.forget)
        await asyncio.to_thread(broker.start)

        async def lets_the_board_in() -> bool:
            try:
                async with speaking_as(broker, "board-2") as board:
                    await board.publish("svitlo/devices/board-2/heartbeat", heartbeat(1), qos=1)
            except aiomqtt.MqttError:
                return False
            return bool(await one(house, "SELECT count(*) FROM readings WHERE device_id = 'board-2'"))

        await eventually_async(lets_the_board_in, 30)


async def test_old_partitions_are_dropped_and_coming_ones_made(house: Database) -> None:
    today = datetime.now(UTC).date()
    old = today - timedelta(days=100)
    async with house.transaction() as session:
        await store.create_partitions(session, [old, today, today + timedelta(days=1)])
        assert await store.drop_partitions(session, today - timedelta(days=90)) == [store.partition_name(old)]
        assert await store.partitions(session) == {
            store.partition_name(today),
            store.partition_name(today + timedelta(days=1)),
        }


def journal(*entries: tuple[float, str]) -> bytes:
    return json.dumps({"v": 1, "boot": "b1", "entries": [{"t_s": t, "kind": kind} for t, kind in entries]}).encode()


async def test_a_journal_is_kept_with_the_times_it_tells(house: Database, broker: Broker, database_url: str) -> None:
    async with serving(run, settings_for("ingest", broker, database_url)):
        await ready(house, broker)
        async with speaking_as(broker, "board-1") as board:
            told = journal((-340, "net_lost"), (-12.5, "net_back"))
            await board.publish("svitlo/devices/board-1/journal", told, qos=1)
        await eventually_async(lambda: one_is(house, "SELECT count(*) FROM journal_entries", 2), 20)
    lost, back = await rows(house, "SELECT * FROM journal_entries ORDER BY at")
    assert (lost["device_id"], lost["boot"], lost["kind"], back["kind"]) == ("board-1", "b1", "net_lost", "net_back")
    assert lost["received_at"] - lost["at"] == timedelta(seconds=340)
    assert back["received_at"] - back["at"] == timedelta(seconds=12.5)


async def test_a_journal_that_comes_twice_is_kept_once(house: Database, broker: Broker, database_url: str) -> None:
    began = asyncio.get_running_loop().time()

    def told(*moments: tuple[float, str]) -> bytes:
        """As a board tells it now, counting back from its own clock."""
        now = asyncio.get_running_loop().time()
        return journal(*((began - now - seconds_before, kind) for seconds_before, kind in moments))

    topic = "svitlo/devices/board-1/journal"
    close_together = ((60, "net_lost"), (59, "net_back"), (58.5, "net_lost"), (50, "net_back"))
    async with serving(run, settings_for("ingest", broker, database_url)):
        await ready(house, broker)
        async with speaking_as(broker, "board-1") as board:
            for _ in range(2):  # both in one transaction, most times
                await board.publish(topic, told(*close_together), qos=1)
            await eventually_async(lambda: one_is(house, "SELECT count(*) FROM journal_entries", 4), 20)
            await board.publish(topic, told(*close_together), qos=1)
            await board.publish(topic, told((20, "boot")), qos=1)  # once this is in, what came before it is too
            wanted = "SELECT count(*) FROM journal_entries WHERE kind = 'boot'"
            await eventually_async(lambda: one_is(house, wanted, 1), 20)
    assert await one(house, "SELECT count(*) FROM journal_entries") == 5


def batch_of_journals(*received: datetime) -> Batch:
    return Batch(journals=[(at, "board-1", "b1", [at - timedelta(seconds=5)], ["boot"]) for at in received])


async def test_old_journals_are_deleted(house: Database) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=91)
    async with house.transaction() as session:
        await store.write(session, batch_of_journals(old, now))
        await store.delete_journals(session, now.date() - timedelta(days=90))
    assert await one(house, "SELECT count(*) FROM journal_entries") == 1
    assert await one(house, "SELECT max(received_at) FROM journal_entries") == now


async def test_old_quarantine_and_devices_not_heard_for_long_are_deleted(house: Database) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=91)
    refused = {
        (at.date(), "svitlo/x", "syntax"): Refused(
            count=1, first_at=at, last_at=at, device_id=None, detail="broken", sample=b"{"
        )
        for at in (old, now)
    }
    strangers = {f"stranger-{at:%Y}{at:%j}": Stranger(first_at=old, last_at=at, count=1) for at in (old, now)}
    async with house.transaction() as session:
        await store.write(session, Batch(refused=refused, strangers=strangers))
        await store.delete_rejected(session, now.date() - timedelta(days=90))
    assert [row["day"] for row in await rows(house, "SELECT day FROM quarantine")] == [now.date()]
    assert await one(house, "SELECT count(*) FROM unknown_devices") == 1
    assert await one(house, "SELECT max(last_seen_at) FROM unknown_devices") == now


async def test_what_a_board_says_too_much_is_told_in_the_log(
    house: Database, broker: Broker, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(run, settings_for("ingest", broker, database_url)):
        await ready(house, broker)
        async with speaking_as(broker, "board-2") as board:
            for seq in range(1, 4 * PER_DEVICE):
                await board.publish("svitlo/devices/board-2/heartbeat", heartbeat(seq))
        await eventually_async(lambda: logged(caplog, "of boards that send too much"), 20)


async def logged(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return words in caplog.text


async def test_a_write_that_is_under_way_at_the_stop_is_let_finish(
    house: Database, broker: Broker, database_url: str
) -> None:
    service = asyncio.create_task(run(settings_for("ingest", broker, database_url)), name="ingest")
    try:
        await ready(house, broker)
        async with house.transaction() as session:
            await session.execute(text("LOCK TABLE readings IN ACCESS EXCLUSIVE MODE"))
            async with speaking_as(broker, "board-2") as board:
                await board.publish("svitlo/devices/board-2/heartbeat", heartbeat(1), qos=1)
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = CAST('readings' AS regclass)"
            await eventually_async(lambda: one_is(house, waits, 1), 20)
            service.cancel()
            await asyncio.wait([service], timeout=0.5)
            assert not service.done()
    finally:
        service.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await service
    assert await one(house, "SELECT count(*) FROM readings WHERE device_id = 'board-2'") == 1
