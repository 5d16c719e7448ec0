"""The service as it runs: a real broker, a real database, a real port."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt
import httpx
import pytest

from services.api.service import run
from svitlo.contracts import ServiceStatus, decode_as, encode, topics
from svitlo.errors import ConfigurationError
from svitlo.settings import Settings, load_settings
from tests.support.broker import Broker, address
from tests.support.wait import eventually_async, free_port


def settings_for(database_url: str, broker: Broker, port: int) -> Settings:
    account = address(broker, "svitlo.api")
    return load_settings(
        database_url=database_url,
        mqtt_url=f"mqtt://{account.username}@{account.host}:{account.port}",
        mqtt_password=account.password,
        http_port=port,
    )


@asynccontextmanager
async def connected(broker: Broker, username: str) -> AsyncIterator[aiomqtt.Client]:
    account = address(broker, username)
    async with aiomqtt.Client(
        account.host, account.port, username=account.username, password=account.password
    ) as client:
        yield client


async def say(client: aiomqtt.Client, topic: str, payload: bytes) -> None:
    await client.publish(topic, payload, qos=1, retain=True)


def status(state: str) -> bytes:
    return encode(ServiceStatus(state="online" if state == "online" else "offline", version="0.0.0"))


class Running:
    """The service as a task, and a client that asks it."""

    def __init__(self, settings: Settings) -> None:
        self.task = asyncio.create_task(run(settings))
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.http_port}", timeout=20)

    async def failing(self) -> list[str] | None:
        """The checks that fail; None while the server does not answer."""
        assert not self.task.done()
        try:
            response = await self.http.get("/readyz")
        except httpx.ConnectError:
            return None
        names = [name for name, check in response.json()["checks"].items() if not check["ok"]]
        assert response.status_code == (503 if names else 200)
        return names

    async def fails(self, *names: str) -> None:
        """Wait until exactly these checks fail."""

        async def so() -> bool:
            return await self.failing() == list(names)

        condition: Callable[[], Any] = so
        await eventually_async(condition, 20, f"these checks fail: {names}")

    async def end(self) -> None:
        """Cancel the service; it must end within 15 s, with the client's connection still open."""
        self.task.cancel()
        async with asyncio.timeout(15):
            await asyncio.wait([self.task])
        assert self.task.cancelled()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    service = Running(settings)
    try:
        yield service
    finally:
        await service.end()
        await service.http.aclose()


@pytest.mark.usefixtures("ticking")
async def test_it_is_ready_while_a_detector_is_online(database_url: str, broker: Broker) -> None:
    async with running(settings_for(database_url, broker, free_port())) as service:
        await service.fails("detector")
        async with connected(broker, "svitlo.detector") as detector:
            await say(detector, topics.service("detector", "a"), status("online"))
            await service.fails()
            await say(detector, topics.service("detector", "b"), status("online"))
            await say(detector, topics.service("detector", "a"), status("offline"))
            await say(detector, topics.service("detector", "b"), b"not a status")
            await say(detector, topics.service("detector", "c"), status("offline"))
            await service.fails()  # b has said nothing readable since
            await say(detector, topics.service("detector", "b"), b"")
            await service.fails("detector")
            await say(detector, topics.service("detector", "a"), status("online"))
            await service.fails()
            await say(detector, topics.service("detector", "a"), status("offline"))
            await service.fails("detector")


async def test_it_announces_itself_and_says_when_it_goes(database_url: str, broker: Broker) -> None:
    async with connected(broker, "svitlo.admin") as reader:
        await reader.subscribe(topics.service("api", "1"))

        async def told() -> str:
            async with asyncio.timeout(20):
                message = await anext(aiter(reader.messages))
            assert isinstance(message.payload, bytes)
            return decode_as(ServiceStatus, message.payload).state

        async with running(settings_for(database_url, broker, free_port())):
            assert await told() == "online"
        assert await told() == "offline"


async def test_it_leaves_signals_and_logging_alone(
    database_url: str, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    handlers, on_term = logging.getLogger().handlers[:], signal.getsignal(signal.SIGTERM)
    async with running(settings_for(database_url, broker, free_port())) as service:
        await service.fails("detector")
        head = await service.http.head("/healthz")
        assert (head.status_code, head.content) == (200, b"")
        assert "server" not in head.headers
        assert signal.getsignal(signal.SIGTERM) is on_term
        assert logging.getLogger().handlers == handlers
    assert "GET /" not in caplog.text


@pytest.mark.usefixtures("ticking")
async def test_a_broker_that_goes_takes_readiness_and_nothing_else(database_url: str, broker: Broker) -> None:
    async with running(settings_for(database_url, broker, free_port())) as service:
        async with connected(broker, "svitlo.detector") as detector:
            await say(detector, topics.service("detector", "1"), status("online"))
            await service.fails()
        await asyncio.to_thread(broker.terminate)
        await service.fails("broker", "detector")
        assert (await service.http.get("/api/v1/sites")).status_code == 200
        assert "застарілі" in (await service.http.get("/")).text

        # What the broker forgot must not be believed any longer.
        await asyncio.to_thread(broker.forget)
        await asyncio.to_thread(broker.start)
        await service.fails("detector")
        async with connected(broker, "svitlo.detector") as detector:
            await say(detector, topics.service("detector", "1"), status("online"))
            await service.fails()


async def test_a_port_that_is_taken_is_told_as_a_setting(database_url: str, broker: Broker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = settings_for(database_url, broker, taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="SVITLO_HTTP_PORT"):
            await run(settings)
