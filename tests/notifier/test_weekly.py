"""The week of a place: the picture agrees with its words, and what is sent by itself on Sunday."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from services.notifier import history, weekly
from services.notifier.history import Record, Site
from services.notifier.texts import words
from services.notifier.views import Reader
from services.notifier.views.reports import week_caption
from svitlo.pictures.day import bounds
from svitlo.statistics import Recorded
from tests.api.records import Records
from tests.notifier.conftest import KYIV, World

SUNDAY = date(2026, 11, 22)
EVENING = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)  # 19:00 in Kyiv
LONG_AGO = EVENING - timedelta(days=200)
HOUR = timedelta(hours=1)
SITE = Site(1, "Шевченка 12", LONG_AGO, True)


def reader(language: str = "uk", now: datetime = EVENING) -> Reader:
    return Reader(words=words(language), zone=KYIV, now=now, escape=lambda text: text)


def local(day: int, hour: float, month: int = 11) -> datetime:
    """An hour of a day by Kyiv's clock, counted from midnight."""
    return datetime(2026, month, day, tzinfo=KYIV).astimezone(UTC) + hour * HOUR


def outage(start: datetime, length: timedelta | None, **marks: Any) -> Recorded:
    end = start + length if length else None
    return Recorded(started_lo=start, started_hi=start, ended_lo=end, ended_hi=end, **marks)


def record(*outages: Recorded, last: date = SUNDAY, now: datetime = EVENING, **known: Any) -> Record:
    since, until = bounds(last - timedelta(days=6), KYIV)[0], bounds(last, KYIV)[1]
    facts: dict[str, Any] = {"site": SITE, "blind": ()} | known
    return Record(since=since, until=until, now=now, outages=outages, **facts)


