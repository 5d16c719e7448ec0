"""Admins at the bot: roles and new places, in conversation over the real client."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from services.notifier import people
from services.notifier.bot.admins_desk import Act
from services.notifier.bot.poller import Poller
from services.notifier.people import Role
from services.notifier.slugs import slug_of
from svitlo import registry
from svitlo.clock import utc_now
from tests.notifier.conftest import World
from tests.notifier.conversation import talking
from tests.support.telegram import BOT_NAME, FakeTelegram

OWNER, ADMIN, VIEWER, STRANGER = 1, 2, 3, 4


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    """The bot, with an owner, an admin of a house and a viewer of it."""
    await world.site("city", "Місто")
    house = await world.site("house", "Шевченка 12", public=False, parent="city")
    await world.site("school", "Школа", parent="city")
    async with world.database.transaction() as session:
        await people.grant(session, OWNER, Role.OWNER, None, actor="cli")
        await people.grant(session, ADMIN, Role.ADMIN, house.id, actor="cli")
        await people.grant(session, VIEWER, Role.VIEWER, house.id, actor="cli")
    async with talking(world.database, telegram) as poller:
        yield poller


async def site(world: World, slug: str) -> registry.SiteRow | None:
    async with world.database.transaction() as session:
        return next(iter(await registry.list_sites(session, slug)), None)


async def roles(world: World) -> set[tuple[int, str, str | None]]:
    async with world.database.transaction() as session:
        return {(grant.user_id, grant.role.value, grant.site) for grant in await people.list_people(session)}


def hand_over(telegram: FakeTelegram, chat: int, **parts: Any) -> None:
    """A message without words: a contact, or one that was forwarded."""
    message = telegram._message(chat, "") | {"from": {"id": chat, "is_bot": False, "first_name": "x"}} | parts
    del message["text"]
    telegram._push(message=message)


async def test_the_first_owner_comes_by_a_word_that_works_once(world: World, telegram: FakeTelegram) -> None:
    async with world.database.transaction() as session:
        word = await people.invite(session, Role.OWNER, None, utc_now(), actor="cli")
    async with talking(world.database, telegram):
        telegram.say(7, "/own wrong")
        await telegram.wait_for(7, "Це слово не підходить")
        telegram.say(7, f"/own {word}")
        await telegram.wait_for(7, "Ваша роль: власник, усі місця")
        telegram.say(8, f"/own {word}", language="en")
        await telegram.wait_for(8, "That word is not good")
        telegram.say(7, "/admin")
        await telegram.wait_for(7, "/people")
    assert await roles(world) == {(7, "owner", None)}


async def test_strangers_and_groups_are_told_nothing(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    for command in ("/admin", "/people", "/newsite Хата"):
        telegram.say(STRANGER, command)
    await telegram.wait_until(lambda: len(telegram.messages(STRANGER)) == 3)
    assert {*telegram.texts(STRANGER)} == {"Це для тих, хто керує ботом. Доступ дає власник. Що я вмію для всіх: /help"}
    telegram.say(-50, "/people", user_id=OWNER)
    await telegram.wait_for(-50, "лише в особистому чаті")
    telegram.say(VIEWER, "/newsite Хата")
    await telegram.wait_for(VIEWER, "лише перегляд")
    assert await site(world, "khata") is None


async def test_an_owner_gives_a_role_by_number_contact_and_forward(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    async def choose(place: str) -> int:
        telegram.say(OWNER, "/people")
        before = len(telegram.messages(OWNER))
        await telegram.wait_until(lambda: len(telegram.messages(OWNER)) > before)
        for label, then in (("Дати доступ", "Яку роль"), ("адміністратор", "Для яких місць"), (place, "Кому?")):
            telegram.press(OWNER, label)
            await telegram.wait_until(lambda then=then: then in telegram.texts(OWNER)[-1])  # type: ignore[misc]
        return len(telegram.messages(OWNER))

    await choose("Місто › Школа")
    telegram.say(OWNER, "хтось")
    await telegram.wait_for(OWNER, "Не бачу, хто це")
    telegram.say(OWNER, "123456789")
    await telegram.wait_for(OWNER, "✅ Доступ надано: 123456789 — адміністратор, Школа")

    await choose("усі місця")
    hand_over(telegram, OWNER, contact={"phone_number": "+380", "first_name": "x", "user_id": 55})
    await telegram.wait_for(OWNER, "✅ Доступ надано: 55 — адміністратор, усі місця")

    await choose("Шевченка")
    user = {"id": 66, "is_bot": False, "first_name": "y"}
    hand_over(telegram, OWNER, forward_origin={"type": "user", "date": int(time.time()), "sender_user": user})
    await telegram.wait_for(OWNER, "✅ Доступ надано: 66 — адміністратор, Шевченка 12")
    given = {(123456789, "admin", "school"), (55, "admin", None), (66, "admin", "house")}
    assert given <= await roles(world)


async def test_a_link_gives_a_role_once(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    telegram.say(OWNER, "/people")
    await telegram.wait_for(OWNER, "Хто що може")
    for label, then in (("Дати доступ", "Яку роль"), ("перегляд", "Для яких місць"), ("Школа", "Кому?")):
        telegram.press(OWNER, label)
        await telegram.wait_for(OWNER, then)
    telegram.press(OWNER, "посилання")
    seen = await telegram.wait_for(OWNER, f"https://t.me/{BOT_NAME}?start=r_")
    assert "Роль: перегляд, Школа" in seen.text
    word = seen.text.split("start=")[1]
    telegram.say(70, f"/start {word}")
    await telegram.wait_for(70, "Ваша роль: перегляд, Школа")
    telegram.say(71, f"/start {word}")
    await telegram.wait_for(71, "не підходить")
    assert (70, "viewer", "school") in await roles(world)
    assert not [role for role in await roles(world) if role[0] == 71]


async def test_a_role_is_taken_after_a_second_question_but_the_last_owners_stays(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.say(OWNER, "/people")
    await telegram.wait_for(OWNER, "2 — адміністратор, Шевченка 12")
    telegram.press(OWNER, "✖ 2")
    await telegram.wait_for(OWNER, "Забрати доступ? 2 — адміністратор")
    telegram.press(OWNER, "Забрати")
    await telegram.wait_for(OWNER, "Доступ забрано: 2")
    telegram.say(OWNER, "/people")
    await telegram.wait_for(OWNER, "1 — власник, усі місця (це ви)")
    telegram.press(OWNER, "✖ 1")
    await telegram.wait_for(OWNER, "Забрати доступ? 1")
    telegram.press(OWNER, "Забрати")
    await telegram.wait_for(OWNER, "останній власник")
    assert await roles(world) == {(OWNER, "owner", None), (VIEWER, "viewer", "house")}


async def test_a_forged_button_moves_nobody(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    before = await roles(world)
    telegram.say(ADMIN, "/admin")
    seen = await telegram.wait_for(ADMIN, "/newsite")
    grants = await world.rows("SELECT id FROM people WHERE role = 'owner'")
    for act in (Act(do="taken", what=str(grants[0].id)), Act(do="role", what="owner"), Act(do="rolelink")):
        telegram.press_data(ADMIN, act.pack(), seen.message_id)
    await telegram.wait_until(lambda: len(telegram.answers) == 3)
    assert await roles(world) == before
    assert await world.rows("SELECT 1 FROM invitations") == []


async def test_each_step_of_a_new_place_outlives_the_process(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house", "Шевченка 12")
    async with world.database.transaction() as session:
        await people.grant(session, ADMIN, Role.ADMIN, house.id, actor="cli")
    steps: list[tuple[Callable[[], None], str]] = [
        (lambda: telegram.say(ADMIN, "/newsite"), "Як зветься місце?"),
        (lambda: telegram.say(ADMIN, "Квартира 7 & син"), "kvartyra-7-syn"),
        (lambda: telegram.say(ADMIN, "house"), "Імʼя house вже зайняте"),
        (lambda: telegram.say(ADMIN, "Кв 7"), "Так не вийде"),
        (lambda: telegram.say(ADMIN, "kv-7"), "До чого належить"),
        (lambda: telegram.press(ADMIN, "Шевченка 12"), "Хто може за ним стежити?"),
        (lambda: telegram.press(ADMIN, "Лише за запрошенням"), "✅ Місце додано: Квартира 7 & син (kv-7)"),
    ]
    for act, then in steps:
        act()
        async with talking(world.database, telegram):
            seen = await telegram.wait_for(ADMIN, then)
    made = await site(world, "kv-7")
    assert made is not None
    assert (made.name, made.parent, made.public) == ("Квартира 7 & син", "house", False)
    assert f"start=i_{made.invite}" in seen.text
    assert "/newdevice kv-7" in seen.text
    rows = await world.rows("SELECT actor FROM audit_log WHERE action = 'site.add' AND target = 'kv-7'")
    assert [row.actor for row in rows] == ["telegram:2"]


async def test_an_admin_of_a_part_makes_no_top_place(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    telegram.say(ADMIN, "/newsite Гараж")
    await telegram.wait_for(ADMIN, "harazh")
    telegram.press(ADMIN, "Підходить")
    seen = await telegram.wait_for(ADMIN, "До чого належить")
    assert seen.labels == ["Шевченка 12"]
    city = await site(world, "city")
    assert city is not None
    for what in ("0", str(city.id)):
        telegram.press_data(ADMIN, Act(do="under", what=what).pack(), seen.message_id)
    await telegram.wait_until(lambda: len(telegram.answers) == 3)
    assert await site(world, "harazh") is None
    telegram.say(OWNER, "/newsite Гараж")
    await telegram.wait_for(OWNER, "harazh")
    telegram.press(OWNER, "Підходить")
    await telegram.wait_for(OWNER, "До чого належить")
    telegram.press(OWNER, "саме по собі")
    await telegram.wait_for(OWNER, "Хто може")
    telegram.press(OWNER, "Усі")
    seen = await telegram.wait_for(OWNER, "✅ Місце додано")
    assert "start=s_harazh" in seen.text


async def test_a_step_that_was_cancelled_or_pressed_twice_is_over(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.say(OWNER, "/newsite Гараж")
    await telegram.wait_for(OWNER, "harazh")
    telegram.say(OWNER, "/cancel")
    await telegram.wait_for(OWNER, "нічого не змінено")
    telegram.press(OWNER, "Підходить")
    await telegram.wait_for(OWNER, "Ця розмова вже закінчилася")
    telegram.say(OWNER, "Школа")
    await telegram.wait_until(lambda: len(telegram.messages(OWNER)) == 3)
    assert "До чого" not in telegram.texts(OWNER)[-1]
    assert await world.rows("SELECT 1 FROM conversations") == []


async def test_who_lost_the_role_meanwhile_makes_nothing(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    telegram.say(ADMIN, "/newsite Гараж")
    await telegram.wait_for(ADMIN, "harazh")
    for label, then in (("Підходить", "До чого"), ("Шевченка", "Хто може")):
        telegram.press(ADMIN, label)
        await telegram.wait_for(ADMIN, then)
    await world.run("DELETE FROM people WHERE user_id = 2")
    telegram.press(ADMIN, "Усі")
    await telegram.wait_for(ADMIN, "вже закінчилася")
    assert await site(world, "harazh") is None


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Шевченка 12", "shevchenka-12"),
        ("вул. Їжакевича, 3/а", "vul-yizhakevycha-3-a"),
        ("Згурський зʼїзд", "zghurskyi-zizd"),
        ("Школа №5", "shkola-5"),
        ("Café", "cafe"),
        ("東京", ""),
        ("а" * 60, "a" * 40),
    ],
)
def test_slugs_are_proposed_in_the_official_spelling(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_no_button_of_admins_can_grow_over_64_bytes() -> None:
    assert len(Act(do="x" * 9, what="f" * 32, page=10**9).pack().encode()) <= 64
