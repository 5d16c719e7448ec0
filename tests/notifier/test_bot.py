"""The bot's poller, menu and manners, over the real client."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiogram.exceptions import TelegramRetryAfter
from aiogram.filters.callback_data import CallbackData
from aiogram.methods import SendMessage

from services.notifier import chats
from services.notifier.bot.admins_desk import Act as Take
from services.notifier.bot.answers import Answers
from services.notifier.bot.callbacks import HISTORY, MUTE, Ask
from services.notifier.bot.groups_boards import Do, Step
from services.notifier.bot.keyboards import Act, Press
from services.notifier.bot.poller import Poller
from services.notifier.bot.reports import Choose, Report
from services.notifier.bot.routers import menu
from services.notifier.pacing import TELEGRAM, Pace
from svitlo import registry
from svitlo.db.session import Database
from svitlo.ids import uuid7
from tests.notifier.conftest import World, notifying, until
from tests.notifier.conversation import followed, talking
from tests.support.telegram import BOT_NAME, FEW, STRICT, FakeTelegram


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    async with talking(world.database, telegram) as poller:
        yield poller


async def is_inactive(world: World, chat_id: int) -> bool:
    return bool(await world.rows("SELECT 1 FROM chats WHERE chat_id = :chat AND NOT active", chat=chat_id))


async def test_unsubscribing_also_drops_what_is_still_owed(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    home = await world.site("home")
    await world.chat(1, home)
    await world.event(home)
    await world.plan()
    telegram.say(1, "/unsubscribe home")
    await telegram.wait_for(1, "Більше не стежу")
    assert await world.deliveries(1) == [("dropped", "unsubscribed")]


async def test_leaving_a_place_drops_what_is_owed_from_below_unless_that_is_followed_still(world: World) -> None:
    house = await world.site("house")
    sections = [await world.site(slug, parent="house") for slug in ("one", "two")]
    chat = await world.chat(1, house, sections[1])
    for section in sections:
        seq = await world.event(section)
        await world.run(
            "INSERT INTO deliveries (event_seq, chat, state, attempts) VALUES (:seq, :chat, 'pending', 0)",
            seq=seq,
            chat=chat.id,
        )
    async with world.database.transaction() as session:
        await chats.unsubscribe(session, chat.id, house.id)
    assert await world.states(1) == ["dropped", "pending"]
    async with world.database.transaction() as session:
        await chats.subscribe(session, chat.id, house.id)
        await chats.unsubscribe(session, chat.id, sections[1].id)
    assert await world.states(1) == ["dropped", "pending"], "the house is followed still"


async def test_status_tells_state_since_how_long_and_the_cause(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    home, school = await world.site("home", "Дім"), await world.site("school", "Школа")
    await world.site("other", "Інше")
    await world.chat(1, home, school)
    began = datetime.now(UTC) - timedelta(hours=2, minutes=5, seconds=20)
    values = {"since": began, "lit": began - timedelta(hours=1), "home": home.id, "school": school.id}
    await world.run(
        "INSERT INTO site_state (site_id, power, state, since, updated_at) VALUES "
        "(:home, 'off', 'off', :since, now()), (:school, 'on', 'on', :lit, now())",
        **values,
    )
    await world.run(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at) "
        "VALUES (:id, :home, 1, 'power', :since, :since, :since)",
        id=uuid7(began),
        home=home.id,
        since=began,
    )
    telegram.say(1, "/status")
    seen = await telegram.wait_for(1, "Дім")
    off, on = seen.text.split("\n\n")
    assert off.startswith("🔌 Дім — світла немає з ")
    assert "(2 год 5 хв)\nПідтверджено: зникло живлення." in off
    assert on.startswith("💡 Школа — світло є з ")
    assert on.endswith("(3 год 5 хв)")


async def test_status_counts_the_places_without_power_under_a_place(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    district = await world.site("district", "Район")
    houses = [await world.site(f"house-{number}", parent="district") for number in range(5)]
    await world.chat(1, district)
    async with world.database.transaction() as session:
        await registry.add_device(session, "district", "hall")  # so that it is told of itself too
    await world.run(
        "INSERT INTO site_state (site_id, power, state, updated_at) SELECT id, power, power, now() "
        "FROM unnest(CAST(:ids AS int[]), CAST(:powers AS text[])) AS given (id, power)",
        ids=[house.id for house in houses[:4]],  # of the fifth nothing is known yet
        powers=["off", "on", "off", "off"],
    )
    await world.run("UPDATE sites SET removed_at = now() WHERE id = :id", id=houses[3].id)
    telegram.say(1, "/status")
    seen = await telegram.wait_for(1, "Район")
    assert "❔ Район — стан невідомий\nБез світла 2 з 4" in seen.text.split("\n\n")


async def test_status_without_subscriptions_shows_the_public_places(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.say(1, "/status")
    await telegram.wait_for(1, "Показати поки нічого")
    await world.site("home", "Дім")
    await world.site("secret", "Дача", public=False)
    telegram.say(1, "/status")
    seen = await telegram.wait_for(1, "Відкриті місця")
    assert "❔ Дім — стан невідомий" in seen.text
    assert "Дача" not in seen.text


async def test_a_chats_language_is_that_of_its_first_contact(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    for chat, code in ((1, "en-US"), (2, "uk"), (3, "pl"), (4, None)):
        telegram.say(chat, "/help", language=code)
    await telegram.wait_for(1, "find a place")
    for chat in (2, 3, 4):
        await telegram.wait_for(chat, "знайти місце")
    telegram.say(1, "/status", language="uk")
    await telegram.wait_for(1, "Nothing to show yet")


async def test_thrown_out_of_a_group_it_falls_silent_and_let_in_again_it_speaks(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    home = await world.site("home")
    await world.chat(-1001, home)
    await world.event(home)
    await world.plan()
    telegram.member(-1001, "kicked")
    await until(lambda: is_inactive(world, -1001))
    assert await world.deliveries(-1001) == [("dropped", "the bot is kicked there")]
    telegram.member(-1001, "member")

    async def active() -> bool:
        return not await is_inactive(world, -1001)

    await until(active)
    assert await followed(world, -1001) == ["home"]


async def test_after_a_block_start_brings_the_alerts_back_but_not_the_missed_ones(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    home = await world.site("home")
    await world.chat(1, home)
    telegram.block(1)
    await world.event(home)
    async with notifying(world, telegram):
        await until(lambda: is_inactive(world, 1))
        telegram.say(1, "/start")
        await telegram.wait_for(1, "Оберіть")
        await world.event(home)
        await telegram.wait_for(1, "світла немає")
    assert len(telegram.messages(1)) == 2


async def test_the_menu_of_commands_is_set_in_both_languages(telegram: FakeTelegram, bot: Poller) -> None:
    await telegram.wait_until(lambda: set(telegram.commands) == {"uk", "en", ""})
    offered = telegram.commands["uk"]
    assert offered == telegram.commands["en"] == telegram.commands[""] == list(menu())
    assert offered[:3] == ["places", "status", "start"]
    assert {"mute", "language", "timezone"} <= set(offered)
    assert offered[-1] == "help"
    assert not {"subscribe", "forget", "admin"} & set(offered)


async def test_an_answer_that_met_a_short_flood_wait_comes_after_it(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.flood(retry_after=1, chat_id=1)
    telegram.say(1, "/help")
    await telegram.wait_for(1, "/places")
    assert [call.status for call in telegram.calls_to("sendMessage")] == [429, 200]


async def test_an_answer_that_cannot_be_sent_ends_nothing(
    world: World, telegram: FakeTelegram, bot: Poller, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.fail(502, chat_id=1)
    telegram.drop(chat_id=2)
    telegram.say(1, "/help")
    telegram.say(2, "/help")
    telegram.say(3, "/help")
    await telegram.wait_for(3, "/places")
    telegram.say(1, "/help")
    await telegram.wait_for(1, "/places")
    assert telegram.token not in caplog.text


async def test_with_the_database_away_the_bot_says_so(telegram: FakeTelegram) -> None:
    async with Database("postgresql://svitlo@127.0.0.1:9/svitlo") as nowhere, talking(nowhere, telegram):
        telegram.say(1, "/status", language="en")
        await telegram.wait_for(1, "Try again in a minute")


async def test_when_telegram_answers_again_what_waits_for_another_attempt_is_due(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house)
    await world.plan()
    await world.run("UPDATE deliveries SET attempts = 12, next_attempt_at = now() + interval '60 s'")
    telegram.say(2, "/help")
    await telegram.wait_for(2, "/places")
    telegram.fail(502, "Bad Gateway", times=2, method="getUpdates")

    async def due() -> bool:
        return bool(await world.rows("SELECT 1 FROM deliveries WHERE next_attempt_at <= now()"))

    assert not await due()
    telegram.say(2, "/help")  # ends the poll under way; the next two fail
    await until(due, 20)


async def test_with_a_wrong_token_the_poller_says_it_once_and_tries_again(
    world: World, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    async with talking(world.database, telegram, token="123:wrong-and-secret"):
        await until(lambda: "SVITLO_TELEGRAM_TOKEN" in caplog.text)
        telegram.token = "123:wrong-and-secret"
        telegram.say(1, "/help")
        await telegram.wait_for(1, "/places")
    assert caplog.text.count("SVITLO_TELEGRAM_TOKEN") == 1
    assert "wrong-and-secret" not in caplog.text


async def test_what_people_wrote_while_the_bot_was_down_is_answered(world: World, telegram: FakeTelegram) -> None:
    telegram.say(1, "/help")
    async with talking(world.database, telegram):
        await telegram.wait_for(1, "/places")
    telegram.say(2, "/help")
    async with talking(world.database, telegram):
        await telegram.wait_for(2, "/places")


async def test_a_hundred_presses_in_a_row_are_all_done_and_commands_go_on(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.say(1, "/language", language="en")
    seen = await telegram.wait_for(1, "Language")
    for _ in range(100):
        telegram.press_data(1, "sw:language:uk", seen.message_id, language="en")
    await telegram.wait_until(lambda: len(telegram.answers) == 100, 30.0)
    assert {*telegram.answers} == {""}
    telegram.say(1, "/help")
    await telegram.wait_for(1, "/places")


async def test_who_writes_without_end_is_told_once_to_slow_down(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    for _ in range(65):
        telegram.say(1, "/help", language="en")
    telegram.say(2, "/help")
    await telegram.wait_for(2, "/places", 20.0)
    telegram.say(2, "/status")  # fetched only when all before it is done with
    await telegram.wait_for(2, "Показати", 20.0)
    answers = telegram.texts(1)
    assert len(answers) == 61
    assert answers[-1] == "Not so fast, please. That was not done: try again in a minute."


async def test_in_a_group_presses_share_a_limit_with_commands_and_each_who_presses_is_told_once(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Дім")
    telegram.say(-1001, f"/start@{BOT_NAME}", user_id=7)
    seen = await telegram.wait_for(-1001, "Оберіть")
    for user, presses in ((7, 16), (8, 2)):
        for _ in range(presses):
            telegram.press_data(-1001, Press(act=Act.OPEN, site=0, page=0).pack(), seen.message_id, user_id=user)
    await telegram.wait_until(lambda: len(telegram.answers) == 18, 20.0)
    slow = "Не так швидко, будь ласка. Цього не зроблено: повторіть за хвилину."
    assert telegram.answers == [*[""] * 14, slow, "", slow, ""]


async def test_a_wizard_in_a_group_takes_as_many_presses_as_it_needs(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.group(-1001, admins=[7])
    telegram.say(-1001, f"/language@{BOT_NAME}", user_id=7)
    seen = await telegram.wait_for(-1001, "Language")
    for _ in range(40):
        telegram.press_data(-1001, "sw:language:uk", seen.message_id, user_id=7)
    await telegram.wait_until(lambda: len(telegram.answers) == 40, 20.0)
    assert {*telegram.answers} == {""}
    telegram.say(-1001, f"/help@{BOT_NAME}", user_id=7)
    await telegram.wait_for(-1001, "/places")


async def test_what_a_group_says_among_its_members_is_not_counted(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    for _ in range(15):
        telegram.say(-1001, "а у вас є світло?", user_id=7)
    telegram.say(-1001, f"/help@{BOT_NAME}", user_id=7)
    await telegram.wait_for(-1001, "/places")
    assert len(telegram.messages(-1001)) == 1


async def test_a_group_that_asks_without_end_is_answered_ten_times_a_minute_and_others_always(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    for _ in range(15):
        telegram.say(-1001, f"/help@{BOT_NAME}", user_id=7)
    telegram.say(1, "/help")
    await telegram.wait_for(1, "/places")
    telegram.say(1, "/status")  # fetched only when all before it is done with
    await telegram.wait_for(1, "Показати")
    assert len(telegram.messages(-1001)) == 10
    assert [text.partition(" ")[0] for text in telegram.texts(-1001)][-2:] == ["💡", "Не"], "told once, at the end"


async def test_a_groups_own_flood_wait_does_not_silence_the_alerts_of_others() -> None:
    pace = Pace(TELEGRAM)
    answers = Answers(pace, longest_wait_s=0.1)

    async def refuses(_bot: object, method: SendMessage) -> None:
        raise TelegramRetryAfter(method, "Too Many Requests", retry_after=30)

    for chat_id, flooded in ((-1001, False), (1, True)):
        method = SendMessage(chat_id=chat_id, text="x")
        with pytest.raises(TelegramRetryAfter):
            await answers(refuses, None, method)  # type: ignore[arg-type]
        assert (pace.flooded(time.monotonic()) > 0) is flooded


async def test_what_is_answered_is_cut_as_telegram_counts(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    """An emoji is two units, and a status of them more than a message takes."""
    sites = [await world.site(f"s{number}", "🏠" * 100 + str(number)) for number in range(40)]
    await world.chat(1, *sites)
    telegram.say(1, "/status")
    seen = await telegram.wait_for(1, "🏠")
    assert 4000 < len(seen.text.encode("utf-16-le")) // 2 <= 4096
    assert seen.text.endswith("…")


async def test_a_hundred_who_ask_at_once_are_answered_within_telegrams_rate(world: World) -> None:
    async with FakeTelegram(**STRICT) as telegram, talking(world.database, telegram):
        for chat in range(1, 101):
            telegram.say(chat, "/help")
        await telegram.wait_until(lambda: all(telegram.messages(chat) for chat in range(1, 101)), 30)
        assert telegram.refused() <= FEW


@pytest.mark.usefixtures("bot")
async def test_an_update_that_cannot_be_read_is_passed_over(telegram: FakeTelegram) -> None:
    """As each new version of the Bot API brings them: here a new origin of a forwarded message."""
    telegram.say(1, "/help")
    await telegram.wait_for(1, "/places")
    telegram.say(2, "hello", forward_origin={"type": "brand_new", "date": 1})
    telegram.say(3, "/help")
    await telegram.wait_for(3, "/places")
    polls = len(telegram.calls_to("getUpdates"))
    await telegram.wait_until(lambda: len(telegram.calls_to("getUpdates")) > polls)
    assert telegram.calls_to("getUpdates")[-1].params["offset"] > 1003


@pytest.mark.parametrize(
    "press",
    [
        Ask(what=HISTORY, site=1),
        Ask(what=MUTE, site=1),
        Choose(report=Report.STATS, site=1),
        Press(act=Act.LIST, site=0, page=0),
        Step(do=Do.CHECK, chat=1),
        Take(do="people"),
    ],
    ids=lambda press: type(press).__module__.rpartition(".")[2],
)
async def test_a_button_under_a_message_that_is_too_old_says_so(
    world: World, telegram: FakeTelegram, bot: Poller, press: CallbackData
) -> None:
    telegram.press_data(1, press.pack(), 1, old=True)
    await telegram.wait_until(lambda: telegram.answers)
    assert telegram.answers == ["Ця кнопка вже застаріла. Почніть звідси: /places"]


async def test_a_button_of_the_wizard_for_a_chat_nobody_knows_any_more_says_so(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.press_data(1, Step(do=Do.CHECK, chat=999).pack(), 1)
    await telegram.wait_until(lambda: telegram.answers)
    assert telegram.answers[0].startswith("Ця кнопка вже застаріла.")