def written(svg: str) -> list[str]:
    """The words on a picture, in order."""
    return [part.text or "" for part in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def caption(of: Record, language: str = "uk", last: date = SUNDAY) -> str:
    days = [last - timedelta(days=back) for back in range(6, -1, -1)]
    each = [(day, of.statistics(*bounds(day, KYIV))) for day in days]
    return week_caption(of.site.name, each, of.statistics(), reader(language, of.now))


BUSY = record(
    outage(local(16, 8), 2 * HOUR),
    outage(local(17, 22), 5 * HOUR + timedelta(minutes=30)),
    outage(local(18, 9), timedelta(seconds=20), momentary=True),
    outage(local(19, 10), 3 * HOUR, maintenance=True),
    outage(local(22, 18), None),
    blind=((local(20, 10), local(20, 14)),),
)


def test_the_picture_says_each_days_hours_and_the_whole() -> None:
    said = written(weekly.svg_of(BUSY, SUNDAY, reader()))
    assert said[:3] == ["Шевченка 12", "16–22 листопада 2026", "Без світла 11 год 30 хв, 4 відключення"]
    rows = dict(pairwise(said))
    shown = [rows[day] for day in ("Пн 16", "Вт 17", "Ср 18", "Чт 19", "Пт 20", "Сб 21", "Нд 22")]
    assert shown == ["2 год", "2 год", "3 год 30 хв", "3 год", "0", "0", "1 год"]
    assert said[-4:] == ["світло є", "немає", "планові роботи", "не стежили 4 год"]


def test_the_words_say_the_same_to_those_who_cannot_see_it() -> None:
    assert caption(BUSY) == (
        "📅 <b>Шевченка 12</b> — 16–22 листопада 2026\n"
        "\n"
        "Без світла 11 год 30 хв (7,2 % часу), 4 відключення.\n"
        "Найдовше — 5 год 30 хв.\n"
        "Із них 1 планове (3 год).\n"
        "Ще 1 раз світло блимнуло.\n"
        "Svitlo не стежило 4 год: цей час не враховано.\n"
        "Найгірший день — середа, 18 листопада: 3 год 30 хв."
    )
    assert caption(BUSY, "en").endswith("The worst day: Wednesday, 18 November, 3 h 30 min.")
    described = ElementTree.fromstring(weekly.svg_of(BUSY, SUNDAY, reader())).find("{http://www.w3.org/2000/svg}desc")
    assert described is not None
    assert (described.text or "").startswith("Без світла 11 год 30 хв (7,2 % часу), 4 відключення. понеділок: 2 год;")


@pytest.mark.parametrize("language", ["uk", "en"])
def test_a_caption_fits_into_what_telegram_takes(language: str) -> None:
    name = "Щ" * 120
    long = record(*BUSY.outages, blind=BUSY.blind, site=Site(1, name, LONG_AGO, True))
    assert len(caption(long, language)) < 1024


def test_a_week_without_outages_is_a_good_one() -> None:
    said = written(weekly.svg_of(record(), SUNDAY, reader("en")))
    assert said[2] == "No outages"
    assert "planned work" not in said
    assert caption(record(), "en").endswith("No outages.")


def test_of_days_to_come_and_days_before_nothing_is_said() -> None:
    new = record(site=Site(1, "Дім", local(18, 12), True), now=local(20, 12))
    said = written(weekly.svg_of(new, SUNDAY, reader(now=local(20, 12))))
    assert [said[said.index(day) + 1] for day in ("Вт 17", "Ср 18", "Пт 20", "Нд 22")] == ["", "0", "0", ""]


def test_what_nobody_watched_is_not_called_good() -> None:
    blind = record(blind=((local(16, 0), local(23, 0)),))
    said = written(weekly.svg_of(blind, SUNDAY, reader()))
    assert said[2] == "Svitlo не стежило"
    assert said[said.index("Ср 18") + 1] == "немає даних"
    assert "Відключень не було" not in caption(blind)


@pytest.mark.parametrize(
    ("last", "month", "says", "hours"),
    [
        (date(2026, 10, 25), 10, "25 жовтня: годинник переведено, у добі 25 год.", "1 день 1 год"),
        (date(2026, 3, 29), 3, "29 березня: годинник переведено, у добі 23 год.", "23 год"),
    ],
)
def test_a_day_of_changing_clocks_has_its_own_length(last: date, month: int, says: str, hours: str) -> None:
    start, end = bounds(last, KYIV)
    site = Site(1, "Дім", start - timedelta(days=100), True)
    dark = record(outage(start - HOUR, None), last=last, now=end, site=site)
    said = written(weekly.svg_of(dark, last, reader(now=end)))
    assert says in said
    assert said[said.index(f"Нд {last.day}") + 1] == hours


def test_bars_are_as_long_as_the_days_hours_say() -> None:
    svg = weekly.svg_of(record(outage(local(17, 22), 5 * HOUR)), SUNDAY, reader())
    bars = [float(wide) for wide in re.findall(r'width="([\d.]+)" height="26\.00" fill="#24344f"', svg)]
    hour = 295 / 24
    assert bars == [pytest.approx(2 * hour, abs=0.1), pytest.approx(3 * hour, abs=0.1)]


# What is sent.


@pytest.fixture
async def records(world: World) -> Records:
    """A place that is watched, made long ago, with two outages in the week."""
    made = Records(world.database)
    await made.site("home", "Шевченка 12")
    await made.device("home", "hall", "online")
    await made.execute("UPDATE sites SET created_at = :at", at=LONG_AGO)
    await made.execute(
        "INSERT INTO service_ticks (service, at, since) VALUES ('detector', :at, :since)", at=EVENING, since=LONG_AGO
    )
    await made.outage("home", local(17, 8), local(17, 10))
    await made.outage("home", local(19, 8), local(19, 9))
    await made.outage("home", local(12, 8), local(12, 9))
    return made


async def said(world: World, chat: int, language: str = "uk") -> Any:
    payload = {"day": SUNDAY.isoformat()}
    return await weekly.said(world.database, chat=chat, payload=payload, reader=reader(language))


@pytest.mark.usefixtures("records")
async def test_of_one_place_the_picture_is_sent(world: World) -> None:
    (home,) = await world.rows("SELECT id FROM sites")
    chat = await world.chat(1)
    await world.run("INSERT INTO subscriptions (chat, site_id) VALUES (:chat, :site)", chat=chat.id, site=home.id)
    message = await said(world, chat.id)
    assert message.photo.startswith(b"\x89PNG")
    assert message.text.startswith("📅 <b>Шевченка 12</b> — 16–22 листопада 2026\n\nБез світла 3 год (1,8 % часу), 2 ")


async def test_of_several_places_a_list_is_sent_with_a_button_for_each_picture(world: World, records: Records) -> None:
    shed = await world.site("shed", "Садова 1", public=False)
    (home,) = await world.rows("SELECT id FROM sites WHERE slug = 'home'")
    chat = await world.chat(1, shed)
    await world.run("INSERT INTO subscriptions (chat, site_id) VALUES (:chat, :site)", chat=chat.id, site=home.id)
    message = await said(world, chat.id, "en")
    assert message.photo is None
    assert message.text == (
        "📅 <b>The week of 16–22 November 2026</b>\n"
        "\n"
        "<b>Садова 1</b>: Svitlo did not watch.\n"
        "<b>Шевченка 12</b>: Power off for 3 h (1.8 % of the time), 2 outages."
    )
    assert [(button.label, button.data) for (button,) in message.buttons] == [
        ("Садова 1", f"r:w:{shed.id}"),
        ("Шевченка 12", f"r:w:{home.id}"),
    ]


@pytest.mark.usefixtures("records")
async def test_to_a_chat_that_follows_nothing_any_more_nothing_is_said(world: World) -> None:
    chat = await world.chat(1)
    assert await said(world, chat.id) is None


async def test_a_week_said_late_is_still_that_week(world: World, records: Records) -> None:
    (home,) = await world.rows("SELECT id FROM sites")
    chat = await world.chat(1)
    await world.run("INSERT INTO subscriptions (chat, site_id) VALUES (:chat, :site)", chat=chat.id, site=home.id)
    await records.outage("home", local(23, 1), local(23, 2))
    late = reader(now=local(23, 9))
    await records.execute("UPDATE service_ticks SET at = :at", at=late.now)
    message = await weekly.said(world.database, chat=chat.id, payload={"day": "2026-11-22"}, reader=late)
    assert message is not None
    assert "16–22 листопада 2026" in message.text
    assert "2 відключення" in message.text


async def test_a_record_holds_what_touches_its_window(world: World, records: Records) -> None:
    (home,) = await world.rows("SELECT id FROM sites")
    chat = await world.chat(1)
    await records.gap(local(15, 20), local(16, 2))
    await records.outage("home", local(15, 23), local(16, 1))
    await records.outage("home", local(18, 1), retracted_at=EVENING)
    async with world.database.transaction() as session:
        site = await history.site_for(session, chat.id, home.id)
        assert site is not None
        found = await history.record_of(session, site, local(16, 0), local(23, 0), EVENING)
    assert [outage.started_lo for outage in found.outages] == [local(15, 23), local(17, 8), local(19, 8)]
    assert found.blind == ((local(15, 20), local(16, 2)),)
    assert found.statistics().outages.number == 2
    assert found.statistics().unseen == 1


async def test_a_picture_is_drawn_once_for_all_who_ask_within_a_minute(world: World, records: Records) -> None:
    (home,) = await world.rows("SELECT id FROM sites")
    async with world.database.transaction() as session:
        site = await history.site_for(session, 0, home.id)
    assert site is not None

    async def ask(after: timedelta = timedelta(0), language: str = "uk") -> weekly.Shown:
        return await weekly.shown(world.database, site, SUNDAY, reader(language, EVENING + after))

    first = await ask()
    await records.outage("home", local(21, 8), local(21, 10))
    together = await asyncio.gather(*(ask(timedelta(seconds=59)) for _ in range(5)))
    assert all(shown is first for shown in together)
    assert "Power off" in (await ask(language="en")).caption
    later = await ask(timedelta(seconds=60))
    assert "3 відключення" in later.caption
    assert later.photo != first.photo
