"""The whole service: log in, messages out, through a real broker and a real database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr

from services.notifier.service import run
from svitlo.bus import ServiceLink
from svitlo.contracts import EventKind, ServiceStatus, SiteChannel, decode_as, topics
from svitlo.settings import Settings
from tests.notifier.conftest import World, all_sent, until
from tests.notifier.gate import Gate
from tests.support.broker import Broker, address
from tests.support.telegram import FakeTelegram
from tests.support.wait import free_port

LOST, RESTORED = EventKind.POWER_LOST, EventKind.POWER_RESTORED
PROMPT_S = 0.3


def settings_for(url: str, port: int, password: str = "", **more: Any) -> Settings:
    return Settings(
        database_url=SecretStr(url),
        mqtt_url=SecretStr(f"mqtt://svitlo.notifier@127.0.0.1:{port}"),
        mqtt_password=SecretStr(password or "none"),
        **more,
    )


def with_telegram(telegram: FakeTelegram) -> dict[str, Any]:
    return {"telegram_token": SecretStr(telegram.token), "telegram_api_url": telegram.url}


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(run(settings))
    try:
        yield task
    finally:
        began = time.monotonic()
        task.cancel()
        await asyncio.wait([task])
        assert time.monotonic() - began < 15
        assert task.cancelled()


def saw(telegram: FakeTelegram, number: int) -> bool:
    return len(telegram.messages(1)) == number


async def test_an_event_on_the_bus_becomes_a_message_well_within_300_ms(
    world: World, telegram: FakeTelegram, broker: Broker
) -> None:
    home = await world.site("home", "Шевченка 12")
    account = address(broker, "svitlo.notifier")
    settings = settings_for(world.database.url, account.port, account.password or "", **with_telegram(telegram))
    detector = ServiceLink(address(broker, "svitlo.detector"), "detector", "1")
    heard: list[bytes] = []
    listener = ServiceLink(
        address(broker, "svitlo.api"),
        "api",
        "1",
        subscriptions=[(topics.service("notifier", "1"), 1)],
        on_message=lambda _topic, payload, _retained: heard.append(payload),
    )
    async with asyncio.TaskGroup() as group:
        links = [group.create_task(link.run()) for link in (detector, listener)]
        async with serving(settings):
            telegram.say(1, "/start s_home")
            await telegram.wait_for(1, "Стежу: Шевченка 12")
            await until(lambda: detector.connected and heard)
            assert decode_as(ServiceStatus, heard[-1]).state == "online"
            delays: list[float] = []
            for number in range(12):
                if number and number % 3 == 0:
                    if sorted(delays[-3:])[1] < PROMPT_S:
                        break
                    await asyncio.sleep(4)  # the machine had no time for it; a chat takes no more than three at once
                kind = RESTORED if number % 2 else LOST
                await world.event(home, kind)
                at = time.monotonic()
                await detector.publish(topics.site("home", SiteChannel.EVENT), b"{}")
                await telegram.wait_until(partial(saw, telegram, number + 2))
                delays.append(telegram.messages(1)[-1].at - at)
        await until(lambda: decode_as(ServiceStatus, heard[-1]).state == "offline")
        for link in links:
            link.cancel()
    assert sorted(delays[-3:])[1] < PROMPT_S, delays


async def test_without_a_broker_the_log_alone_is_enough(world: World, telegram: FakeTelegram) -> None:
    home = await world.site("home")
    await world.chat(1, home)
    async with serving(settings_for(world.database.url, free_port(), **with_telegram(telegram))):
        await world.event(home)
        await telegram.wait_for(1, "світла немає")


async def test_without_a_token_alerts_are_printed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    home = await world.site("home", "Шевченка 12")
    async with serving(settings_for(world.database.url, free_port())):
        await until(lambda: world.rows("SELECT 1 FROM chats WHERE platform = 'console' AND active"))
        await world.event(home)
        await until(lambda: all_sent(world, 0))
    assert "🔌 Шевченка 12 — світла немає з " in capsys.readouterr().out


async def test_a_malformed_token_leaves_the_service_up_and_alerts_kept(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    home = await world.site("home")
    await world.chat(1, home)
    settings = settings_for(world.database.url, free_port(), telegram_token=SecretStr("no-such-thing"))
    async with serving(settings) as task:
        await world.event(home)
        await until(lambda: world.states(1))
        assert not task.done()
    assert await world.states(1) == ["pending"]
    assert caplog.text.count("SVITLO_TELEGRAM_TOKEN") == 1
    assert "no-such-thing" not in caplog.text


async def test_a_database_away_is_waited_for_and_nothing_is_lost(
    world: World, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    home = await world.site("home")
    await world.chat(1, home)
    async with (
        Gate(world.database.url) as gate,
        serving(settings_for(gate.url, free_port(), **with_telegram(telegram))),
    ):
        await world.event(home, LOST)
        await telegram.wait_for(1, "світла немає")
        await until(lambda: all_sent(world, 1))
        await gate.shut()
        await world.event(home, RESTORED)
        await until(lambda: "planner waits: PostgreSQL does not answer" in caplog.text)
        await gate.open()
        await telegram.wait_for(1, "світло є")
        await until(lambda: all_sent(world, 1))
    assert len(telegram.messages(1)) == 2
    assert "Traceback" not in caplog.text


async def test_a_message_sent_while_the_database_goes_away_is_not_sent_twice(
    world: World, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    home = await world.site("home")
    await world.chat(1, home)
    async with (
        Gate(world.database.url) as gate,
        serving(settings_for(gate.url, free_port(), **with_telegram(telegram))),
    ):
        telegram.slow(0.5, chat_id=1)
        await world.event(home)
        await telegram.wait_for(1, "світла немає")
        await gate.shut()
        await until(lambda: "cannot be written down yet" in caplog.text)
        await gate.open()
        await until(lambda: all_sent(world, 1))
    assert len(telegram.messages(1)) == 1


RUN = """
import asyncio, sys
import services.notifier.bot.poller
from services.notifier.service import run
from svitlo.settings import load_settings
sys.stdin.readline()
asyncio.run(run(load_settings()))
"""
"""A process that has loaded everything and runs on a word."""


async def test_killed_at_any_moment_it_goes_on_where_it_was(world: World, telegram: FakeTelegram) -> None:
    home = await world.site("home")
    chats = range(1, 31)
    for chat in chats:
        await world.chat(chat, home)
    environment = os.environ | {
        "SVITLO_DATABASE_URL": world.database.url,
        "SVITLO_MQTT_URL": f"mqtt://svitlo.notifier:x@127.0.0.1:{free_port()}",
        "SVITLO_TELEGRAM_TOKEN": telegram.token,
        "SVITLO_TELEGRAM_API_URL": telegram.url,
    }

    def seen() -> int:
        return sum(len(telegram.messages(chat)) for chat in chats)

    first, second = loaded(environment), loaded(environment)
    with ended(first), ended(second):
        begin(first)
        await world.event(home)
        await telegram.wait_until(lambda: seen() >= 8, 120)  # of which most is its start
        first.send_signal(signal.SIGKILL)
        first.wait()
        # The claims of the dead run out in 20 s; here they are let go at once.
        in_flight = await world.rows("SELECT id FROM deliveries WHERE state = 'pending' AND claimed_until IS NOT NULL")
        await world.run("UPDATE deliveries SET claimed_until = NULL")
        begin(second)
        await until(lambda: all_sent(world, *chats), 60)
    assert all(len(telegram.messages(chat)) >= 1 for chat in chats)
    assert seen() <= 30 + len(in_flight)


def loaded(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN], env=environment, stdin=subprocess.PIPE)


def begin(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.communicate()
