"""Broadcasts: who gets them, after the alerts, how far they have come, and how they are stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.notifier import broadcasts, chats, people, store
from services.notifier.bot.admins_chores import Chores
from services.notifier.bot.admins_desk import Act
from services.notifier.bot.context import Context
from services.notifier.channels.telegram import TelegramChannel, make_bot
from services.notifier.pacing import TELEGRAM, Pace
from services.notifier.people import Role
from svitlo import registry
from svitlo.clock import utc_now
from tests.notifier.conftest import KYIV, World, sending, until
from tests.notifier.conversation import talking
from tests.support.telegram import FakeTelegram

OWNER, ADMIN = 1, 2


@contextlib.asynccontextmanager
async def working(world: World, telegram: FakeTelegram) -> AsyncIterator[None]:
    """The bot and its chores at work."""
    context = Context(database=world.database, language="uk", zone=KYIV)
    chores = Chores(
        context, make_bot(telegram.token, telegram.url, 2.0), Pace(TELEGRAM), poll_s=0.05, again=timedelta(seconds=0.1)
    )
    task = asyncio.create_task(chores.run())
    try:
        async with talking(world.database, telegram):
            yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await chores.close()


@contextlib.asynccontextmanager
async def delivering(world: World, telegram: FakeTelegram) -> AsyncIterator[None]:
    channel = TelegramChannel(telegram.token, telegram.url, timeout_s=5.0)
    try:
        async with sending(world, channel):
            yield
    finally:
        await channel.close()


@pytest.fixture
async def city(world: World) -> None:
    """Two houses of a city and a village; chats that follow one, both, and the village; an owner, an admin."""
    await world.site("city", "Місто")
    house = await world.site("house", "Будинок", parent="city")
    school = await world.site("school", "Школа", parent="city")
    village = await world.site("village", "Село")
    await world.chat(101, house)
    await world.chat(102, house, school, language="en")
    await world.chat(103, village)
    await world.chat(104)
    async with world.database.transaction() as session:
        gone = await chats.meet(session, chats.TELEGRAM, 105, "uk")
        await chats.subscribe(session, gone.id, house.id)
        await chats.close_chat(session, gone.id, "blocked")
        await people.grant(session, OWNER, Role.OWNER, None, actor="cli")
        await people.grant(session, ADMIN, Role.ADMIN, house.id, actor="cli")


async def site(world: World, slug: str) -> registry.SiteRow:
    async with world.database.transaction() as session:
        return await registry.get_site(session, slug)


async def send(world: World, site: int | None = None, said: str = "Завтра роботи") -> UUID:
    async with world.database.transaction() as session:
        made = await broadcasts.draft(session, OWNER, site, said, utc_now())
        await broadcasts.send(session, made, site, actor="telegram:1")
    return made


async def preview(telegram: FakeTelegram, user: int, place: str, said: str) -> str:
    telegram.say(user, f"/broadcast {said}")
    await telegram.wait_for(user, "Кому написати?")
    telegram.press(user, place)
    return (await telegram.wait_for(user, "Виглядатиме так")).text


async def test_from_the_preview_to_the_last_chat(world: World, telegram: FakeTelegram, city: None) -> None:
    async with working(world, telegram):
        seen = await preview(telegram, OWNER, "Усім", "Завтра роботи <б> & шум")
        assert seen == "Отримають 3 чати. Виглядатиме так:\n\n📣 Завтра роботи <б> & шум"
        assert telegram.texts(101) == []
        telegram.press(OWNER, "Надіслати")
        await telegram.wait_for(OWNER, "Надсилаю: 0 з 3")
        async with delivering(world, telegram):
            await telegram.wait_for(OWNER, "✅ Надіслано: 3 чати")
    assert [telegram.texts(chat) for chat in (101, 102, 103, 104, 105)] == [
        *[["📣 Завтра роботи <б> & шум"]] * 3,
        [],
        [],
    ]
    await until(lambda: empty(world))
    rows = await world.rows("SELECT actor, details FROM audit_log WHERE action = 'broadcast.send'")
    assert [(row.actor, row.details["chats"]) for row in rows] == [("telegram:1", 3)]
    assert (await world.rows("SELECT state FROM broadcasts"))[0].state == "done"


async def empty(world: World) -> bool:
    return not await world.rows("SELECT 1 FROM chores")


async def test_an_admin_reaches_the_own_places_only(world: World, telegram: FakeTelegram, city: None) -> None:
    async with working(world, telegram):
        telegram.say(ADMIN, "/broadcast Привіт")
        seen = await telegram.wait_for(ADMIN, "Кому написати?")
        assert seen.labels == ["Будинок"]
        telegram.press_data(ADMIN, Act(do="cast", what="0").pack(), seen.message_id)
        await telegram.wait_for(ADMIN, "вже закінчилася")
        assert "Отримають 2 чати" in await preview(telegram, ADMIN, "Будинок", "Привіт")


async def test_the_text_may_come_after_the_place_and_long_ones_are_refused(
    world: World, telegram: FakeTelegram, city: None
) -> None:
    async with working(world, telegram):
        telegram.say(OWNER, "/broadcast")
        await telegram.wait_for(OWNER, "Кому")
        telegram.press(OWNER, "Село")
        await telegram.wait_for(OWNER, "Напишіть текст")
        telegram.say(OWNER, "я" * 3501)
        await telegram.wait_for(OWNER, "Задовго")
        telegram.say(OWNER, "Світла не буде")
        await telegram.wait_for(OWNER, "Отримає 1 чат.")
        telegram.press(OWNER, "Не надсилати")
        await telegram.wait_for(OWNER, "не надсилаю")
    assert await world.rows("SELECT 1 FROM deliveries") == []
    assert await world.rows("SELECT 1 FROM broadcasts") == []


async def test_buttons_nobody_made_do_nothing(world: World, telegram: FakeTelegram, city: None) -> None:
    made = await send(world)
    async with working(world, telegram):
        for do, what in (("castgo", "junk"), ("castno", "junk"), ("caststop", "junk"), ("caststop", made.hex)):
            telegram.press_data(ADMIN, Act(do=do, what=what).pack(), 1)
        await telegram.wait_until(lambda: len(telegram.answers) == 4)
    assert (await world.rows("SELECT state FROM broadcasts"))[0].state == "sending"


async def test_nobody_to_write_to_is_said(world: World, telegram: FakeTelegram, city: None) -> None:
    await world.site("empty", "Пустир")
    async with working(world, telegram):
        telegram.say(OWNER, "/broadcast Агов")
        await telegram.wait_for(OWNER, "Кому")
        telegram.press(OWNER, "Пустир")
        await telegram.wait_for(OWNER, "надсилати нікому")


async def test_it_is_sent_once_however_often_the_button_is_pressed(
    world: World, telegram: FakeTelegram, city: None
) -> None:
    async with working(world, telegram):
        await preview(telegram, OWNER, "Усім", "Раз")
        seen = telegram.messages(OWNER)[-1]
        data = seen.buttons[0]["callback_data"]
        for _ in range(3):
            telegram.press_data(OWNER, data, seen.message_id)
        await telegram.wait_until(lambda: len(telegram.answers) == 4)
    assert len(await world.rows("SELECT 1 FROM deliveries")) == 3


async def test_stopping_keeps_what_was_sent_and_drops_the_rest(
    world: World, telegram: FakeTelegram, city: None
) -> None:
    async with working(world, telegram):
        await preview(telegram, OWNER, "Усім", "Стривайте")
        telegram.press(OWNER, "Надіслати")
        await telegram.wait_for(OWNER, "Надсилаю: 0 з 3")
        telegram.press(OWNER, "Зупинити")
        await telegram.wait_for(OWNER, "⏹ Зупинено. Встигли отримати 0 чатів\nНе надсилалося: 3")
        async with delivering(world, telegram):
            await asyncio.sleep(0.3)
    assert telegram.texts(101) == []
    assert {row.state for row in await world.rows("SELECT state FROM deliveries")} == {"dropped"}
    assert (await world.rows("SELECT state FROM broadcasts"))[0].state == "cancelled"


async def test_progress_goes_on_after_a_restart(world: World, telegram: FakeTelegram, city: None) -> None:
    async with working(world, telegram):
        await preview(telegram, OWNER, "Усім", "Довго")
        telegram.press(OWNER, "Надіслати")
        await telegram.wait_for(OWNER, "Надсилаю: 0 з 3")
    async with delivering(world, telegram):
        await telegram.wait_for(103, "Довго")
    # Whoever had the chore when it ended lets it go when its lease does.
    await world.run("UPDATE chores SET due_at = now()")
    async with working(world, telegram):
        await telegram.wait_for(OWNER, "✅ Надіслано: 3 чати")


async def test_an_alert_overtakes_the_broadcasts_of_its_own_and_of_all_chats(
    world: World, telegram: FakeTelegram, city: None
) -> None:
    await send(world)
    await world.event(await site(world, "village"))
    await world.plan()
    async with world.database.transaction() as session:
        claimed = [
            (one.kind, one.address.chat_id)
            for _ in range(3)
            for one in await store.claim(session, store.Reach("telegram"), 1, 30)
        ]
    assert claimed == [("event", 103), ("broadcast", 101), ("broadcast", 102)]


async def test_while_the_alert_is_under_way_the_broadcast_waits(
    world: World, telegram: FakeTelegram, city: None
) -> None:
    await send(world)
    await world.event(await site(world, "village"))
    await world.plan()
    async with delivering(world, telegram):
        await telegram.wait_for(103, "Завтра роботи")
    assert [text.split()[0] for text in telegram.texts(103)] == ["🔌", "📣"]


async def test_in_quiet_hours_it_makes_no_sound(world: World, telegram: FakeTelegram, city: None) -> None:
    local = datetime.now(UTC).astimezone(KYIV)
    minute = local.hour * 60 + local.minute
    await world.run(
        "UPDATE subscriptions SET quiet_from = :a, quiet_to = :b "
        "WHERE chat = (SELECT id FROM chats WHERE chat_id = 101)",
        a=(minute - 60) % 1440,
        b=(minute + 60) % 1440,
    )
    await world.run("UPDATE chats SET muted_until = now() + interval '1 hour' WHERE chat_id = 102")
    await send(world)
    async with delivering(world, telegram):
        for chat in (101, 102, 103):
            await telegram.wait_for(chat, "Завтра роботи")
    assert [telegram.messages(chat)[0].silent for chat in (101, 102, 103)] == [True, True, False]
