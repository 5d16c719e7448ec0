"""Who may do what at a real broker: everything that is not allowed is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiomqtt
import pytest
from sqlalchemy import text

from svitlo import registry
from svitlo.accounts.dynsec import DynamicSecurity
from svitlo.accounts.roles import Account
from svitlo.accounts.sync import SyncReport, sync_accounts, wanted_accounts
from svitlo.db.session import Database
from svitlo.settings import BrokerAddress
from tests.support.broker import SECRET, Broker, ProcessBroker, address, admin_password
from tests.support.wait import eventually_async


@asynccontextmanager
async def client(where: BrokerAddress, client_id: str | None = None) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client(
        where.host,
        where.port,
        username=where.username,
        password=where.password,
        identifier=client_id or where.username or "nobody",
        timeout=15,
    ) as opened:
        yield opened


async def sync(broker: Broker, database: Database) -> SyncReport:
    async with database.transaction() as session:
        wanted = await wanted_accounts(session)
    async with DynamicSecurity.connect(address(broker, "svitlo.admin"), admin_password()) as plugin:
        return await sync_accounts(plugin, wanted, SECRET)


@pytest.fixture
async def house(broker: Broker, database: Database) -> Database:
    """Two boards at one site, an integrator, and their accounts."""
    async with database.transaction() as session:
        await registry.add_site(session, "home", "Home", public=True)
        await registry.add_device(session, "home", "board-1")
        await registry.add_device(session, "home", "board-2")
        await registry.add_key(session, "assistant", "mqtt")
    await sync(broker, database)
    return database


async def collect(where: BrokerAddress, topic: str, into: list[str]) -> None:
    """Subscribe and note the topics that arrive; a refused subscription notes nothing."""
    async with client(where) as listener:
        await listener.subscribe(topic, qos=1)
        into.append("ready")
        async for message in listener.messages:
            into.append(str(message.topic))


async def heard_by(where: BrokerAddress, subscription: str, broker: Broker, topic: str) -> bool:
    """Whether `where`, subscribed to `subscription`, hears what the administrator or a board says on `topic`."""
    heard: list[str] = []
    task = asyncio.create_task(collect(where, subscription, heard))
    try:
        await eventually_async(lambda: "ready" in heard or task.done())
        async with client(address(broker, "svitlo.admin"), "svitlo.admin.test") as admin:
            await admin.publish(topic, b"{}", qos=1)
            await admin.publish(topic, b"{}", qos=1)  # acknowledged after the first has been routed
        if task.done():
            return False
        await asyncio.sleep(0.3)
        return topic in heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def hears_from(speaker: BrokerAddress, where: BrokerAddress, subscription: str, topic: str) -> bool:
    """Whether `where`, subscribed to `subscription`, hears what `speaker` says on `topic`."""
    heard: list[str] = []
    task = asyncio.create_task(collect(where, subscription, heard))
    try:
        await eventually_async(lambda: "ready" in heard or task.done())
        async with client(speaker) as sender:
            await sender.publish(topic, b"{}", qos=1)
            await sender.publish(topic, b"{}", qos=1)  # acknowledged after the first has been routed
        await asyncio.sleep(0.3)
        return topic in heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def reaches(where: BrokerAddress, broker: Broker, topic: str) -> bool:
    """Whether what `where` publishes on `topic` arrives at the administrator, who may read everything of ours."""
    heard: list[str] = []
    watcher = asyncio.create_task(collect(address(broker, "svitlo.admin"), "svitlo/#", heard))
    try:
        await eventually_async(lambda: "ready" in heard)
        async with client(where) as sender:
            await sender.publish(topic, b"{}", qos=1)
            # The administrator's own marker is routed after it, so waiting for it is long enough.
            async with client(address(broker, "svitlo.admin"), "svitlo.admin.marker") as admin:
                await admin.publish("svitlo/devices/marker/status", b"{}", qos=1)
            await eventually_async(lambda: "svitlo/devices/marker/status" in heard)
        return topic in heard
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


@pytest.mark.parametrize("channel", ["heartbeat", "status", "journal", "report"])
async def test_a_device_writes_its_own_topics(house: Database, broker: Broker, channel: str) -> None:
    assert await reaches(address(broker, "board-1"), broker, f"svitlo/devices/board-1/{channel}")


@pytest.mark.parametrize(
    "topic",
    [
        "svitlo/devices/board-2/heartbeat",
        "svitlo/devices/board-2/status",
        "svitlo/devices/board-2/report",
        "svitlo/devices/board-1/command",
        "svitlo/devices/board-1/update",
        "svitlo/sites/home/power",
        "svitlo/services/detector/1",
        "svitlo/other",
    ],
)
async def test_a_device_writes_nothing_else(house: Database, broker: Broker, topic: str) -> None:
    assert not await reaches(address(broker, "board-1"), broker, topic)


@pytest.mark.parametrize("channel", ["status", "command", "update"])
async def test_a_device_reads_its_own_status_commands_and_updates(
    house: Database, broker: Broker, channel: str
) -> None:
    topic = f"svitlo/devices/board-1/{channel}"
    assert await heard_by(address(broker, "board-1"), topic, broker, topic)


@pytest.mark.parametrize(
    ("subscription", "topic"),
    [
        ("svitlo/devices/board-2/status", "svitlo/devices/board-2/status"),
        ("svitlo/devices/board-2/heartbeat", "svitlo/devices/board-2/heartbeat"),
        ("svitlo/devices/board-2/command", "svitlo/devices/board-2/command"),
        ("svitlo/devices/board-2/update", "svitlo/devices/board-2/update"),
        ("svitlo/devices/+/update", "svitlo/devices/board-2/update"),
        ("svitlo/devices/board-1/report", "svitlo/devices/board-1/report"),
        ("svitlo/devices/+/status", "svitlo/devices/board-2/status"),
        ("svitlo/#", "svitlo/sites/home/power"),
        ("#", "svitlo/sites/home/power"),
        ("svitlo/sites/home/power", "svitlo/sites/home/power"),
    ],
)
async def test_a_device_reads_nothing_else(house: Database, broker: Broker, subscription: str, topic: str) -> None:
    assert not await heard_by(address(broker, "board-1"), subscription, broker, topic)


async def test_ingest_orders_every_board_and_reads_every_report(house: Database, broker: Broker) -> None:
    ingest = address(broker, "svitlo.ingest")
    for channel in ("command", "update"):
        assert await reaches(ingest, broker, f"svitlo/devices/board-1/{channel}")
    for channel in ("report", "status", "heartbeat"):
        assert not await reaches(ingest, broker, f"svitlo/devices/board-1/{channel}")
    board, topic = address(broker, "board-1"), "svitlo/devices/board-1/report"
    assert await hears_from(board, ingest, "svitlo/devices/+/report", topic)
    for other in ("svitlo.detector", "svitlo.notifier", "svitlo.api", "key.assistant", "board-2"):
        assert not await hears_from(board, address(broker, other), "svitlo/devices/+/report", topic)


async def test_an_installation_from_before_gets_the_new_rights_and_nobody_is_cut_off(
    house: Database, broker: Broker
) -> None:
    async with house.transaction() as session:
        wanted = await wanted_accounts(session)

    def before(account: Account) -> Account:
        return replace(
            account,
            publish=tuple(topic for topic in account.publish if not topic.endswith(("/report", "/update"))),
            subscribe=tuple(topic for topic in account.subscribe if not topic.endswith(("/report", "/update"))),
        )

    async with DynamicSecurity.connect(address(broker, "svitlo.admin"), admin_password()) as plugin:
        assert (await sync_accounts(plugin, [before(account) for account in wanted], SECRET)).changed == 3
    topic = "svitlo/devices/board-1/report"
    assert not await hears_from(address(broker, "board-1"), address(broker, "svitlo.ingest"), topic, topic)
    async with client(address(broker, "board-1")) as board:
        assert (await sync(broker, house)).changed == 3
        assert not await sync(broker, house)
        await board.publish("svitlo/devices/board-1/heartbeat", b"{}", qos=1)
    assert await hears_from(address(broker, "board-1"), address(broker, "svitlo.ingest"), topic, topic)


async def test_an_integrator_reads_sites_and_home_assistant_and_nothing_else(house: Database, broker: Broker) -> None:
    key = address(broker, "key.assistant")
    assert await heard_by(key, "svitlo/sites/#", broker, "svitlo/sites/home/power")
    assert await heard_by(key, "homeassistant/#", broker, "homeassistant/device/svitlo_home/config")
    assert not await heard_by(key, "svitlo/devices/+/status", broker, "svitlo/devices/board-1/status")
    assert not await heard_by(key, "#", broker, "svitlo/sites/home/power")


async def test_an_integrator_reads_whether_a_detector_watches_and_of_services_nothing_else(
    house: Database, broker: Broker
) -> None:
    key, detector = address(broker, "key.assistant"), address(broker, "svitlo.detector")
    assert await hears_from(detector, key, "svitlo/services/detector/1", "svitlo/services/detector/1")
    assert await hears_from(detector, key, "svitlo/services/detector/+", "svitlo/services/detector/1")
    assert not await hears_from(detector, key, "svitlo/services/detector/+/echo", "svitlo/services/detector/1/echo")
    ingest = address(broker, "svitlo.ingest")
    assert not await hears_from(ingest, key, "svitlo/services/+/+", "svitlo/services/ingest/1")


@pytest.mark.parametrize(
    "topic",
    [
        "svitlo/sites/home/power",
        "svitlo/devices/board-1/heartbeat",
        "svitlo/services/detector/1",
        "svitlo/x",
    ],
)
async def test_an_integrator_writes_nothing_of_ours(house: Database, broker: Broker, topic: str) -> None:
    assert not await reaches(address(broker, "key.assistant"), broker, topic)


async def test_an_integrator_may_say_that_it_has_started_and_nothing_else(house: Database, broker: Broker) -> None:
    key, detector = address(broker, "key.assistant"), address(broker, "svitlo.detector")
    assert await hears_from(key, detector, "homeassistant/status", "homeassistant/status")
    async with house.transaction() as session:
        await registry.add_key(session, "other", "mqtt")
    await sync(broker, house)
    other = address(broker, "key.other")
    assert not await hears_from(key, other, "homeassistant/#", "homeassistant/device/svitlo_home/config")
    assert not await hears_from(key, other, "homeassistant/#", "homeassistant/statistics")


async def test_nobody_enters_without_a_name(house: Database, broker: Broker) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with client(BrokerAddress(broker.host, broker.port)):
            pass


@pytest.mark.parametrize("name", ["board-1", "svitlo.admin", "svitlo.detector", "key.assistant"])
async def test_nobody_enters_with_a_wrong_password(house: Database, broker: Broker, name: str) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with client(BrokerAddress(broker.host, broker.port, name, "wrong")):
            pass


@pytest.mark.parametrize("attacker", ["board-1", "key.assistant"])
async def test_nobody_can_throw_a_board_off_by_taking_its_client_id(
    house: Database, broker: Broker, attacker: str
) -> None:
    async with client(address(broker, "board-2")) as victim:
        with pytest.raises(aiomqtt.MqttError):
            async with client(address(broker, attacker), "board-2"):
                pass
        await victim.publish("svitlo/devices/board-2/heartbeat", b"{}", qos=1)


async def test_adding_rotating_and_removing_take_effect_at_once_and_cut_nobody_else_off(
    house: Database, broker: Broker
) -> None:
    async with client(address(broker, "board-2")) as bystander:
        async with house.transaction() as session:
            await registry.add_device(session, "home", "board-3")
        assert (await sync(broker, house)).created == 1
        async with client(address(broker, "board-3")) as board:
            async with house.transaction() as session:
                await registry.rotate_device(session, "board-3")
            assert (await sync(broker, house)).rotated == 1
            with pytest.raises(aiomqtt.MqttError):
                async for _ in board.messages:
                    pass
        with pytest.raises(aiomqtt.MqttError):
            async with client(address(broker, "board-3", generation=1)):
                pass
        async with client(address(broker, "board-3", generation=2)) as board:
            await board.publish("svitlo/devices/board-3/heartbeat", b"{}", qos=1, retain=True)
        async with house.transaction() as session:
            await registry.remove_device(session, "board-3")
        assert (await sync(broker, house)).removed == 1
        with pytest.raises(aiomqtt.MqttError):
            async with client(address(broker, "board-3", generation=2)):
                pass
        assert not await sync(broker, house), "nothing is left to do"
        await bystander.publish("svitlo/devices/board-2/heartbeat", b"{}", qos=1)


async def test_the_accounts_come_back_from_the_database_after_the_broker_lost_its_data(
    house: Database, broker: Broker
) -> None:
    broker.terminate()
    broker.forget()
    broker.start()
    with pytest.raises(aiomqtt.MqttError):
        async with client(address(broker, "board-1")):
            pass
    assert (await sync(broker, house)).created == 3
    assert await reaches(address(broker, "board-1"), broker, "svitlo/devices/board-1/heartbeat")
    assert not await reaches(address(broker, "board-1"), broker, "svitlo/devices/board-2/heartbeat")


async def saved(broker: Broker, words: bytes) -> None:
    """Wait until the broker has these on its disk; it saves on its own every 5 s, 2.1 at times some seconds late."""
    if not isinstance(broker, ProcessBroker):
        await asyncio.sleep(15)
        return
    store = broker.embedded.directory / "mosquitto.db"
    await eventually_async(lambda: store.exists() and words in store.read_bytes(), 30, "the broker saves")


async def test_retained_messages_and_accounts_survive_kill_9(house: Database, broker: Broker) -> None:
    async with client(address(broker, "board-1")) as board:
        await board.publish("svitlo/devices/board-1/status", b"kept", qos=1, retain=True)
        await saved(broker, b"kept")
    broker.kill()
    broker.start()
    async with client(address(broker, "board-1")) as board:
        await board.subscribe("svitlo/devices/board-1/status", qos=1)
        async with asyncio.timeout(20):
            assert (await anext(board.messages)).payload == b"kept"


async def test_passwords_are_nowhere_in_the_database(house: Database, broker: Broker) -> None:
    password = address(broker, "board-1").password
    async with house.transaction() as session:
        rows = await session.execute(text("SELECT device_id, generation FROM device_credentials"))
        assert {tuple(row) for row in rows} == {("board-1", 1), ("board-2", 1)}
        columns = await session.execute(
            text("SELECT column_name FROM information_schema.columns WHERE table_name = 'device_credentials'")
        )
        assert password is not None
        assert {row.column_name for row in columns} == {"device_id", "generation", "rotated_at"}
