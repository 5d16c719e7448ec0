"""By which rules a chat wants to be told: the settings of a place, and those of the whole chat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.notifier import typed
from services.notifier.bot.callbacks import MUTE, Ask
from services.notifier.bot.keyboards import Rule
from services.notifier.bot.poller import Poller
from services.notifier.bot.rules_boards import (
    Do,
    Whole,
    card_board,
    kinds_board,
    length_board,
    mute_board,
    packed,
    quiet_board,
    remind_board,
    unpacked,
)
from services.notifier.chats_forget import Kept
from services.notifier.chats_rules import Rules
from services.notifier.texts import words
from services.notifier.views import Reader, SiteStatus
from services.notifier.views.settings import card_text, forget_text, muted_text, zone_text
from svitlo import registry
from svitlo.contracts import SiteStateWord
from tests.notifier.conftest import KYIV, World
from tests.notifier.conversation import followed, talking
from tests.support.telegram import FakeTelegram

NOW = datetime(2026, 11, 20, 18, 10, tzinfo=UTC)  # 20:10 in Kyiv
LATER = NOW + timedelta(hours=3)


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    async with talking(world.database, telegram, clock=lambda: NOW) as poller:
        yield poller


async def rules(world: World, chat_id: int, *columns: str) -> tuple[Any, ...]:
    found = await world.rows(
        "SELECT f.* FROM subscriptions f JOIN chats c ON c.id = f.chat WHERE c.chat_id = :chat", chat=chat_id
    )
    return tuple(getattr(found[0], column) for column in columns)


async def chat(world: World, chat_id: int) -> Any:
    return (await world.rows("SELECT * FROM chats WHERE chat_id = :chat", chat=chat_id))[0]


async def opened(
    world: World, telegram: FakeTelegram, chat_id: int = 1, user_id: int | None = None
) -> registry.SiteRow:
    """The settings of a place lie open in the chat."""
    home = await world.site("home", "Дім")
    await world.chat(chat_id, home)
    telegram.say(chat_id, "/places", user_id=user_id)
    await telegram.wait_for(chat_id, "Стежу за 1 місцем")
    telegram.press(chat_id, "⚙️ Дім", user_id=user_id)
    await telegram.wait_for(chat_id, "⚙️ Дім — сповіщаю")
    return home


# In conversation.


async def test_kinds_of_alert_are_switched_one_by_one(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await opened(world, telegram)
    telegram.press(1, "Про що писати")
    seen = await telegram.wait_for(1, "🔔 Дім: про що писати?")
    assert seen.labels == [
        "✅ Світло зникло",
        "✅ Світло зʼявилося",
        "✅ Уточнення сказаного раніше",
        "✅ Світло блимає",
        "‹ Назад",
    ]
    telegram.press(1, "Світло блимає")
    await telegram.wait_for(1, lambda seen: "Світло блимає" in seen.labels)
    telegram.press(1, "Світло зникло")
    await telegram.wait_for(1, lambda seen: "Світло зникло" in seen.labels)
    assert await rules(world, 1, "kinds") == (["restored", "revised"],)
    telegram.press(1, "Світло блимає")
    await telegram.wait_for(1, lambda seen: "✅ Світло блимає" in seen.labels)
    telegram.press(1, "Назад")
    await telegram.wait_for(1, "Про що: світло зʼявилося, уточнення, блимання")
    assert len(telegram.messages(1)) == 1, "everything in one message"


async def test_short_outages_can_be_left_out(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await opened(world, telegram)
    telegram.press(1, "Короткі")
    seen = await telegram.wait_for(1, "про які відключення писати?")
    assert seen.labels[:5] == ["✅ Про будь-які", "Довші за 5 хв", "Довші за 10 хв", "Довші за 30 хв", "Довші за 1 год"]
    telegram.press(1, "10 хв")
    await telegram.wait_for(1, "Відключення: лише довші за 10 хв")
    assert await rules(world, 1, "min_minutes") == (10,)


async def test_quiet_hours_by_button_with_or_without_a_summary(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await opened(world, telegram)
    telegram.press(1, "Тихі години")
    seen = await telegram.wait_for(1, "Зараз: немає.")
    assert seen.labels == ["✅ Без тихих годин", "22:00–07:00", "23:00–07:00", "00:00–08:00", "✏️ Свій час…", "‹ Назад"]
    telegram.press(1, "23:00")
    seen = await telegram.wait_for(1, "Зараз: 23:00–07:00, без звуку.")
    assert seen.labels[-3:] == ["✅ Без звуку", "Зведенням уранці", "‹ Назад"]
    telegram.press(1, "Зведенням")
    await telegram.wait_for(1, "Зараз: 23:00–07:00, зведенням уранці.")
    assert await rules(world, 1, "quiet_from", "quiet_to", "quiet_mode") == (1380, 420, "hold")
    telegram.press(1, "Без тихих")
    await telegram.wait_for(1, "Зараз: немає.")
    assert await rules(world, 1, "quiet_from", "quiet_to") == (None, None)


async def test_quiet_hours_can_be_typed_and_other_words_still_search(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await opened(world, telegram)
    telegram.press(1, "Тихі години")
    await telegram.wait_for(1, "коли не турбувати?")
    telegram.press(1, "Свій час")
    await telegram.wait_for(1, "напишіть свої тихі години")
    telegram.say(1, "дім")
    await telegram.wait_for(1, "Знайшлося 1 місце")
    telegram.say(1, "22:30 - 25:00")
    await telegram.wait_for(1, "Не зрозумів. Напишіть так: 22:30-06:45")
    telegram.say(1, "22:30-06:45")
    await telegram.wait_for(1, "Зараз: 22:30–06:45, без звуку.")
    assert await rules(world, 1, "quiet_from", "quiet_to") == (1350, 405)
    telegram.say(1, "23-6")
    await telegram.wait_for(1, "Нічого не знайшлося")  # nobody asks any more
    assert await rules(world, 1, "quiet_from", "quiet_to") == (1350, 405)


async def test_reminders(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await opened(world, telegram)
    telegram.press(1, "Нагадування")
    seen = await telegram.wait_for(1, "чи нагадувати")
    assert seen.labels == ["✅ Не нагадувати", "Щогодини", *(f"Кожні {hours} год" for hours in (3, 6, 12)), "‹ Назад"]
    telegram.press(1, "Кожні 3 год")
    await telegram.wait_for(1, "Нагадування: кожні 3 год, поки немає світла")
    assert await rules(world, 1, "remind_minutes") == (180,)


@pytest.mark.parametrize(
    ("choice", "shown", "until"),
    [
        ("На 1 год", "🔕 Дім — мовчу до 21:10", NOW + timedelta(hours=1)),
        ("На 8 год", "🔕 Дім — мовчу до 04:10 21 листопада", NOW + timedelta(hours=8)),
        ("До 08:00 21 листопада", "🔕 Дім — мовчу до 08:00 21 листопада", datetime(2026, 11, 21, 6, tzinfo=UTC)),
        ("Доки не ввімкну", "🔕 Дім — мовчу, доки не ввімкнете", typed.FOREVER),
    ],
)
async def test_a_place_can_be_muted_with_its_end_shown_and_speaks_again(
    world: World, telegram: FakeTelegram, bot: Poller, choice: str, shown: str, until: datetime
) -> None:
    await opened(world, telegram)
    telegram.press(1, "Помовчати")
    await telegram.wait_for(1, "скільки мовчати?")
    telegram.press(1, choice)
    await telegram.wait_for(1, shown)
    assert await rules(world, 1, "muted_until") == (until,)
    telegram.press(1, "Досить мовчати")
    await telegram.wait_for(1, "⚙️ Дім — сповіщаю")
    assert await rules(world, 1, "muted_until") == (None,)


async def test_a_place_is_left_after_a_second_thought(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    home = await opened(world, telegram)
    await world.event(home)
    await world.plan()
    telegram.press(1, "Не стежити")
    await telegram.wait_for(1, "Дім: більше не стежити?")
    telegram.press(1, "Ні, стежити")
    await telegram.wait_for(1, "⚙️ Дім — сповіщаю")
    assert await followed(world, 1) == ["home"]
    telegram.press(1, "Не стежити")
    await telegram.wait_for(1, "більше не стежити?")
    telegram.press(1, "Так, не стежити")
    await telegram.wait_for(1, "Ви ще ні за чим не стежите")
    assert telegram.answers[-1] == "Більше не стежу: Дім"
    assert await followed(world, 1) == []
    assert await world.deliveries(1) == [("dropped", "unsubscribed")]


async def test_buttons_of_a_place_left_meanwhile_and_forged_ones_change_nothing(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    home = await opened(world, telegram)
    message = telegram.messages(1)[0].message_id
    forged = [(Do.SET_LENGTH, 7), (Do.SET_QUIET, 10**7), (Do.SET_QUIET, 0), (Do.SET_REMIND, -1), (Do.SET_KIND, 9)]
    forged += [(Do.SET_MUTE, 10**8), (Do.SET_MODE, 2)]
    before = await rules(world, 1, "min_minutes", "quiet_from", "kinds", "muted_until", "remind_minutes", "quiet_mode")
    for do, value in forged:
        telegram.press_data(1, Rule(do=do, site=home.id, value=value).pack(), message)
    telegram.press_data(1, Rule(do="?", site=home.id).pack(), message)
    await telegram.wait_until(lambda: telegram.answers.count("Ця кнопка вже застаріла. Почніть звідси: /places") == 8)
    now = await rules(world, 1, "min_minutes", "quiet_from", "kinds", "muted_until", "remind_minutes", "quiet_mode")
    assert now == before
    telegram.say(1, "/unsubscribe home")
    await telegram.wait_for(1, "Більше не стежу")
    telegram.press_data(1, Rule(do=Do.SET_LENGTH, site=home.id, value=10).pack(), message)
    await telegram.wait_for(1, "Ви ще ні за чим не стежите")
    assert telegram.answers[-1] == "За цим місцем ви й не стежили. Ваші місця: /places"


async def test_in_a_group_typed_hours_are_a_reply_to_the_bot_by_an_admin(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.group(-5, admins=[7])
    await opened(world, telegram, -5, user_id=7)
    telegram.press(-5, "Тихі години", user_id=7)
    await telegram.wait_for(-5, "коли не турбувати?")
    telegram.press(-5, "Свій час", user_id=7)
    seen = await telegram.wait_for(-5, "напишіть тихі години у відповідь на це повідомлення")
    telegram.say(-5, "23-6", user_id=7)  # said to the others
    telegram.say(-5, "23-6", user_id=8, reply_to=seen.message_id)
    await telegram.wait_for(-5, "лише адміністратори")
    assert await rules(world, -5, "quiet_from") == (None,)
    telegram.say(-5, "23-6", user_id=7, reply_to=seen.message_id)
    await telegram.wait_for(-5, "Зараз: 23:00–06:00")
    assert await rules(world, -5, "quiet_from", "quiet_to") == (1380, 360)
    assert len(telegram.texts(-5)) == 3


async def test_a_channel_has_settings_that_its_readers_cannot_change(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    home = await world.site("home", "Дім")
    telegram.channel(-6, admins=[7])
    await world.chat(-6, home)
    telegram.post(-6, "/places")
    await telegram.wait_for(-6, "Стежу за 1 місцем")
    telegram.press(-6, "⚙️ Дім", user_id=8)
    await telegram.wait_until(lambda: telegram.answers == ["Це можуть змінювати лише адміністратори."])
    telegram.press(-6, "⚙️ Дім", user_id=7)
    await telegram.wait_for(-6, "⚙️ Дім — сповіщаю")
    telegram.post(-6, "/mute 8h")
    await telegram.wait_for(-6, "🔕 Мовчу до 04:10")
    assert (await chat(world, -6)).muted_until == NOW + timedelta(hours=8)


async def test_in_a_group_only_its_admins_change_settings(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    telegram.group(-5, admins=[7])
    home = await opened(world, telegram, -5, user_id=7)
    message = telegram.messages(-5)[0].message_id
    presses = [
        Rule(do=Do.SET_LENGTH, site=home.id, value=10).pack(),
        Rule(do=Do.SET_LEAVE, site=home.id).pack(),
        Whole(what="mute", value="480").pack(),
        Whole(what="language", value="en").pack(),
        Whole(what="zone", value="Europe/Warsaw").pack(),
        Whole(what="forget", value="yes").pack(),
    ]
    for data in presses:
        telegram.press_data(-5, data, message, user_id=8)
    refusal = "Це можуть змінювати лише адміністратори."
    await telegram.wait_until(lambda: telegram.answers.count(refusal) == len(presses))
    commands = ("/mute 8h", "/language en", "/timezone Europe/Warsaw", "/forget", "/unsubscribe home")
    telegram.group(-6, admins=[7])
    await world.chat(-6, home)
    for command in commands:
        telegram.say(-6, command, user_id=8)
    await telegram.wait_until(lambda: len(telegram.texts(-6)) == len(commands))
    assert set(telegram.texts(-6)) == {refusal}
    for group in (-5, -6):
        assert await followed(world, group) == ["home"]
        assert await rules(world, group, "min_minutes") == (0,)
        row = await chat(world, group)
        assert (row.language, row.timezone, row.muted_until) == ("uk", None, None)


async def test_the_whole_chat_is_muted_and_speaks_again(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    telegram.say(1, "/unmute")
    await telegram.wait_for(1, "Я й не мовчу")
    telegram.say(1, "/mute 8h")
    await telegram.wait_for(1, "🔕 Мовчу до 04:10 21 листопада.")
    assert (await chat(world, 1)).muted_until == NOW + timedelta(hours=8)
    telegram.say(1, "/mute навіки")
    await telegram.wait_for(1, "Не зрозумів. Наприклад: /mute 8h")
    telegram.say(1, "/unmute")
    await telegram.wait_for(1, "🔔 Знову сповіщаю.")
    telegram.say(1, "/mute")
    seen = await telegram.wait_for(1, "🔕 Скільки мовчати?")
    assert seen.labels == ["На 1 год", "На 8 год", "До 08:00 21 листопада", "Доки не ввімкну"]
    telegram.press(1, "Доки не")
    await telegram.wait_for(1, "🔕 Мовчу, доки не ввімкнете: /unmute")
    assert (await chat(world, 1)).muted_until == typed.FOREVER
    telegram.say(1, "/mute")
    await telegram.wait_for(1, lambda seen: "🔔 Досить мовчати" in seen.labels)
    telegram.press(1, "Досить мовчати")
    await telegram.wait_until(lambda: telegram.texts(1)[-1] == "🔔 Знову сповіщаю.")
    assert (await chat(world, 1)).muted_until is None


async def test_the_language_is_chosen_by_button_or_word(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    telegram.say(1, "/language")
    seen = await telegram.wait_for(1, "Мова · Language")
    assert seen.labels == ["✅ Українська", "English"]
    telegram.press(1, "English")
    await telegram.wait_for(1, "Speaking English.")
    telegram.say(1, "/help")
    await telegram.wait_for(1, "I write when the power goes off")
    telegram.say(1, "/language ua")
    await telegram.wait_for(1, "Говорю українською")
    telegram.say(1, "/language de")
    await telegram.wait_for(1, "Розмовляю лише українською та англійською")
    assert (await chat(world, 1)).language == "uk"


async def test_the_time_zone_is_chosen_typed_or_given(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    telegram.say(1, "/timezone")
    seen = await telegram.wait_for(1, "🕒 Часовий пояс: Europe/Kyiv, зараз 20:10.")
    assert seen.labels == ["✅ Europe/Kyiv", "Europe/Warsaw", "Europe/Berlin", "Europe/London"]
    telegram.press(1, "Warsaw")
    await telegram.wait_for(1, "🕒 Часовий пояс: Europe/Warsaw, зараз 19:10.")
    assert (await chat(world, 1)).timezone == "Europe/Warsaw"
    telegram.say(1, "/timezone Europe/Nowhere")
    await telegram.wait_for(1, "Такого часового поясу не знаю")
    telegram.say(1, "/timezone")
    await telegram.wait_until(lambda: len(telegram.texts(1)) == 3)
    telegram.say(1, "new york")
    await telegram.wait_for(1, "America/New_York, зараз 13:10.")
    telegram.say(1, "lisbon")
    await telegram.wait_for(1, "Відкритих місць поки немає")  # it was an address: nobody asks any more
    telegram.say(1, "/timezone europe/kyiv")
    await telegram.wait_for(1, lambda seen: seen.text == "🕒 Часовий пояс: Europe/Kyiv, зараз 20:10.")
    assert (await chat(world, 1)).timezone is None, "the installation's own"


# What people type.


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("22:30-06:45", (1350, 405)),
        ("22:30 – 06:45", (1350, 405)),
        ("22-7", (1320, 420)),
        ("з 22 до 7", None),
        ("22 до 7", (1320, 420)),
        ("23.00 7.30", (1380, 450)),
        ("00:00-08:00", (0, 480)),
        ("22:00-24:00", (1320, 0)),
        ("22:00-22:00", None),
        ("22:60-07:00", None),
        ("25-7", None),
        ("22:30", None),
        ("Шевченка 12", None),
    ],
)
def test_hours_as_people_type_them(said: str, meant: tuple[int, int] | None) -> None:
    assert typed.hours(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("8h", timedelta(hours=8)),
        ("8", timedelta(hours=8)),
        ("8 год", timedelta(hours=8)),
        ("30m", timedelta(minutes=30)),
        ("30 хв.", timedelta(minutes=30)),
        ("2 дні", timedelta(days=2)),
        ("30d", timedelta(days=30)),
        ("31d", None),
        ("0h", None),
        ("-8h", None),
        ("8 попугаїв", None),
        ("", None),
    ],
)
def test_spans_as_people_type_them(said: str, meant: timedelta | None) -> None:
    assert typed.span(said) == meant


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        (datetime(2026, 11, 20, 18, 10, tzinfo=UTC), datetime(2026, 11, 21, 6, tzinfo=UTC)),
        (datetime(2026, 11, 21, 0, 30, tzinfo=UTC), datetime(2026, 11, 21, 6, tzinfo=UTC)),  # 02:30 in Kyiv
        (datetime(2026, 11, 21, 5, 0, tzinfo=UTC), datetime(2026, 11, 22, 6, tzinfo=UTC)),  # 07:00 in Kyiv
        (datetime(2026, 10, 24, 18, 0, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC)),  # the night of 25 hours
        (datetime(2027, 3, 27, 18, 0, tzinfo=UTC), datetime(2027, 3, 28, 5, tzinfo=UTC)),  # the night of 23 hours
    ],
)
def test_a_mute_until_morning_ends_at_eight_by_the_wall_clock(now: datetime, ends: datetime) -> None:
    assert typed.morning(now, KYIV) == ends


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Europe/Kyiv", "Europe/Kyiv"),
        ("europe/warsaw", "Europe/Warsaw"),
        ("Warsaw", "Europe/Warsaw"),
        ("New York", "America/New_York"),
        ("UTC", "UTC"),
        ("../../etc/passwd", None),
        ("Mars", None),
        ("", None),
    ],
)
def test_zones_as_people_type_them(said: str, meant: str | None) -> None:
    assert typed.zone(said) == meant


def test_quiet_hours_fit_a_number() -> None:
    for hours in ((0, 1), (1439, 0), (1350, 405)):
        assert unpacked(packed(hours)) == hours
    assert unpacked(-1) is unpacked(1440 * 1440) is unpacked(0) is None


# What people read.


def reader(language: str = "uk") -> Reader:
    return Reader(words=words(language), zone=KYIV, now=NOW, escape=lambda text: text)


STATUS = SiteStatus(place="Дім", state=SiteStateWord.OFF, since=NOW - timedelta(minutes=20), cause=None)


def test_the_card_of_a_place_with_nothing_set() -> None:
    plain = Rules(site=1, place="Дім")
    assert card_text(plain, STATUS, None, reader("uk")) == (
        "⚙️ Дім — сповіщаю\n🔌 Світла немає з 19:50 (20 хв)\n\n"
        "Про що: про все\nВідключення: будь-які\nТихі години: немає\nНагадування: немає"
    )
    assert card_text(plain, STATUS, None, reader("en")) == (
        "⚙️ Дім — alerts on\n🔌 Power off since 19:50 (20 min)\n\n"
        "About: everything\nOutages: any\nQuiet hours: none\nReminders: none"
    )


def test_the_card_of_a_place_with_everything_set() -> None:
    full = Rules(
        site=1,
        place="Дім",
        kinds=("lost", "restored"),
        min_minutes=10,
        quiet_from=1380,
        quiet_to=420,
        quiet_mode="hold",
        muted_until=LATER,
        remind_minutes=180,
    )
    assert card_text(full, STATUS, typed.FOREVER, reader("uk")) == (
        "🔕 Дім — мовчу до 23:10\n🔌 Світла немає з 19:50 (20 хв)\n\n"
        "🔕 Усі сповіщення вимкнено. Увімкнути: /unmute\n"
        "Про що: світло зникло, світло зʼявилося\nВідключення: лише довші за 10 хв\n"
        "Тихі години: 23:00–07:00, зведенням уранці\nНагадування: кожні 3 год, поки немає світла"
    )
    assert card_text(full, STATUS, LATER, reader("en")) == (
        "🔕 Дім — muted until 23:10\n🔌 Power off since 19:50 (20 min)\n\n"
        "🔕 All alerts are muted until 23:10. Turn on: /unmute\n"
        "About: power off, power on\nOutages: only over 10 min\n"
        "Quiet hours: 23:00–07:00, summed up in the morning\nReminders: every 3 h while it is off"
    )
    assert card_text(Rules(site=1, place="Дім", kinds=()), STATUS, None, reader("uk")).startswith(
        "🔕 Дім — не сповіщаю"
    )


def test_a_mute_that_is_over_is_not_shown() -> None:
    over = Rules(site=1, place="Дім", muted_until=NOW)
    assert card_text(over, STATUS, NOW, reader("en")).startswith("⚙️ Дім — alerts on\n🔌")


@pytest.mark.parametrize("board", [card_board, kinds_board, length_board, quiet_board, remind_board, mute_board])
@pytest.mark.parametrize("language", ["uk", "en"])
def test_buttons_are_short_enough_for_a_narrow_screen_and_for_telegram(board: Any, language: str) -> None:
    made = board(Rules(site=2**31 - 1, place="Ж" * 60, quiet_from=1439, quiet_to=1438), reader(language))
    for row in made.inline_keyboard:
        for key in row:
            assert len(key.callback_data.encode()) <= 64
            assert len(key.text) <= (24 if len(row) > 1 else 40), key.text


@pytest.mark.parametrize(
    ("count", "uk"),
    [
        (1, "1 місце з налаштуваннями, 1 запис про сповіщення"),
        (2, "2 місця з налаштуваннями, 2 записи про сповіщення"),
        (5, "5 місць із налаштуваннями, 5 записів про сповіщення"),
    ],
)
def test_what_would_be_forgotten_is_counted(count: int, uk: str) -> None:
    kept = Kept(chats=1, places=count, messages=count, roles=0)
    assert forget_text(kept, reader("uk"), group=False, done=False) == (
        f"🗑 Видалити все, що я знаю про цей чат?\nА саме: {uk}. Відновити це буде неможливо."
    )


def test_where_only_the_language_is_kept_no_zeros_are_counted() -> None:
    nothing = Kept(chats=1, places=0, messages=0, roles=0)
    assert forget_text(nothing, reader("uk"), group=False, done=True).startswith("🗑 Видалено: налаштування цього чату.")


def test_answers_about_the_whole_chat_in_english() -> None:
    kept = Kept(chats=1, places=1, messages=21, roles=2)
    assert forget_text(kept, reader("en"), group=True, done=True) == (
        "🗑 Deleted: 1 place with its settings, 21 records of alerts, your 2 roles in the bot.\nBegin again: /start"
    )
    assert muted_text(LATER, reader("en")) == (
        "🔕 Quiet until 23:10.\nAfterwards I tell what has changed. Turn on earlier: /unmute"
    )
    there = Reader(words=words("en"), zone=ZoneInfo("Europe/Warsaw"), now=NOW, escape=str)
    assert zone_text("Europe/Warsaw", there, chosen=True) == "🕒 Time zone: Europe/Warsaw, now 19:10."


async def test_unmute_ends_the_silence_a_button_under_an_alert_began(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    house, school = await world.site("house", "Дім <1>"), await world.site("school", "Школа")
    await world.chat(1, house, school)
    telegram.press_data(1, Ask(what=MUTE, site=house.id).pack(), 1)
    await telegram.wait_until(lambda: telegram.answers)
    assert telegram.answers[0].endswith("Увімкнути раніше: /unmute")
    telegram.say(1, "/unmute")
    await telegram.wait_for(1, "🔔 Знову сповіщаю: Дім <1>")
    assert not await world.rows("SELECT 1 FROM subscriptions WHERE muted_until IS NOT NULL")
    telegram.say(1, "/unmute")
    await telegram.wait_for(1, "Я й не мовчу")


async def test_unmute_of_the_whole_chat_names_the_places_that_are_silent_still(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.chat(1, *[await world.site(f"place-{number}", f"Місце {number}") for number in range(8)])
    await world.run("UPDATE subscriptions SET muted_until = now() + interval '1 hour'")
    await world.run("UPDATE chats SET muted_until = now() + interval '1 hour'")
    telegram.say(1, "/unmute")
    seen = await telegram.wait_for(1, "Знову сповіщаю.")
    assert seen.text.splitlines()[1] == (
        "Ще мовчать: Місце 0, Місце 1, Місце 2, Місце 3, Місце 4… · Увімкнути і їх: /unmute"
    )
    assert len(await world.rows("SELECT 1 FROM subscriptions WHERE muted_until IS NOT NULL")) == 8
    telegram.say(1, "/unmute")
    await telegram.wait_for(1, "🔔 Знову сповіщаю: Місце 0")
