"""From the pin of a mains sensor to the resident's telephone; faked is Telegram alone, and the current in the wire.

Real boards live on for a while on a battery or a capacitor, so the same boot tells of the loss and, if it lasts long
enough, of the return.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from svitlo.simulator.micropython import MicroPythonBoard, UmqttSource
from tests.support.pzem import Pzem
from tests.support.stack import StackUnderTest
from tests.support.telegram import FakeTelegram, Seen
from tests.support.wait import eventually_async

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

THERE, GONE = 0, 1
OPTO_CHAT, METER_CHAT = 4301, 4302
PROMPT_S = 10
"""Far more than it takes: bench/mains_alert.py measures that."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory, telegram: FakeTelegram) -> AsyncIterator[StackUnderTest]:
    running = StackUnderTest(
        tmp_path_factory.mktemp("mains") / "data",
        SVITLO_TELEGRAM_TOKEN=telegram.token,
        SVITLO_TELEGRAM_API_URL=telegram.url,
    )
    await asyncio.to_thread(running.start, 120)
    yield running
    assert await asyncio.to_thread(running.stop) == 0


async def settle(
    stack: StackUnderTest, telegram: FakeTelegram, board: MicroPythonBoard, site: str, chat: int
) -> MicroPythonBoard:
    """The board runs, and somebody follows its site."""
    board.start()
    await state_becomes(stack, site, "on")
    telegram.say(chat, "/start", language="uk")
    await eventually_async(lambda: telegram.messages(chat))
    telegram.say(chat, f"/subscribe {site}")
    await eventually_async(lambda: len(telegram.messages(chat)) >= 2)
    return board


async def make(
    stack: StackUnderTest, folder: Path, umqtt: UmqttSource, site: str, more: dict[str, Any]
) -> MicroPythonBoard:
    await asyncio.to_thread(stack.svitlo, "site", "add", site, "--name", f"Шевченка {site}", "--public")
    device = await asyncio.to_thread(stack.json, "device", "add", site, "--id", f"board-{site}")
    return stack.board(folder / site, device, umqtt, more=more)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opto(
    stack: StackUnderTest, telegram: FakeTelegram, tmp_path_factory: pytest.TempPathFactory, umqtt: UmqttSource
) -> AsyncIterator[MicroPythonBoard]:
    """A board on a battery whose optocoupler pulls pin 34 low while the mains is there."""
    sensor = {"mains": {"kind": "gpio", "pin": 34, "active": "low"}}
    board = await make(stack, tmp_path_factory.mktemp("opto"), umqtt, "opto", sensor)
    board.world("pin-34", THERE)
    yield await settle(stack, telegram, board, "opto", OPTO_CHAT)
    board.kill()


async def state_becomes(stack: StackUnderTest, site: str, word: str, timeout_s: float = 40) -> dict[str, Any]:
    async def state() -> dict[str, Any] | None:
        found = await asyncio.to_thread(stack.get, f"/api/v1/sites/{site}")
        return found if found["state"] == word else None

    found: dict[str, Any] = await eventually_async(state, timeout_s, f"the API says {word}")
    return found


async def outages(stack: StackUnderTest, site: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await asyncio.to_thread(stack.get, f"/api/v1/sites/{site}/outages"))["items"]
    return found


def alerts(telegram: FakeTelegram, chat: int) -> list[Seen]:
    return [seen for seen in telegram.messages(chat) if seen.text.startswith(("🔌", "💡", "↩️", "✏️"))]


async def next_alert(telegram: FakeTelegram, chat: int, known: int, sign: str) -> Seen:
    await eventually_async(lambda: len(alerts(telegram, chat)) > known, 40, f"the resident is told {sign}")
    alert = alerts(telegram, chat)[known]
    assert alert.text.startswith(sign)
    return alert


async def test_mains_that_goes_is_told_at_once_and_for_sure(
    stack: StackUnderTest, telegram: FakeTelegram, opto: MicroPythonBoard
) -> None:
    boots = opto.log_text().count("boot")
    cut = time.monotonic()
    opto.world("pin-34", GONE)
    alert = await next_alert(telegram, OPTO_CHAT, 0, "🔌")
    assert alert.at - cut < PROMPT_S
    off = await state_becomes(stack, "opto", "off")
    assert off["cause"] == "power", "the sensor knows: nothing is presumed"
    assert opto.running

    opto.world("pin-34", THERE)
    await next_alert(telegram, OPTO_CHAT, 1, "💡")
    await state_becomes(stack, "opto", "on")
    assert len(await outages(stack, "opto")) == 1
    assert opto.log_text().count("boot") == boots, "it lived on all the time"


async def test_capacitor_that_runs_out_changes_nothing(
    stack: StackUnderTest, telegram: FakeTelegram, opto: MicroPythonBoard
) -> None:
    known, before = len(alerts(telegram, OPTO_CHAT)), await outages(stack, "opto")
    opto.world("pin-34", GONE)
    await next_alert(telegram, OPTO_CHAT, known, "🔌")
    opto.kill()
    await asyncio.sleep(12)  # the will and every deadline have passed
    assert len(alerts(telegram, OPTO_CHAT)) == known + 1

    opto.world("pin-34", THERE)
    opto.start()
    await next_alert(telegram, OPTO_CHAT, known + 1, "💡")
    await state_becomes(stack, "opto", "on")
    assert len(await outages(stack, "opto")) == len(before) + 1


async def test_dip_that_no_lamp_shows_is_no_outage(
    stack: StackUnderTest, telegram: FakeTelegram, opto: MicroPythonBoard
) -> None:
    known, before = len(alerts(telegram, OPTO_CHAT)), await outages(stack, "opto")
    lines = opto.log_text().count("mains: lost")
    opto.world("pin-34", "~50")  # from a level to pulses: half of each period there is nothing
    await asyncio.sleep(5)
    opto.world("pin-34", THERE)
    await asyncio.sleep(1)

    assert opto.log_text().count("mains: lost") == lines
    assert (await outages(stack, "opto"), len(alerts(telegram, OPTO_CHAT))) == (before, known)


async def test_meter_that_falls_silent_is_the_mains_gone(
    stack: StackUnderTest, telegram: FakeTelegram, tmp_path: Path, umqtt: UmqttSource
) -> None:
    board = await make(stack, tmp_path, umqtt, "meter", {"pzem": {"uart": 2, "tx": 17, "rx": 16}})
    with Pzem(231.5) as meter:
        board.world("uart-2", meter.path)
        try:
            await settle(stack, telegram, board, "meter", METER_CHAT)
            await eventually_async(lambda: meter.asked >= 3, 20, "the meter is asked")

            meter.volts = None
            await next_alert(telegram, METER_CHAT, 0, "🔌")
            assert (await state_becomes(stack, "meter", "off"))["cause"] == "power"

            meter.volts = 228.0
            await next_alert(telegram, METER_CHAT, 1, "💡")
            await state_becomes(stack, "meter", "on")
        finally:
            board.kill()
    assert len(await outages(stack, "meter")) == 1
