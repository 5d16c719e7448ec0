"""Pieces of the firmware, for few boards at a time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from services.ingest.order_rules import Pace
from services.ingest.updates import Updates
from svitlo.errors import BrokerUnavailableError, StackError
from svitlo.firmware import Bundle
from tests.support.wait import eventually_async

DATA = bytes(range(250)) * 20
BOARDS = ["board-1", "board-2", "board-3", "board-4"]


class Link:
    """Stands where the link to the broker does."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.away = False

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        if self.away:
            raise BrokerUnavailableError("away")
        assert (retain, qos) == (False, 0)
        self.sent.append((topic.split("/")[2], payload))


class Serving:
    """Four boards that load, each under its order."""

    def __init__(self, pace: Pace) -> None:
        self.link = Link()
        made = Bundle("1.0", {}, DATA, hashlib.sha256(DATA).hexdigest())
        self.updates = Updates(cast(Any, self.link), lambda: made, pace)
        self.orders: dict[str, UUID] = {name: uuid4() for name in BOARDS}

    async def ask(self, name: str, offset: int = 0, order: UUID | None = None) -> list[str]:
        """Who got something, once the last of what was asked for is through."""
        self.link.sent.clear()
        self.updates.ask(name, order or self.orders[name], offset)
        await eventually_async(lambda: not self.updates._ask.is_set())
        await asyncio.sleep(0)
        return [device for device, _ in self.link.sent]


@pytest.fixture
async def serving() -> AsyncIterator[Serving]:
    found = Serving(Pace(serving_s=3600))
    await found.updates.compile()
    found.updates.loading = dict(found.orders)
    task = asyncio.create_task(found.updates.run())
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_fourth_board_is_served_when_one_of_three_has_left(serving: Serving) -> None:
    for name in BOARDS[:3]:
        assert await serving.ask(name) == [name]
    assert await serving.ask(BOARDS[3]) == []
    assert await serving.ask(BOARDS[0], 960) == [BOARDS[0]]
    serving.updates.leave(BOARDS[1])
    assert await serving.ask(BOARDS[3]) == [BOARDS[3]]
    assert await serving.ask(BOARDS[1]) == []


async def test_a_board_that_asks_no_more_keeps_nobody_waiting() -> None:
    found = Serving(Pace(serving_s=0.2, slots=1))
    await found.updates.compile()
    found.updates.loading = dict(found.orders)
    task = asyncio.create_task(found.updates.run())
    assert await found.ask(BOARDS[0]) == [BOARDS[0]]

    async def served() -> bool:
        return await found.ask(BOARDS[1]) == [BOARDS[1]]

    await eventually_async(served)
    task.cancel()


async def test_only_what_was_asked_for_last_is_sent(serving: Serving) -> None:
    for offset in (0, 960, 1920):
        serving.updates.ask(BOARDS[0], serving.orders[BOARDS[0]], offset)
    await eventually_async(lambda: serving.link.sent)
    assert serving.link.sent == [(BOARDS[0], (1920).to_bytes(4, "big") + DATA[1920:2880])]


async def test_under_another_order_or_past_the_end_there_is_nothing(serving: Serving) -> None:
    assert await serving.ask(BOARDS[0], order=serving.orders[BOARDS[1]]) == []
    assert await serving.ask(BOARDS[0], len(DATA)) == []
    assert await serving.ask(BOARDS[0], len(DATA) - 1) == [BOARDS[0]]
    assert serving.link.sent[0][1][4:] == DATA[-1:]


async def test_a_broker_that_is_away_ends_nothing(serving: Serving) -> None:
    serving.link.away = True
    assert await serving.ask(BOARDS[0]) == []
    serving.link.away = False
    assert await serving.ask(BOARDS[0]) == [BOARDS[0]]


async def test_a_compiler_that_fails_is_not_run_again_at_once() -> None:
    runs = 0

    def broken() -> Bundle:
        nonlocal runs
        runs += 1
        raise StackError("mpy-cross is not there")

    updates = Updates(cast(Any, Link()), broken, Pace())
    for _ in range(3):
        assert await updates.compile() is None
    assert (runs, updates.trouble) == (1, "held back: mpy-cross is not there")
