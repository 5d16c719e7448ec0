"""An admin with many places: choosing one by typing, wherever a place is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from services.notifier import people
from services.notifier.bot.admins_places import fitting
from services.notifier.bot.poller import Poller
from services.notifier.people import Realm, Role
from svitlo import registry
from tests.notifier.conftest import World
from tests.notifier.conversation import talking
from tests.support.telegram import FakeTelegram, Seen

OWNER, ADMIN = 1, 2
MANY = 30


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    """The bot, with thirty houses in a street, an owner, and an admin of another street."""
    async with world.database.transaction() as session:
        await registry.add_site(session, "street", "Вулиця Шевченка")
        for number in range(1, MANY + 1):
            await registry.add_site(session, f"sh-{number}", f"Будинок {number}", parent="street", public=False)
        other = await registry.add_site(session, "other", "Франка")
        await registry.add_site(session, "fr-7", "Будинок 7", parent="other", public=False)
        await people.grant(session, OWNER, Role.OWNER, None, actor="cli")
        await people.grant(session, ADMIN, Role.ADMIN, other.id, actor="cli")
    async with talking(world.database, telegram) as poller:
        yield poller


async def newest(telegram: FakeTelegram, chat: int, act: Callable[[], None]) -> Seen:
    """The message that answers what is done."""
    before = len(telegram.messages(chat))
    act()
    await telegram.wait_until(lambda: len(telegram.messages(chat)) > before)
    return telegram.messages(chat)[-1]


async def newsite(telegram: FakeTelegram) -> None:
    await newest(telegram, OWNER, lambda: telegram.say(OWNER, "/newsite Гараж"))
    telegram.press(OWNER, "Підходить")
    await telegram.wait_for(OWNER, "До чого належить")


async def newdevice(telegram: FakeTelegram) -> None:
    await newest(telegram, OWNER, lambda: telegram.say(OWNER, "/newdevice"))


async def role(telegram: FakeTelegram) -> None:
    await newest(telegram, OWNER, lambda: telegram.say(OWNER, "/people"))
    for label, then in (("Дати доступ", "Яку роль"), ("перегляд", "Для яких місць")):
        telegram.press(OWNER, label)
        await telegram.wait_for(OWNER, then)


async def broadcast(telegram: FakeTelegram) -> None:
    await newest(telegram, OWNER, lambda: telegram.say(OWNER, "/broadcast"))


async def correct(telegram: FakeTelegram) -> None:
    await newest(telegram, OWNER, lambda: telegram.say(OWNER, "/correct"))


@pytest.mark.parametrize(
    ("begin", "then"),
    [
        (newsite, "Хто може за ним стежити?"),
        (newdevice, "Місце: Будинок 27"),
        (role, "Кому?"),
        (broadcast, "Напишіть текст"),
        (correct, "Відключень там не записано"),
    ],
)
async def test_wherever_a_place_is_asked_for_its_name_may_be_typed(
    world: World, telegram: FakeTelegram, bot: Poller, begin: Callable[[FakeTelegram], object], then: str
) -> None:
    await begin(telegram)  # type: ignore[misc]
    assert "Усього 33 місця: оберіть або напишіть частину назви." in telegram.texts(OWNER)[-1]
    seen = await newest(telegram, OWNER, lambda: telegram.say(OWNER, "шевч 27"))
    assert seen.text == "🔎 Знайшлося 1 місце. Це воно?"
    assert seen.labels == ["Вулиця Шевченка › Будинок 27", "📋 Увесь список"]
    telegram.press(OWNER, "Будинок 27")
    await telegram.wait_for(OWNER, then)


async def test_what_fits_nothing_leaves_the_question_open(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await broadcast(telegram)
    seen = await newest(telegram, OWNER, lambda: telegram.say(OWNER, "Хрещатик"))
    assert seen.text == "🔎 Серед ваших місць такого немає.\nНапишіть коротше або припиніть: /cancel"
    telegram.press(OWNER, "Увесь список")
    await telegram.wait_until(lambda: "Кому написати?" in seen.text)
    telegram.press(OWNER, "Наступні")
    await telegram.wait_until(lambda: "‹ Попередні" in seen.labels)
    found = await newest(telegram, OWNER, lambda: telegram.say(OWNER, "sh-30"))
    assert found.labels[0] == "Вулиця Шевченка › Будинок 30"


async def test_a_new_boards_place_may_be_named_at_once(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    seen = await newest(telegram, OWNER, lambda: telegram.say(OWNER, "/newdevice Шевченка 27"))
    assert seen.labels == ["Вулиця Шевченка › Будинок 27", "📋 Увесь список"]
    telegram.press(OWNER, "Будинок 27")
    await telegram.wait_for(OWNER, "Місце: Будинок 27")
    telegram.say(OWNER, "/newdevice Хрещатик")
    await telegram.wait_for(OWNER, "Такого місця немає або воно не ваше. Оберіть зі списку.")


async def test_a_search_finds_only_what_one_may_change(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    seen = await newest(telegram, ADMIN, lambda: telegram.say(ADMIN, "/correct"))
    assert "Усього" not in seen.text, "two places are seen at once"
    found = await newest(telegram, ADMIN, lambda: telegram.say(ADMIN, "Будинок 7"))
    assert found.labels == ["Франка › Будинок 7", "📋 Увесь список"]
    found = await newest(telegram, ADMIN, lambda: telegram.say(ADMIN, "Будинок 27"))
    assert found.labels == ["📋 Увесь список"]


async def test_what_was_typed_for_the_broadcast_is_kept_while_its_place_is_looked_for(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    house = (await world.rows("SELECT id FROM sites WHERE slug = 'sh-5'"))[0]
    chat = await world.chat(50)
    await world.run("INSERT INTO subscriptions (chat, site_id) VALUES (:chat, :site)", chat=chat.id, site=house.id)
    await newest(telegram, OWNER, lambda: telegram.say(OWNER, "/broadcast Завтра ремонт"))
    await newest(telegram, OWNER, lambda: telegram.say(OWNER, "Шевченка 5"))
    telegram.press(OWNER, "Будинок 5")
    await telegram.wait_for(OWNER, "📣 Завтра ремонт")


def test_an_exact_short_name_comes_first() -> None:
    realms = [Realm(key, slug, name, name, True) for key, slug, name in ((1, "a", "Дім b"), (2, "b", "Школа"))]
    assert [realm.id for realm in fitting(realms, " B ")] == [2, 1]
    assert fitting(realms, "вокзал") == []
