"""The detector with a real broker and database: what it publishes, stores, and survives."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import text

from services.detector import turn
from services.detector.service import run
from svitlo import registry
from svitlo.contracts import PowerEvent, SiteState, decode_as
from svitlo.db.session import Database
from svitlo.settings import Settings
from tests.support import postgres
from tests.support.broker import Broker, ProcessBroker, address
from tests.support.house import furnish, heartbeat, speaking_as, status
from tests.support.postgres import ProcessServer
from tests.support.service import serving, settings_for
from tests.support.wait import eventually_async

QUICK = {"misses": 2, "grace_s": 2.5, "will_hold_s": 0.5, "reconnect_s": 4.0, "birth_hold_s": 0.3}


def quick_settings(broker: Broker, database_url: str, instance: str = "1") -> Settings:
    settings = settings_for("detector", broker, database_url, instance=instance)
    return settings.model_copy(update={"policy": settings.policy.model_copy(update=QUICK)})


class Reader:
    """An integrator: keeps the newest retained value of each topic, and every event."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.events: list[PowerEvent] = []
        self.ready = asyncio.Event()

    async def run(self, broker: Broker) -> None:
        async with speaking_as(broker, "svitlo.admin") as client:
            await client.subscribe([("svitlo/sites/#", 1), ("svitlo/services/detector/+", 1)])
            self.ready.set()
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                if str(message.topic).endswith("/event"):
                    event = decode_as(PowerEvent, message.payload)
                    if event.id not in {known.id for known in self.events}:  # at least once is what MQTT promises
                        self.events.append(event)
                else:
                    self.kept[str(message.topic)] = message.payload

    def power(self, site: str = "home") -> str:
        return self.kept.get(f"svitlo/sites/{site}/power", b"").decode()

    def state(self, site: str = "home") -> SiteState:
        return decode_as(SiteState, self.kept[f"svitlo/sites/{site}/state"])


@pytest.fixture
async def house(database: Database, broker: Broker) -> Database:
    await furnish(database, broker, {"home": ["board-1"], "barn": ["board-2"]})
    return database


@pytest.fixture
async def reader(broker: Broker) -> AsyncIterator[Reader]:
    found = Reader()
    task = asyncio.create_task(found.run(broker))
    await found.ready.wait()
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Board:
    """Beats once a second under one connection until told otherwise."""

    def __init__(self, broker: Broker, name: str = "board-1", boot: str = "boot1", conn: int = 1, seq: int = 0) -> None:
        self._broker, self._name, self._boot, self._conn = broker, name, boot, conn
        self.seq = seq

    async def run(self) -> None:
        will = status("offline", "lwt", boot=self._boot, conn=self._conn)
        async with speaking_as(self._broker, self._name, will=will) as client:
            birth = status("online", boot=self._boot, conn=self._conn)
            await client.publish(f"svitlo/devices/{self._name}/status", birth, qos=1, retain=True)
            while True:
                self.seq += 1
                beat = heartbeat(self.seq, boot=self._boot, conn=self._conn)
                await client.publish(f"svitlo/devices/{self._name}/heartbeat", beat, qos=1, retain=True)
                await asyncio.sleep(1)


class Beating:
    """A board in the background. Leaving the block says goodbye to the broker without a word to us: silence."""

    def __init__(self, board: Board) -> None:
        self._board = board

    async def __aenter__(self) -> Board:
        self._task = asyncio.create_task(self._board.run())
        return self._board

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def scalar(database: Database, statement: str) -> Any:
    async with database.transaction() as session:
        return (await session.execute(text(statement))).scalar_one()


async def known(database: Database) -> None:
    """Wait until the living board is stored, as a detector that starts now would find it."""
    alive = "SELECT count(*) > 0 FROM device_state WHERE liveness = 'online'"
    await eventually_async(lambda: scalar(database, alive), what="the board is stored")


async def test_power_state_and_events_are_published_and_logged(
    house: Database, broker: Broker, reader: Reader, database_url: str
) -> None:
    async with serving(run, quick_settings(broker, database_url)):
        async with Beating(Board(broker)):
            await eventually_async(lambda: reader.power() == "on")
        await eventually_async(lambda: reader.power() == "off")
        await eventually_async(lambda: len(reader.events) == 1)
        off = reader.state()
        assert (off.state, off.name, off.devices.total, off.devices.alive) == ("off", "Home", 1, 0)
        assert off.outage is not None
        assert off.since == off.outage.started_lo
        assert reader.events[0].outage_id == off.outage.id
        async with Beating(Board(broker, boot="boot2")):
            await eventually_async(lambda: reader.power() == "on")
            await eventually_async(lambda: len(reader.events) == 2)
        assert reader.state().outage is None
        assert [event.kind for event in reader.events] == ["power_lost", "power_restored"]
        assert reader.power("barn") == "unknown"
    assert await scalar(house, "SELECT count(*) FROM outages WHERE ended_hi IS NOT NULL") == 1
    assert decode_status(reader) == "offline"


