"""The firehose on a real broker: a message that cannot be handled ends nothing and is counted."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from svitlo.bus import Firehose
from tests.support.broker import Broker, address
from tests.support.house import speaking_as
from tests.support.wait import eventually_async


async def test_messages_that_cannot_be_handled_are_counted_and_said_once(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[bytes] = []

    def take(_topic: str, payload: bytes, _retained: bool) -> None:
        taken.append(payload)
        if payload == b"bad":
            raise ArithmeticError("a fault of ours")

    up = asyncio.Event()
    topic = "svitlo/devices/+/heartbeat"
    firehose = Firehose(address(broker, "svitlo.ingest"), "svitlo.ingest.1", [(topic, 0)], take, on_up=up.set)
    task = asyncio.create_task(firehose.run(), name="firehose")
    try:
        async with asyncio.timeout(10):
            await up.wait()
        async with speaking_as(broker, "svitlo.admin") as anybody:
            for payload in (b"bad", b"bad", b"bad", b"good"):
                await anybody.publish("svitlo/devices/one/heartbeat", payload)

            async def all_taken() -> bool:
                return len(taken) == 4

            await eventually_async(all_taken)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert firehose.failed == 3
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "a message on svitlo/devices/one/heartbeat could not be handled"
    ]
    assert "a fault of ours" in caplog.text
