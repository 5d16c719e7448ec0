"""The firehose on a real broker: what is published comes out, and what cannot be handled ends nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from svitlo.bus import Firehose, MessageHandler
from tests.support.broker import Broker, address
from tests.support.house import speaking_as
from tests.support.wait import eventually_async

TOPIC = "svitlo/devices/one/heartbeat"


@asynccontextmanager
async def reading(broker: Broker, take: MessageHandler) -> AsyncIterator[Firehose]:
    """A firehose that is subscribed."""
    up = asyncio.Event()
    wanted = [("svitlo/devices/+/heartbeat", 1)]
    firehose = Firehose(address(broker, "svitlo.ingest"), "svitlo.ingest.1", wanted, take, on_up=up.set)
    task = asyncio.create_task(firehose.run(), name="firehose")
    try:
        async with asyncio.timeout(20):
            await up.wait()
        yield firehose
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_messages_of_every_kind_come_in_their_order(broker: Broker) -> None:
    sent = [(b"%d" % n * (1 + n % 7 * 1000), n % 3 == 0) for n in range(60)]
    taken: list[tuple[bytes, bool]] = []
    async with speaking_as(broker, "svitlo.admin") as anybody:
        await anybody.publish(TOPIC, b"remembered", qos=1, retain=True)
        async with reading(broker, lambda _topic, payload, retained: taken.append((payload, retained))):
            for payload, acknowledged in sent:
                await anybody.publish(TOPIC, payload, qos=int(acknowledged))

            async def all_taken() -> bool:
                return len(taken) == len(sent) + 1

            await eventually_async(all_taken)
    assert taken == [(b"remembered", True), *((payload, False) for payload, _ in sent)]


async def test_messages_that_cannot_be_handled_are_counted_and_said_once(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[bytes] = []

    def take(_topic: str, payload: bytes, _retained: bool) -> None:
        taken.append(payload)
        if payload == b"bad":
            raise ArithmeticError("a fault of ours")

    async with reading(broker, take) as firehose, speaking_as(broker, "svitlo.admin") as anybody:
        for payload in (b"bad", b"bad", b"bad", b"good"):
            await anybody.publish(TOPIC, payload)

        async def all_taken() -> bool:
            return len(taken) == 4

        await eventually_async(all_taken)
    assert firehose.failed == 3
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        f"a message on {TOPIC} could not be handled"
    ]
    assert "a fault of ours" in caplog.text
