"""From the broker publishing a board's will to the alert's request at Telegram: bar will_hold + 500 ms at p99.

Everything is real but Telegram. The boards' sockets are closed abruptly, so the broker publishes their wills at once; a
bystander on the broker notes when. Each site has a chat of its own and outages come at random moments, so Telegram's
limits and the stack's own rhythms are neither hit nor dodged. The first outages count as much as the last.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.figure import Bar, Figure, Sense, percentile
from bench.observer import Observer
from bench.stack import add_boards, running_aside, target
from svitlo import settings
from svitlo.contracts import EventKind
from svitlo.simulator.board import VirtualBoard
from tests.support.telegram import FakeTelegram, Seen
from tests.support.wait import eventually_async

SITES = 40
OUTAGES = 200
APART_S = (0.2, 0.8)
OFF_S = (0.5, 2.0)
OVERHEAD_BAR_MS = 500.0
FIRST_CHAT = 5000
LOST, BACK = "🔌", "💡"


@dataclass(frozen=True)
class Passage:
    """How long one outage's news took, in ms: all of it, over the hold, and its three stages; and the return's."""

    total: float
    overhead: float
    judged: float
    logged: float
    told: float
    back: float


@dataclass(frozen=True)
class House:
    """A site, its board, and the chat that follows it."""

    site: str
    chat: int
    board: VirtualBoard


def measure() -> list[Figure]:
    """Percentiles of the whole way, and the median and p99 of its stages."""
    hold_ms = 1000 * settings.Policy.model_construct().will_hold_s
    passages = asyncio.run(_outages(hold_ms))
    bar = Bar(Sense.BELOW, hold_ms + OVERHEAD_BAR_MS)
    totals = [passage.total for passage in passages]
    stages = {
        "over the hold": ([passage.overhead for passage in passages], f"a will is held for {hold_ms:.0f} ms"),
        "  will to verdict": ([passage.judged for passage in passages], "over the hold; the detector's timer"),
        "  verdict to event": ([passage.logged for passage in passages], "written, committed, published"),
        "  event to request": ([passage.told for passage in passages], "planned, claimed, sent"),
        "return to alert": ([passage.back for passage in passages], "from the board's birth"),
    }
    return [
        Figure("p50", percentile(totals, 0.5), "ms", note=f"{len(totals)} outages of {SITES} sites"),
        Figure("p90", percentile(totals, 0.9), "ms"),
        Figure("p99", percentile(totals, 0.99), "ms", bar),
        Figure("max", max(totals), "ms"),
        *(
            Figure(f"{name}, {word}", percentile(values, share), "ms", note=note)
            for name, (values, note) in stages.items()
            for word, share in (("p50", 0.5), ("p99", 0.99))
        ),
    ]


async def _outages(hold_ms: float) -> list[Passage]:
    async with AsyncExitStack() as closing:
        telegram = await closing.enter_async_context(FakeTelegram())
        stack = await closing.enter_async_context(
            running_aside(SVITLO_TELEGRAM_TOKEN=telegram.token, SVITLO_TELEGRAM_API_URL=telegram.url)
        )
        layout = {f"site-{number}": [f"board-{number}"] for number in range(SITES)}
        passwords = await asyncio.to_thread(add_boards, stack, layout)
        houses = [
            House(site, FIRST_CHAT + number, VirtualBoard(name, passwords[name], "127.0.0.1", stack.mqtt_port))
            for number, (site, (name,)) in enumerate(layout.items())
        ]
        observer = closing.enter_context(Observer(target(stack)))
        lives = [asyncio.create_task(house.board.run(), name=house.site) for house in houses]
        try:
            await _settle(houses, telegram)
            return await _spread(houses, telegram, observer, hold_ms)
        finally:
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)


async def _settle(houses: Sequence[House], telegram: FakeTelegram) -> None:
    """All boards live, all chats follow."""
    await eventually_async(lambda: all(house.board.connected for house in houses), 30, "the boards are connected")
    for house in houses:
        telegram.say(house.chat, f"/start s_{house.site}")
    await eventually_async(lambda: all(telegram.messages(house.chat) for house in houses), 60, "the chats are answered")
    await asyncio.sleep(5)


async def _spread(houses: Sequence[House], telegram: FakeTelegram, observer: Observer, hold_ms: float) -> list[Passage]:
    """The outages one after another, a house in turn, at random moments."""
    dice = random.Random(7)
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in range(OUTAGES):
            house = houses[number % len(houses)]
            off_s = dice.uniform(*OFF_S)
            tasks.append(group.create_task(_outage(house, telegram, observer, hold_ms, off_s), name=house.site))
            await asyncio.sleep(dice.uniform(*APART_S))
    told = sum(len(_alerts(telegram, house.chat, LOST)) for house in houses)
    assert told == OUTAGES, f"{told} alerts of {OUTAGES} outages"
    return [task.result() for task in tasks]


async def _outage(house: House, telegram: FakeTelegram, observer: Observer, hold_ms: float, off_s: float) -> Passage:
    board, known = house.board, len(_alerts(telegram, house.chat, LOST))
    births = len(observer.births[board.device_id])
    board.cut_power()
    board.drop()  # a TCP close, and nobody is there to connect again
    seen = await _next(telegram, house.chat, LOST, known)
    await asyncio.sleep(off_s)
    board.restore_power()
    back = await _next(telegram, house.chat, BACK, known)
    will = observer.wills[board.device_id][known]
    birth = observer.births[board.device_id][births]
    losses = [(moment, event) for moment, event in observer.events[house.site] if event.kind is EventKind.POWER_LOST]
    moment, event = losses[known]
    judged = 1000 * (event.detected_at - will.wall).total_seconds()
    total = 1000 * (seen.at - will.mono)
    return Passage(
        total=total,
        overhead=total - hold_ms,
        judged=judged - hold_ms,
        logged=1000 * (moment.wall - event.detected_at).total_seconds(),
        told=1000 * (seen.at - moment.mono),
        back=1000 * (back.at - birth.mono),
    )


async def _next(telegram: FakeTelegram, chat: int, mark: str, known: int) -> Seen:
    """The chat's next message that begins with `mark`."""
    found: list[Seen] = await telegram.wait_until(
        lambda: _alerts(telegram, chat, mark)[known:], 30, f"chat {chat} is told {mark}"
    )
    return found[0]


def _alerts(telegram: FakeTelegram, chat: int, mark: str) -> list[Seen]:
    return [seen for seen in telegram.messages(chat) if seen.text.startswith(mark)]