def decode_status(reader: Reader) -> str:
    return "offline" if b"offline" in reader.kept["svitlo/services/detector/1"] else "online"


async def test_a_restart_with_a_living_board_makes_no_event(
    house: Database, broker: Broker, reader: Reader, database_url: str
) -> None:
    async with Beating(Board(broker)):
        async with serving(run, quick_settings(broker, database_url)):
            await eventually_async(lambda: reader.power() == "on")
            await known(house)
        reader.kept.clear()
        async with serving(run, quick_settings(broker, database_url)):
            await eventually_async(lambda: reader.power() == "on")
            await asyncio.sleep(6)  # past the span after which silence counts again
    assert await scalar(house, "SELECT count(*) FROM power_events") == 0
    assert await scalar(house, "SELECT count(*) FROM observation_gaps WHERE reason = 'start'") == 1


async def test_a_board_that_died_while_we_were_down_is_found_and_dated_before_we_left(
    house: Database, broker: Broker, reader: Reader, database_url: str
) -> None:
    async with Beating(Board(broker)):
        async with serving(run, quick_settings(broker, database_url)):
            await eventually_async(lambda: reader.power() == "on")
            await known(house)
        left = await scalar(house, "SELECT at FROM service_ticks WHERE service = 'detector'")
    async with serving(run, quick_settings(broker, database_url)):
        await eventually_async(lambda: len(reader.events) == 1)
    assert reader.events[0].occurred_lo <= left


async def test_an_outage_spans_a_restart_and_is_told_once(
    house: Database, broker: Broker, reader: Reader, database_url: str
) -> None:
    async with serving(run, quick_settings(broker, database_url)):
        async with Beating(Board(broker)):
            await eventually_async(lambda: reader.power() == "on")
        await eventually_async(lambda: len(reader.events) == 1)
    async with serving(run, quick_settings(broker, database_url)):
        await eventually_async(lambda: reader.power() == "off")
        await asyncio.sleep(6)
        assert len(reader.events) == 1
        async with Beating(Board(broker, boot="boot2")):
            await eventually_async(lambda: len(reader.events) == 2)
    assert reader.events[0].outage_id == reader.events[1].outage_id


async def test_a_site_added_or_removed_while_running_is_followed(
    house: Database, broker: Broker, reader: Reader, database_url: str
) -> None:
    async with serving(run, quick_settings(broker, database_url)):
        await eventually_async(lambda: reader.power() == "unknown")
        async with house.transaction() as session:
            await registry.add_site(session, "shed", "Shed")
            await registry.remove_site(session, "barn")
        await eventually_async(lambda: reader.power("shed") == "unknown")
        await eventually_async(lambda: reader.kept["svitlo/sites/barn/power"] == b"")
        await eventually_async(lambda: reader.kept["svitlo/sites/barn/state"] == b"")


async def test_a_second_detector_stands_by_and_takes_over(
    house: Database, broker: Broker, reader: Reader, database_url: str
) -> None:
    async with Beating(Board(broker)):
        async with serving(run, quick_settings(broker, database_url, "a")):
            await eventually_async(lambda: reader.power() == "on")
            standby = serving(run, quick_settings(broker, database_url, "b"))
            await standby.__aenter__()
            await asyncio.sleep(2)
            assert "svitlo/services/detector/b" not in reader.kept
        await eventually_async(lambda: b"online" in reader.kept.get("svitlo/services/detector/b", b""))
        await asyncio.sleep(6)
        await standby.__aexit__(None, None, None)
    assert await scalar(house, "SELECT count(*) FROM power_events") == 0


async def test_detection_does_not_wait_for_the_database() -> None:
    """PostgreSQL stops; an outage begins and ends; the retained topics tell at once, the log afterwards, in order."""
    server, broker = ProcessServer(), ProcessBroker()
    try:
        await asyncio.to_thread(postgres.make_template, server)
        url = await asyncio.to_thread(postgres.new_database, server)
        broker.start()
        reader = Reader()
        async with Database(url) as database:
            await furnish(database, broker, {"home": ["board-1"]})
            watching = asyncio.create_task(reader.run(broker))
            async with serving(run, quick_settings(broker, url)):
                async with Beating(Board(broker)):
                    await eventually_async(lambda: reader.power() == "on")
                    await asyncio.to_thread(server.stop)
                await eventually_async(lambda: reader.power() == "off")
                async with Beating(Board(broker, boot="boot2")):
                    await eventually_async(lambda: reader.power() == "on")
                    assert reader.events == []
                    await asyncio.to_thread(server.start)
                    await eventually_async(lambda: len(reader.events) == 2, 20)
            kinds = "SELECT string_agg(kind, ',' ORDER BY seq) FROM power_events"
            assert await scalar(database, kinds) == "power_lost,power_restored,outage_revised"
            assert await scalar(database, "SELECT count(*) FROM outages WHERE ended_hi IS NOT NULL") == 1
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    finally:
        broker.close()
        await asyncio.to_thread(server.close)


