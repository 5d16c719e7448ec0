"""From the edge at a board's mains sensor to the alert's request at Telegram: bar 1 s at p99.

Real boards (MicroPython's unix port, an optocoupler's pin driven from outside), real everything but Telegram. A board's
debounce is part of the way: it takes three missing half waves, 60 ms, for the loss, and half a second for the return.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.figure import Bar, Figure, Sense, percentile
from bench.stack import add_boards, running_aside
from svitlo.simulator.micropython import MicroPythonBoard, umqtt_path
from tests.support.telegram import FakeTelegram, Seen
from tests.support.wait import eventually_async

BOARDS = 10
EDGES = 150
APART_S = (0.6, 1.4)
OFF_S = (2.0, 4.0)
PIN = 34
THERE, GONE = 0, 1
BAR_MS = 1000.0
FIRST_CHAT = 7000
LOST, BACK = "🔌", "💡"


@dataclass(frozen=True)
class House:
    """A board on its battery's edge, and the chat that follows its site."""

    site: str
    chat: int
    board: MicroPythonBoard


def measure() -> list[Figure]:
    """Percentiles for the loss of the mains and for its return."""
    passages = asyncio.run(_edges())
    lost = [first for first, _ in passages]
    back = [second for _, second in passages]
    return [
        Figure("lost, p50", percentile(lost, 0.5), "ms", note=f"{len(lost)} edges at {BOARDS} boards"),
        Figure("lost, p99", percentile(lost, 0.99), "ms", Bar(Sense.BELOW, BAR_MS)),
        Figure("lost, max", max(lost), "ms"),
        Figure("back, p50", percentile(back, 0.5), "ms", note="500 ms of it are the board's debounce"),
        Figure("back, p99", percentile(back, 0.99), "ms"),
    ]


async def _edges() -> list[tuple[float, float]]:
    async with AsyncExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="svitlo-bench-boards-")))
        telegram = await closing.enter_async_context(FakeTelegram())
        stack = await closing.enter_async_context(
            running_aside(
                SVITLO_TELEGRAM_TOKEN=telegram.token,
                SVITLO_TELEGRAM_API_URL=telegram.url,
                # So few boards, cut so often, are neither an area event nor flapping here.
                SVITLO_AREA_DEVICES="1000",
                SVITLO_FLAP_CHANGES="1000",
            )
        )
        layout = {f"site-{number}": [f"board-{number}"] for number in range(BOARDS)}
        passwords = await asyncio.to_thread(add_boards, stack, layout)
        umqtt = await asyncio.to_thread(umqtt_path, Path.home() / ".cache" / "svitlo")
        houses = []
        for number, (site, (name,)) in enumerate(layout.items()):
            board = MicroPythonBoard(
                folder / name,
                device_id=name,
                password=passwords[name],
                umqtt=umqtt,
                mqtt_port=stack.mqtt_port,
                more={"mains": {"kind": "gpio", "pin": PIN, "active": "low"}},
            )
            closing.callback(board.kill)
            board.world(f"pin-{PIN}", THERE)
            board.start()
            houses.append(House(site, FIRST_CHAT + number, board))
        await eventually_async(
            lambda: all("connected to" in house.board.log_text() for house in houses), 60, "the boards are connected"
        )
        for house in houses:
            telegram.say(house.chat, f"/start s_{house.site}")
        await eventually_async(
            lambda: all(telegram.messages(house.chat) for house in houses), 60, "the chats are answered"
        )
        await asyncio.sleep(5)
        dice = random.Random(11)
        async with asyncio.TaskGroup() as group:
            tasks = []
            for number in range(EDGES):
                house = houses[number % BOARDS]
                tasks.append(group.create_task(_edge(house, telegram, dice.uniform(*OFF_S)), name=house.site))
                await asyncio.sleep(dice.uniform(*APART_S))
        return [task.result() for task in tasks]


async def _edge(house: House, telegram: FakeTelegram, off_s: float) -> tuple[float, float]:
    """One loss and one return: ms from the edge to Telegram's server having the request, for both."""
    known = len(_alerts(telegram, house.chat, LOST))
    known_back = len(_alerts(telegram, house.chat, BACK))
    cut = time.monotonic()
    house.board.world(f"pin-{PIN}", GONE)
    seen = await _next(telegram, house.chat, LOST, known)
    await asyncio.sleep(off_s)
    restored = time.monotonic()
    house.board.world(f"pin-{PIN}", THERE)
    back = await _next(telegram, house.chat, BACK, known_back)
    return 1000 * (seen.at - cut), 1000 * (back.at - restored)


async def _next(telegram: FakeTelegram, chat: int, mark: str, known: int) -> Seen:
    found: list[Seen] = await telegram.wait_until(
        lambda: _alerts(telegram, chat, mark)[known:], 30, f"chat {chat} is told {mark}"
    )
    return found[0]


def _alerts(telegram: FakeTelegram, chat: int, mark: str) -> list[Seen]:
    return [seen for seen in telegram.messages(chat) if seen.text.startswith(mark)]
