"""The whole chain: MicroPython board -> Mosquitto -> services -> Telegram and the API; faked is Telegram alone.

The stack is the one `svitlo up` runs, the board runs the real firmware, and its outages are real: its process is
killed or frozen, and the broker's last will or the silence does the rest.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx
import psutil
import pytest
import pytest_asyncio

from svitlo.db.session import driver_url
from svitlo.simulator.micropython import MicroPythonBoard, UmqttSource
from svitlo.stack.places import Places
from tests.support.stack import StackUnderTest
from tests.support.telegram import FakeTelegram
from tests.support.wait import eventually_async

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

RESIDENT = 4242


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("story")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(data: Path, telegram: FakeTelegram) -> AsyncIterator[StackUnderTest]:
    running = StackUnderTest(
        data / "data",
        SVITLO_TELEGRAM_TOKEN=telegram.token,
        SVITLO_TELEGRAM_API_URL=telegram.url,
        SVITLO_RECONNECT_S="10",
    )
    await asyncio.to_thread(running.start)
    yield running
    assert await asyncio.to_thread(running.stop) == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def board(stack: StackUnderTest, data: Path, umqtt: UmqttSource) -> AsyncIterator[MicroPythonBoard]:
    """A site, its board, and a resident who follows it; all through the doors a person would use."""
    await asyncio.to_thread(stack.svitlo, "site", "add", "home", "--name", "Шевченка 12", "--public")
    device = await asyncio.to_thread(stack.json, "device", "add", "home", "--id", "board-1")
    running = stack.board(data / "board", device, umqtt)
    running.start()
    yield running
    running.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(stack: StackUnderTest, board: MicroPythonBoard, telegram: FakeTelegram) -> StackUnderTest:
    await state_becomes(stack, "on")
    telegram.say(RESIDENT, "/start", language="uk")
    await eventually_async(lambda: telegram.messages(RESIDENT))
    telegram.say(RESIDENT, "/subscribe home")
    await eventually_async(lambda: len(telegram.messages(RESIDENT)) >= 2)
    return stack


async def state_becomes(stack: StackUnderTest, word: str, timeout_s: float = 40) -> dict[str, Any]:
    async def state() -> dict[str, Any] | None:
        found = await asyncio.to_thread(stack.get, "/api/v1/sites/home")
        return found if found["state"] == word else None

    found: dict[str, Any] = await eventually_async(state, timeout_s, f"the API says {word}")
    return found


async def outages(stack: StackUnderTest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await asyncio.to_thread(stack.get, "/api/v1/sites/home/outages"))["items"]
    return found


def alerts(telegram: FakeTelegram) -> list[str]:
    return [text for text in telegram.texts(RESIDENT) if text.startswith(("🔌", "💡", "↩️", "✏️"))]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def goes_off_and_comes_back(
    home: StackUnderTest, telegram: FakeTelegram, evidence: set[str], cut: Any, restore: Any
) -> None:
    """One outage from cut to return, as the resident, the API and the log tell it."""
    told, known = len(alerts(telegram)), len(await outages(home))
    cut_at = datetime.now(UTC)
    cut()
    off = await state_becomes(home, "off")
    await eventually_async(lambda: len(alerts(telegram)) == told + 1, 30, "the resident is told of the loss")
    assert alerts(telegram)[-1].startswith("🔌 Шевченка 12")
    assert "світла немає" in alerts(telegram)[-1]

    restored_at = datetime.now(UTC)
    restore()
    await state_becomes(home, "on")
    await eventually_async(lambda: len(alerts(telegram)) == told + 2, 30, "the resident is told of the return")
    assert alerts(telegram)[-1].startswith("💡 Шевченка 12")
    assert "світло є" in alerts(telegram)[-1]

    found = await outages(home)
    assert len(found) == known + 1
    newest = found[0]
    assert newest["id"] == off["outage"]["id"]
    slack = timedelta(seconds=0.5)
    assert moment(newest["started_lo"]) <= cut_at + slack
    assert moment(newest["started_hi"]) >= cut_at - slack
    assert moment(newest["ended_hi"]) >= restored_at - slack
    assert newest["duration_s"] > 0
    assert evidence & set(await lost_by(home)), await lost_by(home)


async def lost_by(stack: StackUnderTest) -> list[str]:
    """What the newest loss in the log rests on, by the detector's own stored state."""
    connection = await asyncpg.connect(driver_url(Places(stack.directory).running().database_url))
    try:
        rows = await connection.fetch(
            "SELECT jsonb_array_elements(evidence) ->> 'kind' AS kind FROM power_events "
            "WHERE seq = (SELECT max(seq) FROM power_events WHERE kind = 'power_lost')"
        )
    finally:
        await connection.close()
    return [row["kind"] for row in rows]


