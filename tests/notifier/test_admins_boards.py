"""New boards and the state of operation, over the real client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from services.notifier import people
from services.notifier.board_secrets import Secrets, derived
from services.notifier.bot.admins_chores import Chores
from services.notifier.bot.admins_desk import Act
from services.notifier.bot.context import Context
from services.notifier.bot.poller import Poller
from services.notifier.channels.telegram import make_bot
from services.notifier.pacing import TELEGRAM, Pace
from services.notifier.people import Role
from svitlo import claims, registry
from svitlo.accounts.passwords import derive_password
from svitlo.clock import utc_now
from svitlo.settings import BrokerAddress
from tests.notifier.conftest import KYIV, World, until
from tests.support.telegram import FakeTelegram

ADMIN, VIEWER, STRANGER = 2, 3, 4
SECRET = "x" * 32


class Clock:
    """The time, which a test may put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@contextlib.asynccontextmanager
async def working(world: World, telegram: FakeTelegram, clock: Clock, secrets: Secrets | None) -> AsyncIterator[None]:
    """The bot and its chores at work."""
    context = Context(database=world.database, language="uk", zone=KYIV, clock=clock, secrets=secrets)
    bot = make_bot(telegram.token, telegram.url, 10.0)
    chores = Chores(context, bot, Pace(TELEGRAM), poll_s=0.05, again=timedelta(seconds=0.1))
    poller = Poller(telegram.token, context, Pace(TELEGRAM), api_url=telegram.url, timeout_s=10.0, poll_s=5)
    tasks = [asyncio.create_task(chores.run()), asyncio.create_task(poller.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await chores.close()
        await poller.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def house(world: World) -> registry.SiteRow:
    made = await world.site("house", "Шевченка 12", public=False)
    await world.site("other", "Інший")
    async with world.database.transaction() as session:
        await people.grant(session, ADMIN, Role.ADMIN, made.id, actor="cli")
        await people.grant(session, VIEWER, Role.VIEWER, made.id, actor="cli")
    return made


KNOWN = derived(SECRET, BrokerAddress("power.example.org", 1883))


async def devices(world: World) -> list[registry.DeviceRow]:
    async with world.database.transaction() as session:
        return await registry.list_devices(session)


async def chores(world: World, *kinds: str) -> bool:
    return [row.kind for row in await world.rows("SELECT kind FROM chores ORDER BY kind")] == list(kinds)


async def test_what_telegram_tells_again_makes_no_second_board(
    world: World, telegram: FakeTelegram, clock: Clock, house: registry.SiteRow
) -> None:
    telegram.say(ADMIN, "/newdevice house")
    telegram._updates.append({**telegram._updates[-1], "update_id": telegram._count("update")})
    async with working(world, telegram, clock, KNOWN):
        await telegram.wait_until(lambda: sum("✅ Плату" in text for text in telegram.texts(ADMIN)) == 2)
        await until(lambda: chores(world, "beat", "delete"))
    assert len(await devices(world)) == 1
    assert sum("Пароль" in text for text in telegram.texts(ADMIN)) == 1


async def test_a_board_is_made_and_its_credentials_are_shown_and_go_again(
    world: World, telegram: FakeTelegram, clock: Clock, house: registry.SiteRow, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with working(world, telegram, clock, KNOWN):
        telegram.say(ADMIN, "/newdevice house")
        shown = await telegram.wait_for(ADMIN, "Показую один раз: за 10 хвилин")
        await telegram.wait_for(ADMIN, "чекаю на перший сигнал")
        (device,) = await devices(world)
        password = derive_password(SECRET, device.id, 1)
        assert f"Пароль: {password}" in shown.text
        assert "mqtt://power.example.org:1883" in shown.text
        (code,) = (line for line in shown.text.split("\n") if line.startswith("svitlo1."))
        assert claims.decode(code)["password"] == password
        assert device.sites == ("house",)
        await asyncio.sleep(0.3)
        assert shown.message_id in [seen.message_id for seen in telegram.messages(ADMIN)]
        clock.ahead = timedelta(minutes=10, seconds=1)
        await telegram.wait_until(
            lambda: shown.message_id not in [seen.message_id for seen in telegram.messages(ADMIN)]
        )
    assert password not in caplog.text
    assert password not in str(await world.rows("SELECT * FROM chores"))
    rows = await world.rows("SELECT actor, target FROM audit_log WHERE action = 'device.add'")
    assert [tuple(row) for row in rows] == [("telegram:2", device.id)]


async def test_the_first_beat_is_told_in_the_same_message(
    world: World, telegram: FakeTelegram, clock: Clock, house: registry.SiteRow
) -> None:
    async with working(world, telegram, clock, KNOWN):
        telegram.say(ADMIN, "/newdevice house")
        waiting = await telegram.wait_for(ADMIN, "чекаю на перший сигнал")
        (device,) = await devices(world)
        await world.run(
            "UPDATE devices SET last_seen_at = now() - interval '12 seconds', rssi = -61 WHERE id = :id", id=device.id
        )
        beat = await telegram.wait_for(ADMIN, "сигнал отримано 12 с тому, −61 дБм")
        assert beat.message_id == waiting.message_id
        clock.ahead = timedelta(seconds=61)
        await telegram.wait_for(ADMIN, "отримано 1 хв тому")
        await until(lambda: chores(world, "delete"))


async def test_after_ten_minutes_without_a_beat_it_says_what_to_check_even_after_a_restart(
    world: World, telegram: FakeTelegram, clock: Clock, house: registry.SiteRow
) -> None:
    async with working(world, telegram, clock, KNOWN):
        telegram.say(ADMIN, "/newdevice house")
        await until(lambda: chores(world, "beat", "delete"))
    clock.ahead = timedelta(minutes=11)
    async with working(world, telegram, clock, KNOWN):
        gave_up = await telegram.wait_for(ADMIN, "за 10 хвилин сигналу немає")
        assert "power.example.org:1883" in gave_up.text
        await telegram.wait_until(lambda: "Пароль" not in str(telegram.texts(ADMIN)))


async def test_a_bot_without_the_secret_says_where_to_look(
    world: World, telegram: FakeTelegram, clock: Clock, house: registry.SiteRow
) -> None:
    async with working(world, telegram, clock, None):
        telegram.say(ADMIN, "/newdevice house", language="en")
        shown = await telegram.wait_for(ADMIN, "this bot does not have it")
        (device,) = await devices(world)
        lines = shown.text.split("\n")
        assert f"svitlo device claim {device.id}" in lines, "to be copied as it is"
        assert f"docker compose exec ingest svitlo device claim {device.id}" in lines
        assert claims.SETUP_URL.rstrip("/") in shown.text
        assert f"<code>svitlo device claim {device.id}</code>" in shown.html
        await telegram.wait_for(ADMIN, "waiting for the first heartbeat")


async def test_behind_tls_the_code_comes_from_the_server(
    world: World, telegram: FakeTelegram, clock: Clock, house: registry.SiteRow
) -> None:
    async with working(world, telegram, clock, derived(SECRET, BrokerAddress("b.example.org", 8883, tls=True))):
        telegram.say(ADMIN, "/newdevice house")
        shown = await telegram.wait_for(ADMIN, "Показую один раз")
        assert "mqtts://b.example.org:8883" in shown.text
        assert "--tls" in shown.text
        assert "svitlo1." not in shown.text


async def test_the_button_makes_one_board_and_only_of_an_own_place(
    world: World, telegram: FakeTelegram, clock: Clock, house: registry.SiteRow
) -> None:
    async with working(world, telegram, clock, KNOWN):
        telegram.say(ADMIN, "/newdevice other")
        seen = await telegram.wait_for(ADMIN, "не ваше")
        assert seen.labels == ["Шевченка 12"]
        for _ in range(2):
            telegram.press_data(ADMIN, Act(do="device", what=str(house.id)).pack(), seen.message_id)
        await telegram.wait_until(lambda: len(telegram.answers) == 2)
        telegram.say(VIEWER, "/newdevice house")
        await telegram.wait_for(VIEWER, "лише перегляд")
        telegram.say(-9, "/newdevice house", user_id=ADMIN)
        await telegram.wait_for(-9, "лише в особистому чаті")
        assert telegram.texts(-9) == ["Про це — лише в особистому чаті зі мною."]
    assert len(await devices(world)) == 1


async def test_ops_tells_of_chats_queue_failures_and_silent_boards_first(
    world: World, telegram: FakeTelegram, clock: Clock, house: registry.SiteRow
) -> None:
    async with world.database.transaction() as session:
        for name, site in (("alive", "house"), ("silent", "house"), ("never", "house"), ("foreign", "other")):
            await registry.add_device(session, site, name)
    await world.run(
        "UPDATE devices SET last_seen_at = now() - interval '5 seconds', interval_s = 10 WHERE id = 'alive'"
    )
    await world.run("UPDATE devices SET last_seen_at = now() - interval '3 hours' WHERE id = 'silent'")
    chat = await world.chat(50, house)
    await world.chat(51, house)
    await world.run("UPDATE chats SET active = false WHERE chat_id = 51")
    await world.run(
        "INSERT INTO deliveries (kind, chat, payload, state, attempts, error, created_at) VALUES "
        "('note', :chat, '{}', 'pending', 0, NULL, now() - interval '125 seconds'), "
        "('note', :chat, '{}', 'failed', 1, 'message <too> long', now()), "
        "('note', :chat, '{}', 'failed', 1, 'message <too> long', now())",
        chat=chat.id,
    )
    async with working(world, telegram, clock, None):
        telegram.say(VIEWER, "/ops")
        seen = await telegram.wait_for(VIEWER, "Чатів:")
        telegram.say(STRANGER, "/ops")
        await telegram.wait_for(STRANGER, "Це для тих")
    lines = seen.text.split("\n")
    assert lines[0] == "Чатів: 2, недоступних: 1"
    assert lines[1] == "У черзі 1 повідомлення, найдавніше чекає 2 хв"
    assert lines[3:5] == ["Не доставлено за добу:", "• 2 × message <too> long"]
    assert [line.split("(")[1].split(")")[0] for line in lines[7:]] == ["never", "silent", "alive"]
    assert [line[0] for line in lines[7:]] == ["🔇", "🔇", "💓"]