async def test_a_broker_that_stands_still_makes_no_outage_of_the_boards_that_gave_it_up(
    house: Database, reader: Reader, broker: Broker, database_url: str
) -> None:
    """Frozen for longer than a board waits; on waking it finds the broken connections and publishes their wills."""
    if not isinstance(broker, ProcessBroker):
        pytest.skip("freezing takes a process of our own")
    async with serving(run, quick_settings(broker, database_url)):
        board = RawBoard(broker)
        await board.connect()
        await eventually_async(lambda: reader.power() == "on")
        os.kill(broker.pid, signal.SIGSTOP)
        await asyncio.sleep(6)
        board.abandon()
        os.kill(broker.pid, signal.SIGCONT)
        await asyncio.sleep(1)  # longer than a will is held
        async with Beating(Board(broker, conn=2, seq=3)):
            await asyncio.sleep(6)
    assert await scalar(house, "SELECT count(*) FROM power_events") == 0


class RawBoard:
    """A board whose connection can be dropped without a word, from our side."""

    def __init__(self, broker: Broker) -> None:
        where = address(broker, "board-1")
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "board-1", reconnect_on_failure=False)
        self._client.username_pw_set(where.username, where.password)
        will = status("offline", "lwt", boot="boot1", conn=1)
        self._client.will_set("svitlo/devices/board-1/status", will, qos=1, retain=True)
        self._where = where

    async def connect(self) -> None:
        await asyncio.to_thread(self._client.connect, self._where.host, self._where.port, 10)
        self._client.loop_start()
        self._client.publish("svitlo/devices/board-1/status", status("online", boot="boot1"), qos=1, retain=True)
        for seq in (1, 2, 3):
            self._client.publish("svitlo/devices/board-1/heartbeat", heartbeat(seq, boot="boot1"), retain=True)
            await asyncio.sleep(1)

    def abandon(self) -> None:
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()


async def test_topics_of_a_site_removed_while_no_detector_ran_are_cleared(
    house: Database, reader: Reader, broker: Broker, database_url: str
) -> None:
    async with serving(run, quick_settings(broker, database_url)):
        await eventually_async(lambda: reader.power("barn") == "unknown")
    async with house.transaction() as session:
        await registry.remove_site(session, "barn")
    async with serving(run, quick_settings(broker, database_url)):
        await eventually_async(lambda: reader.kept["svitlo/sites/barn/power"] == b"")


async def test_an_outage_whose_end_was_lost_does_not_silence_the_next(
    house: Database, reader: Reader, broker: Broker, database_url: str
) -> None:
    async with serving(run, quick_settings(broker, database_url)), Beating(Board(broker)):
        await eventually_async(lambda: reader.power() == "on")
        async with house.transaction() as session:
            await session.execute(
                text(
                    "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at) SELECT "
                    "'019a0000-0000-7000-8000-000000000001', id, 1, 'presumed', now(), now(), now() "
                    "FROM sites WHERE slug = 'home'"
                )
            )
    async with serving(run, quick_settings(broker, database_url)):
        async with Beating(Board(broker, boot="boot2")):
            await eventually_async(lambda: reader.power() == "on")
            await asyncio.sleep(1)
        await eventually_async(lambda: len(reader.events) == 1, 20)
    assert await scalar(house, "SELECT count(*) FROM outages WHERE ended_hi IS NULL") == 1


async def test_a_detector_that_lost_its_turn_writes_nothing_more_and_begins_anew(
    house: Database, broker: Broker, reader: Reader, database_url: str
) -> None:
    """Somebody else took over while we could not see it: what we still owe is theirs to find."""
    async with serving(run, quick_settings(broker, database_url)):
        async with Beating(Board(broker)):
            await eventually_async(lambda: reader.power() == "on")
            await known(house)
            async with house.transaction() as session:
                stolen = await turn.take_turn(session)
        await eventually_async(lambda: reader.power() == "off", 30)
        await eventually_async(lambda: len(reader.events) == 1)
        assert await scalar(house, "SELECT count(*) FROM power_events") == 1
        async with house.transaction() as session:
            with pytest.raises(turn.TurnLostError):
                await turn.hold_turn(session, stolen)