async def test_a_killed_board_is_an_outage_by_its_will(
    home: StackUnderTest, telegram: FakeTelegram, board: MicroPythonBoard
) -> None:
    await goes_off_and_comes_back(home, telegram, {"lwt"}, board.kill, board.start)


async def test_a_frozen_board_is_an_outage_by_its_silence_and_taken_back_on_its_return(
    home: StackUnderTest, telegram: FakeTelegram, board: MicroPythonBoard
) -> None:
    """It ran all along by its own clock: the power never went."""
    told, known = len(alerts(telegram)), await outages(home)
    board.freeze()
    await state_becomes(home, "off")
    await eventually_async(lambda: len(alerts(telegram)) == told + 1, 30, "the resident is told of the loss")
    assert alerts(telegram)[-1].startswith("🔌 Шевченка 12")
    assert set(await lost_by(home)) <= {"timeout", "lwt"}

    board.thaw()
    await state_becomes(home, "on")
    await eventually_async(lambda: len(alerts(telegram)) == told + 2, 30, "the resident is told that it was not so")
    assert alerts(telegram)[-1].startswith("↩️ Шевченка 12")
    assert await outages(home) == known


async def test_a_clean_goodbye_is_no_outage(
    home: StackUnderTest, telegram: FakeTelegram, board: MicroPythonBoard
) -> None:
    told, known = alerts(telegram), await outages(home)
    assert await asyncio.to_thread(board.goodbye) == 0
    await state_becomes(home, "unknown")
    await asyncio.sleep(12)  # longer than a silence would take to become an outage
    assert await outages(home) == known
    board.start()
    await state_becomes(home, "on")
    await asyncio.sleep(2)
    assert (await outages(home), alerts(telegram)) == (known, told)


async def test_a_restarted_broker_makes_no_event_at_all(
    home: StackUnderTest, telegram: FakeTelegram, board: MicroPythonBoard
) -> None:
    told, known = alerts(telegram), await outages(home)
    before = home.children()["mosquitto"]
    os.kill(before, signal.SIGTERM)
    await eventually_async(lambda: home.children()["mosquitto"] != before, 20, "the broker is started again")
    await eventually_async(lambda: board.log_text().count("connected") >= 2, 30, "the board is back by itself")
    await asyncio.sleep(15)  # longer than the span in which silence may count again
    assert await outages(home) == known
    assert alerts(telegram) == told
    assert (await state_becomes(home, "on"))["devices"] == {"total": 1, "alive": 1}


@pytest.mark.parametrize("service", ["ingest", "detector", "notifier", "api"])
async def test_a_killed_service_is_back_by_itself_and_takes_no_other_down(
    home: StackUnderTest, telegram: FakeTelegram, service: str
) -> None:
    told, before = alerts(telegram), home.children()
    os.kill(before[service], signal.SIGKILL)
    await eventually_async(lambda: home.children()[service] != before[service], 30, f"{service} is started again")
    after = home.children()
    assert {name for name in before if before[name] != after[name]} == {service}

    async def ready() -> bool:
        try:
            return (await asyncio.to_thread(httpx.get, home.http_url + "/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    await eventually_async(ready, 30, "the stack is ready again")
    await asyncio.sleep(1)
    assert alerts(telegram) == told


async def test_a_service_stops_within_ten_seconds_of_sigterm(home: StackUnderTest) -> None:
    before = home.children()
    services = [psutil.Process(before[name]) for name in ("ingest", "detector", "notifier", "api")]
    for process in services:
        process.send_signal(signal.SIGTERM)
    _, alive = await asyncio.to_thread(psutil.wait_procs, services, 10)
    assert not alive


async def test_readings_are_in_the_database(home: StackUnderTest) -> None:
    connection = await asyncpg.connect(driver_url(Places(home.directory).running().database_url))
    try:
        kinds = {row["kind"] for row in await connection.fetch("SELECT DISTINCT kind FROM readings")}
        seqs = await connection.fetch(
            "SELECT boot, count(*) AS n, count(DISTINCT (conn, seq)) AS d FROM readings "
            "WHERE kind = 'heartbeat' GROUP BY boot"
        )
    finally:
        await connection.close()
    assert kinds == {"heartbeat", "online", "offline"}
    assert all(row["n"] == row["d"] for row in seqs), "no heartbeat is recorded twice"
