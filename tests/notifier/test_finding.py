"""Finding a place: the tree, typing, links; and what people read on the way."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from services.notifier.bot.keyboards import Act, Press, Rule, tree_board
from services.notifier.bot.poller import Poller
from services.notifier.places import Spot, Tree
from services.notifier.texts import words
from services.notifier.views import Reader, SiteStatus, short_path
from services.notifier.views.finding import (
    Followed,
    branch_text,
    followed_text,
    found_label,
    found_text,
    hello_text,
    places_text,
    spot_label,
)
from svitlo.contracts import PowerState, SiteStateWord
from tests.notifier.conftest import KYIV, World, notifying
from tests.notifier.conversation import followed, talking
from tests.support.telegram import BOT_NAME, FakeTelegram

NOW = datetime(2026, 11, 20, 18, 10, tzinfo=UTC)  # 20:10 in Kyiv


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    async with talking(world.database, telegram) as poller:
        yield poller


async def town(world: World) -> None:
    """A region with a building of two sections and one without; the building's entrance hall is private."""
    await world.site("center", "Центр")
    await world.site("sh-12", "Шевченка 12", parent="center")
    await world.site("sh-12-1", "Секція 1", parent="sh-12")
    await world.site("hall", "Хол", public=False, parent="sh-12")
    await world.site("hall-2", "Секція 2", parent="hall")
    await world.site("myru-5", "Проспект Миру 5", parent="center")
    await world.site("dacha", "Дача", public=False)


# In conversation.


