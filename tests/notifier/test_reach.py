"""Private places: found and followed by those whose roles reach them, and told no longer once the role is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.notifier import people
from services.notifier.bot.admins_desk import Act as Take
from services.notifier.bot.keyboards import Act, Press
from services.notifier.bot.poller import Poller
from services.notifier.bot.reports import Choose, Report
from services.notifier.people import Role
from svitlo import registry
from tests.notifier.conftest import World, all_sent, notifying, until
from tests.notifier.conversation import followed, talking
from tests.support.telegram import FakeTelegram

OWNER, VIEWER, STRANGER = 1, 3, 4


@pytest.fixture
async def house(world: World) -> registry.SiteRow:
    """A public town with a private house of a private flat, beside it a private dacha; a viewer of the house."""
    await world.site("town", "Місто")
    house = await world.site("house", "Шевченка 12", public=False, parent="town")
    await world.site("flat", "Квартира 5", public=False, parent="house")
    await world.site("dacha", "Дача", public=False)
    async with world.database.transaction() as session:
        await people.grant(session, OWNER, Role.OWNER, None, actor="cli")
        await people.grant(session, VIEWER, Role.VIEWER, house.id, actor="cli")
    return house


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram, house: registry.SiteRow) -> AsyncIterator[Poller]:
    async with talking(world.database, telegram) as poller:
        yield poller


async def test_a_viewer_goes_down_the_tree_to_a_private_place_and_follows_it(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.say(VIEWER, "/start")
    seen = await telegram.wait_for(VIEWER, "Оберіть")
    assert seen.labels == ["❔ Місто ›"], "the dacha is out of reach"
    telegram.press(VIEWER, "Місто")
    await telegram.wait_until(lambda: "❔ Шевченка 12 🔒 ›" in seen.labels)
    telegram.press(VIEWER, "Шевченка 12")
    await telegram.wait_until(lambda: "❔ Квартира 5 🔒" in seen.labels)
    telegram.press(VIEWER, "Квартира 5")
    await telegram.wait_for(VIEWER, "✅ Стежу: Шевченка 12 › Квартира 5")
    assert await followed(world, VIEWER) == ["flat"]


async def test_following_all_of_a_place_takes_in_the_private_ones_within_reach(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    for chat in (VIEWER, STRANGER):
        telegram.say(chat, "/subscribe town")
        await telegram.wait_for(chat, "✅ Стежу: Місто")
    assert await followed(world, VIEWER) == ["house", "town"], "with the house goes the flat in it"
    assert await followed(world, STRANGER) == ["town"]
    for slug in ("house", "flat"):
        await world.event((await world.rows("SELECT id, slug FROM sites WHERE slug = :slug", slug=slug))[0])
    await world.plan()
    assert [len(await world.states(chat)) for chat in (VIEWER, STRANGER)] == [2, 0]


@pytest.mark.parametrize("way", ["/start s_flat", "/subscribe flat", "https://t.me/x_bot?start=s_flat"])
async def test_links_open_a_private_place_to_those_whose_role_reaches_it(
    world: World, telegram: FakeTelegram, bot: Poller, way: str
) -> None:
    for chat, then in ((VIEWER, "Стежу"), (OWNER, "Стежу"), (STRANGER, "🔎")):
        telegram.say(chat, way)
        await telegram.wait_for(chat, then)
    telegram.say(VIEWER, way.replace("flat", "dacha"))
    await telegram.wait_for(VIEWER, "🔎")
    assert [await followed(world, chat) for chat in (VIEWER, OWNER, STRANGER)] == [["flat"], ["flat"], []]


async def test_typing_and_status_show_a_private_place_to_its_viewer_only(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.say(VIEWER, "/status")
    seen = await telegram.wait_for(VIEWER, "Місця, які вам видно:")
    assert "Шевченка 12" in seen.text
    assert "Дача" not in seen.text
    telegram.say(VIEWER, "шевченка")
    seen = await telegram.wait_for(VIEWER, "Знайшлося")
    assert "❔ Місто, Шевченка 12 🔒" in seen.labels
    telegram.say(STRANGER, "/status")
    seen = await telegram.wait_for(STRANGER, "Відкриті місця")
    assert "Шевченка 12" not in seen.text
    telegram.say(STRANGER, "шевченка")
    seen = await telegram.wait_for(STRANGER, "Нічого не знайшлося")
    assert seen.labels == ["📋 Увесь список"]


async def test_the_history_of_a_private_place_is_open_as_far_as_the_role_reaches(
    world: World, telegram: FakeTelegram, bot: Poller, house: registry.SiteRow
) -> None:
    telegram.say(VIEWER, "/history")
    seen = await telegram.wait_for(VIEWER, "Історія якого місця?")
    assert seen.labels == ["Квартира 5", "Місто", "Місто › Шевченка 12"]
    telegram.press(VIEWER, "Шевченка 12")
    await telegram.wait_until(lambda: "відключень ще не було" in seen.text)
    telegram.say(STRANGER, "/help")
    theirs = await telegram.wait_for(STRANGER, "/places")
    for chat, message in ((STRANGER, theirs), (-5, theirs)):
        press = Choose(report=Report.HISTORY, site=house.id).pack()
        telegram.press_data(chat, press, message.message_id, user_id=VIEWER if chat < 0 else chat)
    await telegram.wait_until(lambda: telegram.answers.count("Цього місця тут не видно.") == 2)


async def test_a_role_opens_nothing_in_a_group_nor_to_a_forged_button(
    world: World, telegram: FakeTelegram, bot: Poller, house: registry.SiteRow
) -> None:
    telegram.group(-5, admins=[VIEWER])
    for said in ("/subscribe house", "/link house", "/start"):
        telegram.say(-5, said, user_id=VIEWER)
    seen = await telegram.wait_for(-5, "Оберіть")
    assert seen.labels == ["❔ Місто"]
    for chat in (-5, STRANGER):
        press = Press(act=Act.FOLLOW, site=house.id, page=0).pack()
        telegram.press_data(chat, press, seen.message_id, user_id=abs(chat) if chat > 0 else VIEWER)
    await telegram.wait_until(lambda: telegram.answers.count("Цього місця більше немає. Знайти інше: /start") == 2)
    assert await followed(world, -5) == await followed(world, STRANGER) == []


async def test_with_the_role_goes_what_was_followed_of_private_places_and_the_person_is_told(
    world: World, telegram: FakeTelegram, bot: Poller, house: registry.SiteRow
) -> None:
    telegram.say(VIEWER, "/subscribe flat")
    await telegram.wait_for(VIEWER, "Стежу")
    telegram.say(STRANGER, f"/start i_{house.invite}")
    await telegram.wait_for(STRANGER, "Стежу")
    await world.chat(VIEWER, await world.site("school", "Школа"))
    telegram.say(VIEWER, "/subscribe house")
    await telegram.wait_for(VIEWER, "Стежу: Місто › Шевченка 12")
    await world.event(house)
    await world.plan()
    telegram.say(OWNER, "/people")
    await telegram.wait_for(OWNER, "3 — перегляд, Шевченка 12")
    telegram.press(OWNER, "✖ 3")
    await telegram.wait_for(OWNER, "Забрати доступ?")
    telegram.press(OWNER, "Забрати")
    await telegram.wait_for(OWNER, "людина більше не стежить за 2 приватними місцями; повідомляю їй про це.")
    told = await telegram.wait_for(VIEWER, "🔕 Ваш доступ скасовано")
    assert "• Місто › Шевченка 12" in told.text
    assert await followed(world, VIEWER) == ["school"], "public places stay"
    assert await world.deliveries(VIEWER) == [("dropped", "unsubscribed")]
    async with notifying(world, telegram):
        await world.event(house)
        await telegram.wait_for(STRANGER, "світла немає")
        await until(lambda: all_sent(world, STRANGER))
    assert not [text for text in telegram.texts(VIEWER) if "світла немає" in text]


async def test_what_another_role_still_reaches_stays(
    world: World, telegram: FakeTelegram, bot: Poller, house: registry.SiteRow
) -> None:
    async with world.database.transaction() as session:
        await people.grant(session, VIEWER, Role.VIEWER, None, actor="cli")
    telegram.say(VIEWER, "/subscribe flat")
    await telegram.wait_for(VIEWER, "Стежу")
    telegram.say(VIEWER, "/subscribe dacha")
    await telegram.wait_for(VIEWER, "Дача")
    telegram.say(OWNER, "/people")
    await telegram.wait_for(OWNER, "Хто що може")
    grant = (await world.rows("SELECT id FROM people WHERE user_id = 3 AND site_id IS NULL"))[0].id
    telegram.press_data(OWNER, Take(do="taken", what=str(grant)).pack(), telegram.messages(OWNER)[0].message_id)
    await telegram.wait_for(OWNER, "не стежить за 1 приватним місцем")
    assert await followed(world, VIEWER) == ["flat"]
