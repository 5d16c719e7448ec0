"""Somebody else's program at our broker, with the account `svitlo key add NAME --kind mqtt` gives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiomqtt

from svitlo import registry
from svitlo.db.session import Database
from tests.support.broker import Broker, address
from tests.support.house import speaking_as
from tests.support.wait import eventually_async

NAME = "home-assistant"

# As Home Assistant asks (homeassistant/components/mqtt/discovery.py), and what its entities then read.
SUBSCRIPTIONS = (
    "homeassistant/binary_sensor/+/config",
    "homeassistant/binary_sensor/+/+/config",
    "homeassistant/device/+/config",
    "homeassistant/device/+/+/config",
    "svitlo/sites/+/power",
    "svitlo/sites/+/state",
    "svitlo/sites/+/event",
    "svitlo/services/detector/+",
)
MARKER = "svitlo/sites/marker/event"


async def give_key(database: Database) -> None:
    """Register the integrator; `furnish` then makes its account."""
    async with database.transaction() as session:
        await registry.add_key(session, NAME, "mqtt")


@dataclass(frozen=True)
class Message:
    """One message as it came; `at` by the event loop's clock."""

    topic: str
    payload: bytes
    retained: bool
    at: float


class Integrator:
    """Hears everything its account may; `kept` is what the broker would tell a newcomer."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.heard: list[Message] = []
        self.kept: dict[str, bytes] = {}

    async def say(self, topic: str, payload: bytes) -> None:
        await self._client.publish(topic, payload, qos=1)

    def live(self, topic: str) -> list[Message]:
        """What came on `topic` as news."""
        return [message for message in self.heard if message.topic == topic and not message.retained]

    async def listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            topic, payload = str(message.topic), message.payload
            self.heard.append(Message(topic, payload, bool(message.retain), asyncio.get_running_loop().time()))
            if not topic.endswith("/event"):
                self.kept.pop(topic, None)
                if payload:
                    self.kept[topic] = payload


@asynccontextmanager
async def integrating(broker: Broker) -> AsyncIterator[Integrator]:
    """The integrator, once it has everything that the broker keeps."""
    where = address(broker, f"key.{NAME}")
    async with aiomqtt.Client(
        where.host, where.port, username=where.username, password=where.password, identifier=where.username, timeout=15
    ) as client:
        integrator = Integrator(client)
        task = asyncio.create_task(integrator.listen())
        await client.subscribe([(topic, 1) for topic in SUBSCRIPTIONS])
        async with speaking_as(broker, "svitlo.admin") as admin:
            await admin.publish(MARKER, b"{}", qos=1)
        # What is kept was sent before the marker, which came after.
        await eventually_async(lambda: integrator.live(MARKER))
        try:
            yield integrator
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def kept(broker: Broker) -> dict[str, bytes]:
    """What the broker keeps, as a newcomer hears it."""
    async with integrating(broker) as newcomer:
        return newcomer.kept