async def test_from_the_region_over_the_building_to_a_section(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await town(world)
    telegram.say(1, "/start")
    seen = await telegram.wait_for(1, "Оберіть місце або просто напишіть адресу:")
    assert seen.labels == ["❔ Центр ›"]
    telegram.press(1, "Центр")
    await telegram.wait_for(
        1,
        lambda seen: seen.labels == ["🔔 Стежити за всім одразу", "❔ Проспект Миру 5", "❔ Шевченка 12 ›", "‹ Назад"],
    )
    telegram.press(1, "Шевченка 12")
    seen = await telegram.wait_for(1, "📍 Центр › Шевченка 12\n❔ Стан невідомий")
    assert seen.labels == ["🔔 Стежити за всім одразу", "❔ Секція 1", "❔ Секція 2", "‹ Назад"]  # but not the hall
    telegram.press(1, "Назад")
    await telegram.wait_for(1, lambda seen: "❔ Шевченка 12 ›" in seen.labels)
    telegram.press(1, "Шевченка 12")
    await telegram.wait_for(1, "📍 Центр › Шевченка 12")
    telegram.press(1, "Секція 2")
    seen = await telegram.wait_for(1, "✅ Стежу: Шевченка 12 › Секція 2")
    assert seen.text.endswith("\n❔ Стан невідомий\nНапишу, щойно світло зникне чи зʼявиться.")
    assert seen.labels == ["⚙️ Налаштування", "➕ Додати місце"]
    assert await followed(world, 1) == ["hall-2"]
    assert len(telegram.messages(1)) == 1, "one message, edited in place"


async def test_a_section_is_named_with_its_building_in_status_reports_and_the_wizard(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await town(world)
    for word in ("sh-12-1", "hall-2", "myru-5"):
        telegram.say(1, f"/subscribe {word}")
    telegram.say(1, "/status")
    seen = await telegram.wait_for(1, "— стан невідомий")
    assert "❔ Шевченка 12 › Секція 1 — стан невідомий" in seen.text
    telegram.say(1, "/history")
    seen = await telegram.wait_for(1, "Історія якого місця?")
    assert seen.labels == ["Центр › Проспект Миру 5", "Шевченка 12 › Секція 1", "Секція 2"], "the hall is private"
    telegram.group(-5, admins=[7])
    telegram.say(-5, "/link sh-12-1", user_id=7)
    await telegram.wait_for(-5, "• Шевченка 12 › Секція 1")
    telegram.say(-5, "/unlink", user_id=7)
    await telegram.wait_for(-5, lambda seen: "➖ Шевченка 12 › Секція 1" in seen.labels)


async def test_who_follows_a_place_without_boards_is_told_of_those_below_it(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await town(world)
    telegram.say(1, "/start")
    await telegram.wait_for(1, "Оберіть")
    telegram.press(1, "Центр")
    await telegram.wait_for(1, "📍 Центр")
    telegram.press(1, "Стежити за всім")
    seen = await telegram.wait_for(1, "✅ Стежу: Центр (за всім, що там є)\n❔ Стан невідомий")
    assert seen.labels == ["⚙️ Налаштування", "➕ Додати місце"]
    assert await followed(world, 1) == ["center"]
    section = next(row for row in await world.rows("SELECT id, slug FROM sites WHERE slug = 'hall-2'"))
    async with notifying(world, telegram):
        await world.event(section)
        await telegram.wait_for(1, "🔌 Секція 2 — світла немає")
    telegram.press(1, "Додати місце")
    await telegram.wait_for(1, lambda seen: seen.labels == ["❔ Центр ✅ ›"])
    telegram.press(1, "Центр")
    below = ["⚙️ Налаштування", "❔ Проспект Миру 5", "❔ Шевченка 12 ›", "‹ Назад"]
    await telegram.wait_for(1, lambda seen: seen.labels == below)


async def test_who_follows_a_building_is_told_of_a_section_that_is_added_later(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await town(world)
    telegram.say(1, "/subscribe sh-12")
    await telegram.wait_for(1, "✅ Стежу: Центр › Шевченка 12 (за всім, що там є)")
    new = await world.site("sh-12-3", "Секція 3", parent="sh-12")
    async with notifying(world, telegram):
        await world.event(new)
        await telegram.wait_for(1, "🔌 Шевченка 12, Секція 3 — світла немає")


async def test_who_follows_the_sections_may_follow_the_whole_building_too(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await town(world)
    for slug in ("sh-12-1", "hall-2"):
        telegram.say(1, f"/subscribe {slug}")
        await telegram.wait_for(1, "Секція 1" if slug == "sh-12-1" else "Секція 2")
    telegram.say(1, "/start s_sh-12")
    await telegram.wait_for(1, "📍 Центр › Шевченка 12")
    telegram.press(1, "Стежити за всім")
    await telegram.wait_for(1, "✅ Стежу: Центр › Шевченка 12")
    assert await followed(world, 1) == ["hall-2", "sh-12", "sh-12-1"]


async def test_a_link_to_a_place_with_others_below_it_asks_which(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await town(world)
    telegram.say(1, "/start s_sh-12")
    seen = await telegram.wait_for(1, "📍 Центр › Шевченка 12")
    assert seen.labels == ["🔔 Стежити за всім одразу", "❔ Секція 1", "❔ Секція 2", "‹ Назад"]
    assert await followed(world, 1) == []


def test_a_region_with_very_many_places_is_not_followed_all_at_once() -> None:
    tree = spots("Район", *((f"Дім {number}", "Район") for number in range(60)))
    board = tree_board(tree, tree.get(1), 0, words("uk"))
    assert board is not None
    assert board.inline_keyboard[0][0].text == "💡 Дім 0"


async def test_many_places_come_in_pages_of_eight_and_back_leads_to_the_same_page(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    for number in range(1, 19):
        await world.site(f"{'x' * 44}-{number:02}", f"Дім {number}")
    await world.site("section", "Секція", parent=f"{'x' * 44}-11")
    telegram.say(1, "/start")
    first = await telegram.wait_for(1, "Оберіть")
    assert first.labels == [*(f"❔ Дім {number}" for number in range(1, 9)), "Наступні ›"]
    telegram.press(1, "Наступні")
    second = ["❔ Дім 9", "❔ Дім 10", "❔ Дім 11 ›", *(f"❔ Дім {n}" for n in range(12, 17))]
    await telegram.wait_for(1, lambda seen: seen.labels == [*second, "‹ Попередні", "Наступні ›"])
    telegram.press(1, "Дім 11")
    await telegram.wait_for(1, "📍 Дім 11")
    telegram.press(1, "Назад")
    await telegram.wait_for(1, lambda seen: seen.labels == [*second, "‹ Попередні", "Наступні ›"])
    telegram.press(1, "Наступні")
    await telegram.wait_for(1, lambda seen: seen.labels == ["❔ Дім 17", "❔ Дім 18", "‹ Попередні"])


async def test_following_tells_at_once_how_the_place_stands(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    home = await world.site("home", "Дім & сад")
    since = datetime.now(UTC) - timedelta(hours=2, minutes=5, seconds=20)
    await world.run(
        "INSERT INTO site_state (site_id, power, state, since, updated_at) VALUES (:id, 'on', 'on', :since, now())",
        id=home.id,
        since=since,
    )
    telegram.say(1, "/start s_home")
    seen = await telegram.wait_for(1, "Стежу")
    first, state, promise = seen.text.split("\n")
    assert (first, promise) == ("✅ Стежу: Дім & сад", "Напишу, щойно світло зникне чи зʼявиться.")
    assert state.startswith("💡 Світло є з ")
    assert state.endswith("(2 год 5 хв)")
    telegram.say(1, "/start s_home")
    await telegram.wait_for(1, "✅ Уже стежу: Дім & сад\n💡 Світло є з ")


async def test_a_private_place_is_followed_by_its_invitation_and_nothing_else(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    secret = await world.site("secret", "Дача", public=False)
    await world.site("home", "Дім")
    telegram.say(1, "/start")
    await telegram.wait_for(1, "Оберіть")
    for count, said in enumerate(("/start s_secret", "/start i_secret", "/subscribe secret"), 1):
        telegram.say(1, said)
        await telegram.wait_until(partial(lambda count: len(telegram.messages(1)) > count, count))
        assert telegram.texts(1)[-1].startswith("🔎 Такого місця немає."), said
    telegram.press_data(1, Press(act=Act.FOLLOW, site=secret.id, page=0).pack(), telegram.messages(1)[0].message_id)
    await telegram.wait_until(lambda: any("більше немає" in answer for answer in telegram.answers))
    telegram.say(1, "Дача")
    await telegram.wait_for(1, "Нічого не знайшлося")
    assert await followed(world, 1) == []

    telegram.say(1, f"/start i_{secret.invite}")
    telegram.say(2, f"/subscribe {secret.invite}")
    telegram.say(3, secret.invite)
    telegram.say(4, f"ось: https://t.me/{BOT_NAME}?start=i_{secret.invite}")
    for chat in (1, 2, 3, 4):
        await telegram.wait_for(chat, "Стежу: Дача")
        assert await followed(world, chat) == ["secret"]


async def test_the_longest_name_fits_a_link_and_commands_for_other_bots_are_left_alone(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    longest = "x" * 48
    await world.site(longest, "Дім")
    payload = f"s_{longest}"
    assert re.fullmatch("[A-Za-z0-9_-]{1,64}", payload)
    telegram.say(1, f"/start {payload}")
    await telegram.wait_for(1, "✅ Стежу: Дім")
    telegram.group(-1001, admins=[7])
    telegram.say(-1001, f"/subscribe@some_other_bot {longest}", user_id=7)
    telegram.say(-1001, f"/subscribe@{BOT_NAME} {longest}", user_id=8)
    await telegram.wait_for(-1001, "лише адміністратори")
    assert await followed(world, -1001) == []
    telegram.say(-1001, f"/subscribe@{BOT_NAME} {longest}", user_id=7)
    await telegram.wait_for(-1001, "✅ Стежу: Дім")
    assert await followed(world, -1001) == [longest]
    assert len(telegram.texts(-1001)) == 2


async def test_only_admins_follow_in_a_group_and_typing_finds_nothing_there(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Дім")
    telegram.group(-5, admins=[7])
    telegram.say(-5, f"/start@{BOT_NAME}", user_id=8)
    seen = await telegram.wait_for(-5, "Оберіть місце:")
    assert "напишіть адресу" not in seen.text
    telegram.say(-5, "Дім", user_id=8)
    telegram.press(-5, "Дім", user_id=8)
    await telegram.wait_until(lambda: "Це можуть змінювати лише адміністратори." in telegram.answers)
    assert await followed(world, -5) == []
    telegram.press(-5, "Дім", user_id=7)
    await telegram.wait_for(-5, "✅ Стежу: Дім")
    assert await followed(world, -5) == ["home"]
    assert len(telegram.messages(-5)) == 1


async def test_an_admin_in_the_name_of_the_group_may_and_who_is_admin_is_asked_once_a_minute(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    for slug in ("a", "b", "c"):
        await world.site(slug, f"Дім {slug}")
    telegram.group(-5, admins=[7])
    telegram.say(-5, "/subscribe a", anonymous=True)
    await telegram.wait_for(-5, "Стежу: Дім a")
    for slug in ("b", "c"):
        telegram.say(-5, f"/subscribe {slug}", user_id=7)
        await telegram.wait_for(-5, f"Стежу: Дім {slug}")
    assert len(telegram.calls_to("getChatMember")) == 1


async def test_each_topic_of_a_forum_follows_its_own_places(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await world.site("a", "Дім А")
    await world.site("b", "Дім Б")
    telegram.group(-5, forum=True, admins=[7])
    topic = telegram.topic(-5, "Світло")
    telegram.say(-5, "/subscribe a", user_id=7, topic=topic)
    await telegram.wait_for(-5, "Стежу: Дім А")
    telegram.say(-5, "/subscribe b", user_id=7)
    seen = await telegram.wait_for(-5, "Стежу: Дім Б")
    rows = await world.rows(
        "SELECT c.topic_id, s.slug, c.kind FROM chats c JOIN subscriptions f ON f.chat = c.id "
        "JOIN sites s ON s.id = f.site_id ORDER BY c.topic_id"
    )
    assert [tuple(row) for row in rows] == [(0, "b", "supergroup"), (topic, "a", "supergroup")]
    assert [message.topic for message in telegram.messages(-5)] == [topic, 0]
    assert seen.topic == 0


async def test_a_typed_address_finds_the_place(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await town(world)
    telegram.say(1, "шевченко 12 секція 2")
    seen = await telegram.wait_for(1, "Знайшлося 1 місце. Це воно?")
    assert seen.labels == ["❔ Шевченка 12, Секція 2", "📋 Увесь список"]
    telegram.press(1, "Секція 2")
    await telegram.wait_for(1, "Стежу: Шевченка 12 › Секція 2")
    telegram.say(1, "миру")
    telegram.say(1, "<b>хтозна-що</b>")
    await telegram.wait_for(1, "Нічого не знайшлося")
    telegram.press(1, "Увесь список")
    await telegram.wait_for(1, "Оберіть місце")


async def test_places_lists_what_the_chat_follows_and_subscribe_is_the_same(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.say(1, "/places")
    await telegram.wait_for(1, "Ви ще ні за чим не стежите")
    sites = [await world.site(slug, f"Дім {slug}") for slug in ("a", "b")]
    await world.chat(1, *sites)
    telegram.say(1, "/subscribe")
    seen = await telegram.wait_for(1, "📍 Стежу за 2 місцями")
    assert seen.labels == ["⚙️ Дім a", "⚙️ Дім b", "➕ Додати місце"]
    assert "❔ Дім a\nСтан невідомий" in seen.text


async def test_unsubscribe_with_a_name_still_works(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    home = await world.site("home", "Дім")
    await world.chat(1, home)
    telegram.say(1, "/unsubscribe home")
    await telegram.wait_for(1, "Більше не стежу: Дім")
    telegram.say(1, "/unsubscribe home")
    await telegram.wait_for(1, "й не стежили")
    telegram.say(1, "/unsubscribe")
    await telegram.wait_for(1, "Ви ще ні за чим не стежите")
    assert await followed(world, 1) == []


async def test_old_buttons_and_unknown_commands_are_answered_politely(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.say(1, "/frobnicate", language="en")
    seen = await telegram.wait_for(1, "There is no such command")
    for data in ("p:f:12", "zzz", "p:o:99:-4"):
        telegram.press_data(1, data, seen.message_id, language="en")
    await telegram.wait_until(lambda: len(telegram.answers) == 3)
    assert telegram.answers[:2] == ["This button is out of date. Start here: /places"] * 2
    assert telegram.answers[2] == "That place is gone. Find another: /start"


async def test_pressing_the_same_button_twice_is_no_trouble(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await world.site("home", "Дім")
    telegram.say(1, "/start")
    await telegram.wait_for(1, "Оберіть")
    telegram.press(1, "Дім")
    telegram.press(1, "Дім")
    await telegram.wait_until(lambda: len(telegram.answers) == 2)
    await telegram.wait_for(1, "Уже стежу: Дім")
    assert await followed(world, 1) == ["home"]


def test_no_button_can_grow_over_64_bytes() -> None:
    most = 2**31 - 1
    assert len(Press(act=Act.FOLLOW, site=most, page=most).pack().encode()) <= 64
    assert len(Rule(do="mm", site=most, value=-(2**31)).pack().encode()) <= 64


# Searching.


def spots(*names: str | tuple[str, str]) -> Tree:
    """Places by name, or by name and the one above."""
    made: list[Spot] = []
    for key, entry in enumerate(names, 1):
        name, above = entry if isinstance(entry, tuple) else (entry, None)
        parent = next((spot.id for spot in made if spot.name == above), None)
        made.append(Spot(key, f"slug-{key}", name, parent, SiteStateWord.ON))
    return Tree(made)


STREETS = spots(
    "Шевченка 12",
    "Шевченка 112",
    "Шевченка 1",
    "Мар'яненка 3",
    "Привʼязна 7",
    "Ґонти 4",
    "вул. Зелена, буд. 8а",
    ("Секція 1", "Шевченка 12"),
    ("Секція 2", "Шевченка 12"),
)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("шевченка 12", "Шевченка 12"),
        ("12 ШЕВЧЕНКА", "Шевченка 12"),
        ("Шевченко, 12", "Шевченка 12"),
        ("вулиця шевченка 1", "Шевченка 1"),
        ("шевч 112", "Шевченка 112"),
        ("марʼяненка", "Мар'яненка 3"),
        ("Мар’яненка", "Мар'яненка 3"),
        ("марьяненка", None),
        ("маряненка", "Мар'яненка 3"),
        ("прив'язна", "Привʼязна 7"),
        ("Прив`язна", "Привʼязна 7"),
        ("гонти", "Ґонти 4"),
        ("зелена 8 а", "вул. Зелена, буд. 8а"),
        ("Зеле\u0301на 8а", "вул. Зелена, буд. 8а"),
        ("12 секція 2", "Секція 2"),
        ("slug 5", "Привʼязна 7"),
        ("вулиця", None),
        ("шевченка 99", None),
        ("", None),
        ("?!", None),
    ],
)
def test_search_finds_whatever_the_spelling(typed: str, first: str | None) -> None:
    found = STREETS.search(typed)
    assert (found[0].name if found else None) == first


def test_search_shows_the_best_eight() -> None:
    tree = spots(*(f"Дім {number}" for number in range(1, 30)))
    assert [spot.name for spot in tree.search("дім")] == [f"Дім {number}" for number in range(1, 9)]


def test_the_tree_orders_numbers_by_value_and_letters_by_the_ukrainian_alphabet() -> None:
    tree = spots("Дім 10", "Дім 9", "Яр", "Ївга", "Їжак", "Єва", "Ґрунт", "Гора", "Жук")
    assert [spot.name for spot in tree.under(None)] == [
        *("Гора", "Ґрунт", "Дім 9", "Дім 10", "Єва", "Жук", "Ївга", "Їжак", "Яр")
    ]


def test_a_found_place_is_shown_with_the_one_above_it_and_fits_a_button() -> None:
    long = "Житловий комплекс Зоряне сяйво над Дніпром"
    tree = spots(
        "Шевченка 12", ("Секція 1", "Шевченка 12"), ("Шевченка 12, корпус 2", "Шевченка 12"), long, ("С 1", long)
    )
    labels = [
        found_label(spot, tree)
        for name in ("Секція 1", "Шевченка 12, корпус 2", "С 1")
        for spot in tree.search(name)[:1]
    ]
    assert labels == [
        "💡 Шевченка 12, Секція 1",
        "💡 Шевченка 12, корпус 2",
        "💡 Житловий комплекс Зоряне сяйво н…, С 1",
    ]
    assert all(len(label) <= 40 for label in labels)


# What people read.


def reader(language: str) -> Reader:
    return Reader(words=words(language), zone=KYIV, now=NOW, escape=lambda text: text)


def status(state: str = "on", **known: object) -> SiteStatus:
    facts: dict[str, object] = {
        "place": "Шевченка 12",
        "state": SiteStateWord(state),
        "since": NOW - timedelta(hours=2, minutes=7),
        "cause": None,
        "power": PowerState.ON,
    }
    return SiteStatus(**(facts | known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "uk", "en"),
    [
        ("on", "💡 Світло є з 18:03 (2 год 7 хв)", "💡 Power on since 18:03 (2 h 7 min)"),
        ("off", "🔌 Світла немає з 18:03 (2 год 7 хв)", "🔌 Power off since 18:03 (2 h 7 min)"),
        ("partial", "🌗 Світло є не всюди", "🌗 Power on in parts"),
        ("late", "⏳ Плата мовчить, чекаємо", "⏳ The board is silent, waiting"),
        ("backup", "🔋 Працює резервне живлення", "🔋 On backup power"),
        ("unknown", "❔ Стан невідомий з 18:03 (2 год 7 хв)", "❔ State unknown since 18:03 (2 h 7 min)"),
        ("maintenance", "🛠 Технічні роботи (світло є)", "🛠 Maintenance (power on)"),
    ],
)
def test_following_says_how_the_place_stands(state: str, uk: str, en: str) -> None:
    said = {
        language: followed_text("Шевченка 12", status(state), reader(language), new=False) for language in ("uk", "en")
    }
    assert said == {"uk": f"✅ Уже стежу: Шевченка 12\n{uk}", "en": f"✅ Already following Шевченка 12\n{en}"}


def test_a_branch_says_where_it_is_and_how_much_of_it_is_off() -> None:
    tree = spots("Центр", ("Шевченка 12", "Центр"))
    building = tree.get(2)
    assert building is not None
    shown = status("partial", children=4, children_off=3)
    assert branch_text(tree.path(building), shown, reader("uk"), typing=True) == (
        "📍 Центр › Шевченка 12\n🌗 Світло є не всюди. Без світла 3 з 4\n\nСтежити за всім одразу чи за чимось одним?"
    )
    assert branch_text(tree.path(building), shown, reader("en"), typing=True) == (
        "📍 Центр › Шевченка 12\n🌗 Power on in parts. 3 of 4 without power\n\nFollow all of it, or a single place?"
    )


@pytest.mark.parametrize(
    ("language", "typing", "said"),
    [
        ("uk", True, "👋 Я повідомляю, коли зникає і повертається світло.\nОберіть місце або просто напишіть адресу:"),
        ("uk", False, "👋 Я повідомляю, коли зникає і повертається світло.\nОберіть місце:"),
        (
            "en",
            True,
            "👋 I tell you when the power goes off and when it comes back.\nChoose a place, or just type an address:",
        ),
        ("en", False, "👋 I tell you when the power goes off and when it comes back.\nChoose a place:"),
    ],
)
def test_the_first_words(language: str, typing: bool, said: str) -> None:
    assert hello_text(reader(language), spots("Дім"), typing=typing) == said


def test_without_public_places_the_first_words_tell_how_to_get_in() -> None:
    assert hello_text(reader("uk"), Tree([]), typing=True).splitlines()[1] == (
        "Відкритих місць поки немає. Попросіть посилання-запрошення в того, хто встановив плату."
    )
    assert tree_board(Tree([]), None, 0, words("uk")) is None


@pytest.mark.parametrize(
    ("count", "uk", "en"),
    [
        (1, "🔎 Знайшлося 1 місце. Це воно?", "🔎 Found 1 place. Is this it?"),
        (2, "🔎 Знайшлося 2 місця. Оберіть своє:", "🔎 Found 2 places. Choose yours:"),
        (5, "🔎 Знайшлося 5 місць. Оберіть своє:", "🔎 Found 5 places. Choose yours:"),
    ],
)
def test_found_places_are_counted(count: int, uk: str, en: str) -> None:
    assert [found_text(count, reader(language), any_public=True) for language in ("uk", "en")] == [uk, en]


def test_the_list_of_places_marks_what_is_muted() -> None:
    places = [
        Followed(status=status(), title="Центр › Шевченка 12"),
        Followed(status=status("off"), title="Дача", muted_until=NOW + timedelta(hours=1)),
        Followed(status=status("late"), title="Офіс", silent=True),
    ]
    assert places_text(places, 3, None, reader("uk")) == (
        "📍 Стежу за 3 місцями\n"
        "\n💡 <b>Центр › Шевченка 12</b>\nСвітло є з 18:03 (2 год 7 хв)"
        "\n🔌 <b>Дача</b> 🔕\nСвітла немає з 18:03 (2 год 7 хв)"
        "\n⏳ <b>Офіс</b> 🔕\nПлата мовчить, чекаємо"
    )
    said = places_text(places[:1], 21, NOW + timedelta(hours=3), reader("en"))
    assert said == (
        "📍 Following 21 places\n🔕 All alerts are muted until 23:10. Turn on: /unmute\n"
        "\n💡 <b>Центр › Шевченка 12</b>\nPower on since 18:03 (2 h 7 min)"
    )


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "📍 Ви ще ні за чим не стежите."),
        (1, "📍 Стежу за 1 місцем"),
        (2, "📍 Стежу за 2 місцями"),
        (11, "📍 Стежу за 11 місцями"),
        (21, "📍 Стежу за 21 місцем"),
        (101, "📍 Стежу за 101 місцем"),
    ],
)
def test_followed_places_are_counted(count: int, said: str) -> None:
    assert places_text([], count, None, reader("uk")).splitlines()[0] == said


def test_a_long_name_is_cut_so_that_the_marks_stay() -> None:
    spot = Spot(1, "x", "Ж" * 60, None, SiteStateWord.OFF, followed=True)
    label = spot_label(spot, branches=True)
    assert len(label) <= 40
    assert label.startswith("🔌 Ж")
    assert label.endswith("… ✅ ›")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("Шевченка 12 › Секція 1", "Шевченка 12 › Секція 1"),
        ("Печерський район › Шевченка 12 › Секція 1", "… › Шевченка 12 › Секція 1"),
        ("Печерський район › вул. Івана Франка, 7", "… › вул. Івана Франка, 7"),
        ("Район › " + "Ж" * 40, "Ж" * 29 + "…"),
        ("Ж" * 40, "Ж" * 29 + "…"),
    ],
)
def test_of_a_long_way_the_place_itself_stays(path: str, shown: str) -> None:
    assert short_path(path, 30) == shown
