"""What a real broker keeps of sites and detectors: nothing stays that should not, nothing goes that should stay."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.detector.service import run
from svitlo import registry
from svitlo.accounts.dynsec import DynamicSecurity
from svitlo.accounts.sync import sync_accounts, wanted_accounts
from svitlo.contracts import SiteChannel, topics
from svitlo.db.session import Database
from svitlo.settings import Settings
from tests.support.broker import SECRET, Broker, address, admin_password
from tests.support.house import furnish
from tests.support.integrator import Integrator, give_key, integrating, kept
from tests.support.service import serving, settings_for
from tests.support.wait import eventually_async


def settings(broker: Broker, database_url: str, instance: str = "1") -> Settings:
    return settings_for("detector", broker, database_url, instance=instance)


def topics_of(site: str) -> set[str]:
    """Everything retained that a site has."""
    return {
        topics.site(site, SiteChannel.POWER),
        topics.site(site, SiteChannel.STATE),
        topics.home_assistant_config(site),
    }


def has(reader: Integrator, *sites: str) -> bool:
    return all(topics_of(site) <= reader.kept.keys() for site in sites)


def lacks(reader: Integrator, site: str) -> bool:
    return topics_of(site).isdisjoint(reader.kept)


def state_of(messages: dict[str, bytes], instance: str = "1") -> str:
    """What a detector's status says; empty if it never said anything."""
    payload = messages.get(topics.service("detector", instance))
    return str(json.loads(payload)["state"]) if payload else ""


@pytest.fixture
async def house(database: Database, broker: Broker) -> Database:
    await give_key(database)
    await furnish(database, broker, {"home": ["board-1"], "barn": ["board-2"], "shed": []})
    return database


async def test_nothing_stays_of_a_site_that_is_removed_or_renamed(
    house: Database, broker: Broker, database_url: str
) -> None:
    async with serving(run, settings(broker, database_url)):
        async with integrating(broker) as reader:
            await eventually_async(lambda: has(reader, "home", "barn", "shed"))
            async with house.transaction() as session:
                await registry.remove_site(session, "barn")
                await registry.rename_site(session, "shed", "garage")
            await eventually_async(lambda: lacks(reader, "barn") and lacks(reader, "shed") and has(reader, "garage"))
        messages = await kept(broker)
        assert topics_of("barn").isdisjoint(messages)
        assert topics_of("shed").isdisjoint(messages)
        assert topics_of("home") <= messages.keys()


async def test_nothing_stays_of_a_site_that_was_removed_or_renamed_while_no_detector_ran(
    house: Database, broker: Broker, database_url: str
) -> None:
    async with serving(run, settings(broker, database_url)), integrating(broker) as reader:
        await eventually_async(lambda: has(reader, "home", "barn", "shed"))
    async with house.transaction() as session:
        await registry.remove_site(session, "barn")
        await registry.rename_site(session, "shed", "garage")
    assert topics_of("barn") <= (await kept(broker)).keys()
    async with serving(run, settings(broker, database_url)), integrating(broker) as reader:
        await eventually_async(
            lambda: lacks(reader, "barn") and lacks(reader, "shed") and has(reader, "home", "garage")
        )


async def test_a_slug_that_is_borne_again_keeps_its_topics(house: Database, broker: Broker, database_url: str) -> None:
    async def remove_and_add(slug: str) -> None:
        async with house.transaction() as session:
            await registry.remove_site(session, slug)
        async with house.transaction() as session:
            await registry.add_site(session, slug, "Another")

    async with serving(run, settings(broker, database_url)), integrating(broker) as reader:
        await eventually_async(lambda: has(reader, "home", "barn", "shed"))
        await remove_and_add("barn")
        card = topics.home_assistant_config("barn")
        await eventually_async(lambda: has(reader, "barn") and b"Another" in reader.kept[card])
    await remove_and_add("shed")
    async with serving(run, settings(broker, database_url)), integrating(broker) as reader:
        card = topics.home_assistant_config("shed")
        await eventually_async(lambda: has(reader, "barn", "shed") and b"Another" in reader.kept[card])
        assert not any(message.payload == b"" for message in reader.heard)


async def test_a_broker_that_forgot_everything_is_told_again(
    house: Database, broker: Broker, database_url: str
) -> None:
    async with serving(run, settings(broker, database_url)):
        async with integrating(broker) as reader:
            await eventually_async(lambda: has(reader, "home", "barn", "shed"))
        broker.terminate()
        broker.forget()
        broker.start()
        async with house.transaction() as session:
            wanted = await wanted_accounts(session)
        async with DynamicSecurity.connect(address(broker, "svitlo.admin"), admin_password()) as plugin:
            await sync_accounts(plugin, wanted, SECRET)
        async with integrating(broker) as reader:
            await eventually_async(lambda: has(reader, "home", "barn", "shed"), 20)
            await eventually_async(lambda: state_of(reader.kept) == "online")


@contextmanager
def detecting(broker: Broker, database_url: str, instance: str) -> Iterator[subprocess.Popen[bytes]]:
    """`svitlo detector` as a process of its own."""
    where = address(broker, "svitlo.detector")
    env = {name: value for name, value in os.environ.items() if not name.startswith("SVITLO_")} | {
        "SVITLO_DATABASE_URL": database_url,
        "SVITLO_MQTT_URL": f"mqtt://{where.username}@{where.host}:{where.port}",
        "SVITLO_MQTT_PASSWORD": where.password or "",
        "SVITLO_INSTANCE": instance,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "svitlo", "detector"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_the_status_of_a_detector_that_is_killed_says_so_and_the_one_in_waiting_takes_over(
    house: Database, broker: Broker, database_url: str
) -> None:
    card = topics.home_assistant_config("home")
    async with integrating(broker) as reader:
        with detecting(broker, database_url, "a") as active:
            await eventually_async(lambda: state_of(reader.kept, "a") == "online", 20)
            async with serving(run, settings(broker, database_url, "b")):
                await asyncio.sleep(2)  # it asks for its turn once a second
                assert state_of(reader.kept, "b") == "", "who only waits says nothing"
                active.send_signal(signal.SIGKILL)
                await eventually_async(lambda: state_of(reader.kept, "a") == "offline")
                await eventually_async(lambda: state_of(reader.kept, "b") == "online")
                await eventually_async(lambda: b"svitlo/services/detector/b" in reader.kept[card])


async def test_the_status_of_a_detector_that_is_told_to_stop_says_so(
    house: Database, broker: Broker, database_url: str
) -> None:
    async with integrating(broker) as reader:
        with detecting(broker, database_url, "a") as active:
            await eventually_async(lambda: state_of(reader.kept, "a") == "online", 20)
            active.terminate()
            await eventually_async(lambda: state_of(reader.kept, "a") == "offline")
            assert await asyncio.to_thread(active.wait, 30) == 0
    assert state_of(await kept(broker), "a") == "offline"
