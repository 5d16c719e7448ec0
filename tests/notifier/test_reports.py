"""History, statistics and the week: the words, and asking the bot for them over the real client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notifier import history
from services.notifier.bot.callbacks import HISTORY, MUTE, WEEK, Ask
from services.notifier.bot.context import Context
from services.notifier.bot.poller import Poller
from services.notifier.bot.reports import Choose, Leaf, Look, Report
from services.notifier.pacing import TELEGRAM, Pace
from services.notifier.texts import words
from services.notifier.views import Reader
from services.notifier.views.reports import Past, Period, essence, history_text, percent, stats_text, summary_of
from svitlo.contracts import Cause
from svitlo.registry import SiteRow
from svitlo.statistics import Recorded, Span, Statistics, statistics
from tests.api.records import Records
from tests.notifier.conftest import KYIV, World, until
from tests.support.telegram import FakeTelegram

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)  # Saturday, 16:00 in Kyiv
LONG_AGO = NOW - timedelta(days=200)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def reader(language: str = "uk", now: datetime = NOW) -> Reader:
    return Reader(words=words(language), zone=KYIV, now=now, escape=lambda text: text.replace("<", "&lt;"))


def lasting(ago: timedelta, length: timedelta, **marks: bool) -> Recorded:
    start = NOW - ago
    return Recorded(started_lo=start, started_hi=start, ended_lo=start + length, ended_hi=start + length, **marks)


def found(
    *outages: Recorded, gaps: tuple[Span, ...] = (), days: float = 7, end: datetime = NOW, made: datetime = LONG_AGO
) -> Statistics:
    return statistics(outages, gaps, since=end - days * DAY, until=end, now=NOW, created_at=made)


# The words.


def test_history_tells_when_how_long_and_what_is_known() -> None:
    def past(ago: timedelta, length: timedelta | None, cause: Cause = Cause.PRESUMED, **marks: bool) -> Past:
        start = NOW - ago
        return Past(start=start, end=start + length if length else None, cause=cause, **marks)

    outages = [
        past(2 * HOUR, None),
        past(15 * HOUR, 3 * HOUR + 5 * MINUTE, Cause.POWER),
        past(17 * HOUR, 90 * MINUTE, maintenance=True),
        past(3 * DAY, 20 * MINUTE, reconstructed=True),
        past(400 * DAY, 2 * DAY),
    ]
    assert history_text("Шевченка <12>", outages, 0, reader()) == (
        "🕘 <b>Шевченка &lt;12></b> — відключення 1–5\n"
        "\n"
        "• сб 21.11 14:00 – досі · 2 год\n"
        "• сб 21.11 01:00–04:05 · 3 год 5 хв · підтверджено\n"
        "• пт 20.11 23:00 – сб 21.11 00:30 · 1 год 30 хв · планове\n"
        "• ср 18.11 16:00–16:20 · 20 хв · зʼясовано згодом\n"
        "• пт 17.10.2025 17:00 – нд 19.10.2025 17:00 · 2 дні"
    )
    assert history_text("Home", outages[1:3], 1, reader("en")) == (
        "🕘 <b>Home</b> — outages 11–12\n"
        "\n"
        "• Sat 21 Nov 01:00–04:05 · 3 h 5 min · confirmed\n"
        "• Fri 20 Nov 23:00 – Sat 21 Nov 00:30 · 1 h 30 min · planned"
    )


def test_history_without_outages_says_so() -> None:
    assert history_text("Дім", [], 0, reader()) == "🕘 <b>Дім</b> — відключень ще не було."
    assert history_text("Дім", [], 3, reader()) == "🕘 <b>Дім</b> — давніших відключень немає."


def test_history_of_the_night_of_changing_clocks_tells_what_passed() -> None:
    # From 02:30 to 04:30 by the clock, which went back at 04:00: three hours.
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    outage = Past(start=start, end=start + 3 * HOUR, cause=Cause.PRESUMED)
    assert "• нд 25.10 02:30–04:30 · 3 год" in history_text("Дім", [outage], 0, reader())


BUSY = (
    lasting(2 * DAY, 4 * HOUR + 20 * MINUTE),
    lasting(3 * DAY, 2 * HOUR, maintenance=True),
    lasting(4 * DAY, 30 * MINUTE),
    lasting(5 * DAY, timedelta(seconds=10), momentary=True),
    lasting(6 * DAY, HOUR),
)
GAP = (NOW - 6 * DAY - HOUR, NOW - 6 * DAY + 4 * HOUR + 10 * MINUTE)


def test_statistics_in_full() -> None:
    now, before = found(*BUSY, gaps=(GAP,)), found(lasting(9 * DAY, 5 * HOUR), end=NOW - 7 * DAY)
    assert stats_text("Шевченка 12", Period.WEEK, now, before, reader()) == (
        "📊 <b>Шевченка 12</b> — останні 7 днів\n"
        "\n"
        "Без світла 6 год 50 хв (4,2 % часу), 3 відключення.\n"
        "Найдовше — 4 год 20 хв.\n"
        "Із них 1 планове (2 год).\n"
        "Ще 1 раз світло блимнуло.\n"
        "Ще 1 відключення припало на час, коли Svitlo не стежило; не враховано.\n"
        "Svitlo не стежило 5 год 10 хв: цей час не враховано.\n"
        "7 днів перед тим: 5 год, 1 відключення."
    )
    assert stats_text("Home", Period.WEEK, now, before, reader("en")) == (
        "📊 <b>Home</b> — last 7 days\n"
        "\n"
        "Power off for 6 h 50 min (4.2 % of the time), 3 outages.\n"
        "The longest: 4 h 20 min.\n"
        "Of them 1 planned (2 h).\n"
        "The power also blinked once.\n"
        "Another 1 outage fell into time that Svitlo did not watch; not counted.\n"
        "Svitlo did not watch for 5 h 10 min: that time is not counted.\n"
        "The 7 days before: 5 h, 1 outage."
    )


@pytest.mark.parametrize(
    ("now", "before", "says"),
    [
        (2 * HOUR, 5 * HOUR, "Доба перед тим: 5 год, 1 відключення. Тепер на 3 год менше."),
        (5 * HOUR, 2 * HOUR, "Доба перед тим: 2 год, 1 відключення. Тепер на 3 год більше."),
        (2 * HOUR, 2 * HOUR, "Доба перед тим: 2 год, 1 відключення. Тепер стільки ж."),
        (2 * HOUR, None, "Доба перед тим минула без відключень."),
        (None, 2 * HOUR, "Доба перед тим: 2 год, 1 відключення. Тепер на 2 год менше."),
    ],
)
def test_statistics_are_compared_with_the_period_before(
    now: timedelta | None, before: timedelta | None, says: str
) -> None:
    late = [lasting(20 * HOUR, now)] if now else []
    early = [lasting(44 * HOUR, before)] if before else []
    text = stats_text("Дім", Period.DAY, found(*late, days=1), found(*early, days=1, end=NOW - DAY), reader())
    assert text.splitlines()[-1] == says


def test_nothing_is_compared_with_time_before_the_place_was_watched() -> None:
    made = NOW - 3 * DAY
    text = stats_text("Дім", Period.WEEK, found(made=made), found(end=NOW - 7 * DAY, made=made), reader())
    assert text.endswith("Відключень не було.\nСтежимо з 16:00 18 листопада, тож порівняти ще ні з чим.")


def test_of_time_nobody_watched_nothing_is_claimed() -> None:
    blind = found(lasting(2 * DAY, HOUR), gaps=((NOW - 8 * DAY, NOW),))
    text = stats_text("Дім", Period.WEEK, blind, None, reader())
    assert text.endswith("Даних за цей час немає: Svitlo тоді ще не стежило за цим місцем.")
    assert "Відключень не було" not in text


@pytest.mark.parametrize(
    ("count", "uk", "en"),
    [
        (1, "1 відключення.", "1 outage."),
        (2, "2 відключення.", "2 outages."),
        (5, "5 відключень.", "5 outages."),
        (11, "11 відключень.", "11 outages."),
        (21, "21 відключення.", "21 outages."),
        (22, "22 відключення.", "22 outages."),
        (101, "101 відключення.", "101 outages."),
    ],
)
def test_outages_are_counted_in_words_that_agree(count: int, uk: str, en: str) -> None:
    many = found(*(lasting(HOUR * (number + 1), 10 * MINUTE) for number in range(count)))
    assert essence(summary_of(many), reader()).endswith(f" {uk}")
    assert essence(summary_of(many), reader("en")).endswith(f" {en}")
    assert essence(summary_of(found()), reader()) == "Відключень не було."


@pytest.mark.parametrize(
    ("share", "uk"),
    [
        (0.0004, "<0,1"),
        (0.0042, "0,4"),
        (0.0995, "10"),
        (0.043, "4,3"),
        (0.111, "11"),
        (0.9996, ">99,9"),
        (0.994, "99,4"),
        (1.0, "100"),
    ],
)
def test_shares_are_as_exact_as_they_are_worth(share: float, uk: str) -> None:
    assert percent(share, reader()) == uk
    assert percent(share, reader("en")) == uk.replace(",", ".")


@pytest.mark.parametrize("language", ["uk", "en"])
def test_every_button_fits_into_64_bytes(language: str) -> None:
    most = 2**31 - 1
    buttons = (Choose(report=Report.HISTORY, site=most, page=most), Leaf(site=most, page=most))
    assert all(len(button.pack()) <= 64 for button in (*buttons, Look(site=most, period=Period.MONTH)))
    assert words(language).say("report-history")


# Asking the bot.


@dataclass
class House:
    """A site with a record, and the moment at which the bot believes to be."""

    records: Records
    site: SiteRow
    world: World

    async def made(self, at: datetime = LONG_AGO) -> None:
        await self.world.run("UPDATE sites SET created_at = :at", at=at)

    async def outages(self, count: int) -> None:
        for number in range(count):
            start = NOW - (number + 1) * 5 * HOUR
            await self.records.outage("home", start, start + HOUR)


@pytest.fixture
async def house(world: World) -> House:
    """A public place, watched for long; the detector is at work."""
    records = Records(world.database)
    site = await world.site("home", "Шевченка 12")
    await records.device("home", "hall", "online")
    await world.run(
        "INSERT INTO service_ticks (service, at, since) VALUES ('detector', :now, :since)", now=NOW, since=LONG_AGO
    )
    made = House(records, site, world)
    await made.made()
    return made


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    context = Context(database=world.database, language="uk", zone=KYIV, clock=lambda: NOW)
    pace = Pace(TELEGRAM)
    poller = Poller(telegram.token, context, pace, api_url=telegram.url, timeout_s=10.0, poll_s=5)
    task = asyncio.create_task(poller.run())
    try:
        yield poller
    finally:
        task.cancel()
        await asyncio.wait([task])
        await poller.close()


def labels(seen: Any) -> list[str]:
    return [str(label) for label in seen.labels]


@pytest.mark.usefixtures("bot")
async def test_history_of_the_only_place_is_told_at_once_in_pages(house: House, telegram: FakeTelegram) -> None:
    await house.outages(12)
    await house.records.outage("home", NOW - HOUR, NOW - HOUR + MINUTE, marks=["momentary"])
    await house.records.outage("home", NOW - 2 * HOUR, retracted_at=NOW)
    await house.world.chat(1, house.site)
    telegram.say(1, "/history")
    first = await telegram.wait_for(1, "відключення 1–10")
    assert first.text.count("•") == 10
    assert labels(first) == ["Давніші ›", "📊 Статистика", "📅 Тиждень"]
    telegram.press(1, "Давніші")
    second = await telegram.wait_for(1, "відключення 11–12")
    assert second.message_id == first.message_id
    assert labels(second)[0] == "‹ Новіші"


@pytest.mark.usefixtures("bot")
async def test_of_several_places_one_is_chosen_first(house: House, telegram: FakeTelegram, world: World) -> None:
    other = await world.site("shed", "Садова 1")
    await world.chat(1, house.site, other)
    await house.outages(2)
    telegram.say(1, "/stats")
    choice = await telegram.wait_for(1, "Статистика якого місця?")
    assert labels(choice) == ["Садова 1", "Шевченка 12"]
    telegram.press(1, "Шевченка 12")
    told = await telegram.wait_for(1, "Шевченка 12 — останні 7 днів")
    assert "Без світла 2 год (1,2 % часу), 2 відключення." in told.text
    assert labels(told)[:3] == ["Доба", "• Тиждень", "Місяць"]
    telegram.press(1, "Місяць")
    await telegram.wait_for(1, "Шевченка 12 — останні 30 днів")


@pytest.mark.usefixtures("bot")
async def test_statistics_leave_out_what_nobody_watched(house: House, telegram: FakeTelegram) -> None:
    await house.records.outage("home", NOW - 10 * HOUR, NOW - 9 * HOUR)
    await house.records.gap(NOW - 11 * HOUR, NOW - 5 * HOUR)
    await house.world.run("UPDATE service_ticks SET at = :at", at=NOW - HOUR)
    await house.world.chat(1, house.site)
    telegram.say(1, "/stats")
    told = await telegram.wait_for(1, "Шевченка 12")
    assert "Відключень не було." in told.text
    assert "Svitlo не стежило 7 год" in told.text  # six of the gap, and one since the detector ceased


@pytest.mark.usefixtures("bot")
async def test_the_week_comes_as_a_picture_with_its_words(house: House, telegram: FakeTelegram) -> None:
    await house.outages(3)
    await house.world.chat(1, house.site)
    telegram.say(1, "/week")
    week = await telegram.wait_for(1, "15–21 листопада 2026")
    assert week.kind == "photo"
    assert week.file is not None
    assert week.file.startswith(b"\x89PNG")
    assert week.text.startswith("📅 Шевченка 12 — 15–21 листопада 2026\n\nБез світла 3 год (1,")


@pytest.mark.usefixtures("bot")
async def test_where_pictures_are_not_taken_the_words_come_alone(house: House, telegram: FakeTelegram) -> None:
    await house.world.chat(1, house.site)
    telegram.fail(400, "Bad Request: not enough rights to send photos to the chat", method="sendPhoto")
    telegram.say(1, "/week")
    week = await telegram.wait_for(1, "15–21 листопада 2026")
    assert week.kind == "text"


@pytest.mark.usefixtures("bot")
async def test_without_a_place_of_ones_own_the_public_ones_are_offered(house: House, telegram: FakeTelegram) -> None:
    await house.world.site("dacha", "Дача", public=False)
    telegram.say(1, "/history")
    told = await telegram.wait_for(1, "відключень ще не було")
    assert "Шевченка 12" in told.text


@pytest.mark.usefixtures("bot")
async def test_without_any_place_the_way_to_one_is_told(telegram: FakeTelegram) -> None:
    telegram.say(1, "/week")
    await telegram.wait_for(1, "/start")


@pytest.mark.usefixtures("bot")
async def test_the_buttons_under_an_alert_answer_below_it(house: House, telegram: FakeTelegram) -> None:
    await house.outages(1)
    await house.world.chat(1, house.site)
    telegram.say(1, "/history")
    alert = await telegram.wait_for(1, "відключення")
    telegram.press_data(1, Ask(what=HISTORY, site=house.site.id).pack(), alert.message_id)
    await until(lambda: len([text for text in telegram.texts(1) if "відключення 1–1" in text]) == 2)
    telegram.press_data(1, Ask(what=WEEK, site=house.site.id).pack(), alert.message_id)
    await telegram.wait_for(1, lambda seen: seen.kind == "photo")
    assert telegram.messages(1)[0].edits == 0


@pytest.mark.usefixtures("bot")
async def test_a_place_is_muted_for_eight_hours(house: House, telegram: FakeTelegram, world: World) -> None:
    await world.chat(1, house.site)
    telegram.press_data(1, Ask(what=MUTE, site=house.site.id).pack(), 1)
    await until(lambda: "🔕 Шевченка 12: мовчу до 00:00 22 листопада. Увімкнути раніше: /unmute" in telegram.answers)
    (row,) = await world.rows("SELECT muted_until FROM subscriptions")
    assert row.muted_until == NOW + 8 * HOUR


@pytest.mark.usefixtures("bot")
async def test_only_admins_mute_a_place_for_a_group(house: House, telegram: FakeTelegram, world: World) -> None:
    telegram.group(-5, admins=[7])
    await world.chat(-5, house.site)
    mute = Ask(what=MUTE, site=house.site.id).pack()
    telegram.press_data(-5, mute, 1, user_id=8)
    await until(lambda: telegram.answers == ["Це можуть лише адміністратори чату."])
    assert (await world.rows("SELECT muted_until FROM subscriptions"))[0].muted_until is None
    telegram.press_data(-5, mute, 1, user_id=7)
    await until(lambda: len(telegram.answers) == 2)
    assert (await world.rows("SELECT muted_until FROM subscriptions"))[0].muted_until is not None


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("what", [HISTORY, WEEK, MUTE])
async def test_a_private_place_shows_nothing_to_other_chats(
    house: House, telegram: FakeTelegram, world: World, what: str
) -> None:
    secret = await world.site("dacha", "Дача", public=False)
    await world.chat(1, house.site)
    await world.chat(2, secret)
    telegram.press_data(1, Ask(what=what, site=secret.id).pack(), 1)
    await until(lambda: len(telegram.answers) == 1)
    assert telegram.answers[0] in ("Цього місця тут не видно.", "За цим місцем тут не стежать.")
    telegram.press_data(1, Leaf(site=secret.id, page=0).pack(), 1)
    telegram.press_data(1, Look(site=secret.id, period=Period.DAY).pack(), 1)
    await until(lambda: telegram.answers[1:] == ["Цього місця тут не видно."] * 2)
    assert not any("Дача" in text for text in telegram.texts(1))


@pytest.mark.usefixtures("bot")
async def test_the_week_by_itself_is_switched_off_and_on(telegram: FakeTelegram, world: World) -> None:
    async def wanted() -> bool:
        return bool((await world.rows("SELECT weekly FROM chats WHERE chat_id = 1"))[0].weekly)

    telegram.say(1, "/weekly")
    await telegram.wait_for(1, "Щонеділі о 19:00 надсилаю")
    telegram.say(1, "/weekly off")
    await telegram.wait_for(1, "більше не надсилатиму")
    assert not await wanted()
    telegram.say(1, "/weekly on")
    await telegram.wait_for(1, "Щонеділі о 19:00 надсилатиму")
    assert await wanted()


@pytest.mark.usefixtures("bot")
async def test_a_living_diagram_is_asked_for_and_given_up(house: House, telegram: FakeTelegram, world: World) -> None:
    telegram.say(1, "/weekly pin")
    await telegram.wait_for(1, "рівно за одним місцем")
    chat = await world.chat(1, house.site)
    telegram.say(1, "/weekly pin")
    await telegram.wait_for(1, "Закріплю тут картинку тижня")
    assert len(await world.rows("SELECT 1 FROM pins WHERE chat = :chat AND kind = 'week'", chat=chat.id)) == 1
    telegram.say(1, "/weekly unpin")
    await telegram.wait_for(1, "більше не буде")
    assert await world.rows("SELECT 1 FROM pins") == []


@pytest.mark.usefixtures("bot")
async def test_only_admins_change_the_week_of_a_group(house: House, telegram: FakeTelegram, world: World) -> None:
    telegram.group(-5, admins=[7])
    chat = await world.chat(-5, house.site)
    for wish in ("off", "pin"):
        telegram.say(-5, f"/weekly {wish}", user_id=8)
    await until(lambda: telegram.texts(-5) == ["Це можуть лише адміністратори чату."] * 2)
    (row,) = await world.rows(
        "SELECT weekly, (SELECT count(*) FROM pins) AS pins FROM chats WHERE id = :id", id=chat.id
    )
    assert (row.weekly, row.pins) == (True, 0)


@pytest.mark.usefixtures("bot")
async def test_a_board_that_was_never_heard_gives_no_good_week(house: House, telegram: FakeTelegram) -> None:
    await house.world.run("UPDATE devices SET first_seen_at = NULL")
    telegram.say(1, "/start s_home")
    await telegram.wait_for(1, "Шевченка 12")
    telegram.say(1, "/stats")
    seen = await telegram.wait_for(1, "7 днів")
    assert "Відключень не було" not in seen.text
    assert "не стежило" in seen.text


async def test_the_days_before_the_board_came_are_no_days_with_power(house: House) -> None:
    await house.world.run("UPDATE devices SET first_seen_at = :at", at=NOW - timedelta(days=1))
    async with house.world.database.transaction() as session:
        found = await history.site_for(session, 0, house.site.id)
        assert found is not None
        record = await history.record_of(session, found, NOW - timedelta(days=7), NOW, NOW)
    assert record.statistics().observed == timedelta(days=1)
