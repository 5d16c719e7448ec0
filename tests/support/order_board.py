"""A made-up board that takes orders: it does what the contract says, and whatever else a test tells it to say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt

from svitlo.bus import honour_cancellation
from svitlo.contracts import Command, decode_as
from svitlo.firmware import sign, update_key
from tests.support.broker import SECRET, Broker, address
from tests.support.house import heartbeat, status
from tests.support.wait import eventually_async


class OrderBoard:
    """Beats while it is connected; `commands` and `pieces` are what it was sent, over all its connections."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.name = name
        self.broker = broker
        self.generation = 1
        self.boot = secrets.token_hex(4)
        self.conn = 0
        self.fw = "0.9.0"
        self.commands: list[Command] = []
        self.pieces: list[tuple[int, bytes]] = []
        self._seq = 0
        self._client: aiomqtt.Client | None = None
        self._listening: asyncio.Task[None] | None = None

    def restart(self) -> None:
        """A new boot."""
        self.boot, self.conn, self._seq = secrets.token_hex(4), 0, 0

    @asynccontextmanager
    async def online(self, *, hears_updates: bool = True) -> AsyncIterator[OrderBoard]:
        """One connection under the account of its present generation."""
        where = address(self.broker, self.name, self.generation)
        self.conn += 1
        async with aiomqtt.Client(
            where.host,
            where.port,
            username=where.username,
            password=where.password,
            identifier=self.name,
            timeout=15,
            keepalive=10,
        ) as client:
            self._client = client
            await client.subscribe([(self.topic("command"), 1)])
            if hears_updates:
                await client.subscribe([(self.topic("update"), 0)])
            await client.publish(
                self.topic("status"), status("online", boot=self.boot, conn=self.conn), qos=1, retain=True
            )
            honour_cancellation()
            self._listening = asyncio.create_task(self._listen(client))
            tasks = [self._listening, asyncio.create_task(self._beat(client))]
            try:
                yield self
            finally:
                self._client = None
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def living(self) -> AsyncIterator[OrderBoard]:
        """Connected for as long as it can be, and again when it was cut off."""

        async def live() -> None:
            while True:
                with contextlib.suppress(aiomqtt.MqttError):
                    async with self.online():
                        assert self._listening is not None
                        await asyncio.wait([self._listening])
                honour_cancellation()
                await asyncio.sleep(0.2)

        task = asyncio.create_task(live())
        try:
            await self.connected()
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def topic(self, channel: str) -> str:
        return f"svitlo/devices/{self.name}/{channel}"

    async def connected(self) -> None:
        await eventually_async(lambda: self._client is not None, 20, "the board is connected")

    async def report(self, order: str, state: str, **more: Any) -> None:
        """Say what became of an order."""
        body = {"v": 1, "boot": self.boot, "order": order, "state": state} | more
        await self.say("report", json.dumps(body).encode(), qos=1)

    async def say(self, channel: str, payload: bytes, *, qos: int = 0) -> None:
        assert self._client is not None
        await self._client.publish(self.topic(channel), payload, qos=qos)

    async def commanded(self, count: int = 1) -> Command:
        """The command of that number, once it is here."""
        await eventually_async(lambda: len(self.commands) >= count, 20, f"{self.name} was sent {count} commands")
        return self.commands[count - 1]

    async def piece(self, order: str, offset: int) -> bytes:
        """Ask for a piece until it is here, as a board does."""
        self.pieces.clear()
        for _ in range(40):
            with contextlib.suppress(aiomqtt.MqttError, AssertionError):
                await self.report(order, "loading", offset=offset)
            with contextlib.suppress(AssertionError):
                await eventually_async(lambda: any(at == offset for at, _ in self.pieces), 1)
                return next(data for at, data in self.pieces if at == offset)
        raise AssertionError(f"{self.name} never got the piece at {offset}")

    async def load(self, command: Command, begun: bytes = b"") -> bytes:
        """Everything an update has, from what is there already."""
        assert isinstance(command.order, str)
        assert isinstance(command.size, int)
        data = begun
        while len(data) < command.size:
            data += await self.piece(command.order, len(data))
        return data

    def believes(self, command: Command) -> bool:
        """Whether the MAC of an order is right for this board."""
        return command.mac == sign(update_key(SECRET, self.name), self.name, command)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            if str(message.topic) == self.topic("command"):
                self.commands.append(decode_as(Command, message.payload))
            elif str(message.topic) == self.topic("update"):
                self.pieces.append((int.from_bytes(message.payload[:4], "big"), message.payload[4:]))

    async def _beat(self, client: aiomqtt.Client) -> None:
        while True:
            self._seq += 1
            beat = heartbeat(self._seq, boot=self.boot, conn=self.conn, fw=self.fw)
            await client.publish(self.topic("heartbeat"), beat, retain=True)
            honour_cancellation()
            await asyncio.sleep(0.5)
