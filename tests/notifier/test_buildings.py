"""Whoever follows a building is told of its sections, and may do with those alerts what others do with theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.notifier import broadcasts, chats_told, history, pins_store, weekly
from services.notifier.bot.callbacks import HISTORY, MUTE, WEEK, Ask
from services.notifier.bot.poller import Poller
from services.notifier.texts import words
from services.notifier.views import Reader
from svitlo import registry
from svitlo.contracts import EventKind
from tests.notifier.conftest import KYIV, World, notifying, until
from tests.notifier.conversation import talking
from tests.support.telegram import FakeTelegram


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    async with talking(world.database, telegram) as poller:
        yield poller


@pytest.mark.usefixtures("bot")
async def test_silence_under_a_sections_alert_is_that_of_the_building_followed(
    world: World, telegram: FakeTelegram
) -> None:
    building = await world.site("building", "Шевченка 12")
    section = await world.site("section", "Секція 1", parent="building")
    await world.chat(1, building)
    async with notifying(world, telegram):
        await world.event(section)
        await telegram.wait_for(1, "Секція 1 — світла немає")
        telegram.press(1, "Тиша")
        await telegram.wait_until(lambda: telegram.answers)
        assert telegram.answers[0].startswith("🔕 Шевченка 12: мовчу до ")
        await world.event(section, EventKind.POWER_RESTORED)
        await until(lambda: world.rows("SELECT 1 FROM deliveries WHERE held = 'mute'"))
    assert len(telegram.messages(1)) == 1


@pytest.mark.usefixtures("bot")
async def test_silence_is_that_of_the_nearest_place_followed(world: World, telegram: FakeTelegram) -> None:
    building = await world.site("building", "Шевченка 12")
    section = await world.site("section", "Секція 1", parent="building")
    await world.chat(1, building, section)
    telegram.press_data(1, Ask(what=MUTE, site=section.id).pack(), 1)
    await telegram.wait_until(lambda: telegram.answers)
    muted = await world.rows("SELECT site_id FROM subscriptions WHERE muted_until > now()")
    assert [row.site_id for row in muted] == [section.id]
    assert telegram.answers[0].startswith("🔕 Шевченка 12 › Секція 1: мовчу до ")


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(("what", "said"), [(HISTORY, "відключень ще не було"), (WEEK, "Секція 1")])
async def test_the_buttons_open_a_private_section_for_whoever_was_let_in_above(
    world: World, telegram: FakeTelegram, what: str, said: str
) -> None:
    yard = await world.site("yard", "Двір", public=False)
    section = await world.site("section", "Секція 1", public=False, parent="yard")
    await world.chat(1, yard)
    telegram.press_data(1, Ask(what=what, site=section.id).pack(), 1)
    await telegram.wait_for(1, said)
    assert telegram.answers == [""]


async def test_who_is_told_by_whose_rules_is_what_the_planner_says(world: World) -> None:
    """A public house in a private yard, with a private flat that has a private room and a public window."""
    yard = await world.site("yard", public=False)
    house = await world.site("house", parent="yard")
    flat = await world.site("flat", public=False, parent="house")
    room = await world.site("room", public=False, parent="flat")
    window = await world.site("window", parent="flat")
    places = (yard, house, flat, room, window)
    for number, place in enumerate(places, 1):
        await world.chat(number, place)
    stranger = await world.chat(9)
    for place in places:
        await world.event(place)
    await world.plan()
    async with world.database.transaction() as session:
        for chat in (*[await world.chat(number) for number in range(1, 6)], stranger):
            for place in places:
                told = await world.rows(
                    "SELECT 1 FROM deliveries d JOIN power_events e ON e.seq = d.event_seq "
                    "WHERE d.chat = :chat AND e.site_id = :site",
                    chat=chat.id,
                    site=place.id,
                )
                nearest = await chats_told.nearest(session, chat.id, place.id)
                assert bool(told) == (nearest is not None), (chat.chat_id, place.slug)
                seen = await history.site_for(session, chat.id, place.id)
                assert (seen is not None) == (place.public or bool(told)), (chat.chat_id, place.slug)
    rows = await world.rows(
        "SELECT c.chat_id, count(*) AS n FROM deliveries d JOIN chats c ON c.id = d.chat GROUP BY 1 ORDER BY 1"
    )
    assert [(row.chat_id, row.n) for row in rows] == [(1, 5), (2, 2), (3, 3), (4, 1), (5, 1)]


@pytest.mark.usefixtures("bot")
async def test_who_lets_a_section_go_reads_that_the_building_still_tells_of_it(
    world: World, telegram: FakeTelegram
) -> None:
    building = await world.site("building", "Шевченка 12")
    section = await world.site("section", "Секція 1", parent="building")
    flat = await world.site("flat", "Квартира 7", public=False, parent="building")
    for chat in (1, 2):
        await world.chat(chat, building, section, flat)
    telegram.say(1, "/places")
    await telegram.wait_for(1, "Стежу за 3 місцями")
    telegram.press(1, "Секція 1")
    await telegram.wait_for(1, lambda seen: "🗑 Не стежити" in seen.labels)
    telegram.press(1, "Не стежити")
    await telegram.wait_for(1, "Писатиму про нього й далі, бо ви стежите за «Шевченка 12»")
    telegram.press(1, "Так")
    await telegram.wait_until(lambda: any("й далі" in answer for answer in telegram.answers))
    telegram.say(2, "/unsubscribe section")
    await telegram.wait_for(2, "Писатиму про нього й далі, бо ви стежите за «Шевченка 12»")
    telegram.say(2, "/unsubscribe flat")
    await telegram.wait_for(2, "Більше не стежу: Квартира 7")
    telegram.say(2, "/unsubscribe building")
    await telegram.wait_for(2, "Більше не стежу: Шевченка 12")


# What is shown of a building: its sections, one by one.


async def built(world: World) -> registry.SiteRow:
    """A public building of two sections and a private flat."""
    building = await world.site("building", "Шевченка 12")
    for number in (1, 2):
        await world.site(f"section-{number}", f"Секція {number}", parent="building")
    await world.site("flat", "Квартира 7", public=False, parent="building")
    return building


@pytest.mark.usefixtures("bot")
async def test_status_and_history_of_a_building_are_those_of_its_sections(world: World, telegram: FakeTelegram) -> None:
    await world.chat(1, await built(world))
    telegram.say(1, "/status")
    seen = await telegram.wait_for(1, "Секція 1")
    assert [line.partition(" — ")[0] for line in seen.text.split("\n\n")] == [
        f"❔ Шевченка 12 › Секція {number}" for number in (1, 2)
    ]
    telegram.say(1, "/history")
    seen = await telegram.wait_for(1, lambda seen: bool(seen.labels))
    assert seen.labels == ["Шевченка 12 › Секція 1", "Шевченка 12 › Секція 2"]
    telegram.say(1, "/places")
    seen = await telegram.wait_for(1, "📍 Стежу за 1 місцем")
    assert seen.labels == ["⚙️ Шевченка 12", "➕ Додати місце"]


@pytest.mark.usefixtures("bot")
async def test_the_settings_of_a_building_are_those_of_its_sections(world: World, telegram: FakeTelegram) -> None:
    await world.chat(1, await built(world))
    telegram.say(1, "/places")
    await telegram.wait_for(1, "📍 Стежу")
    telegram.press(1, "Шевченка 12")
    await telegram.wait_for(1, lambda seen: "🗑 Не стежити" in seen.labels)
    telegram.press(1, "Не стежити")
    await telegram.wait_until(lambda: "Так" in telegram.messages(1)[-1].labels[0])
    telegram.press(1, "Так")
    await telegram.wait_for(1, "Ви ще ні за чим не стежите")
    await world.event((await world.rows("SELECT id, slug FROM sites WHERE slug = 'section-1'"))[0])
    await world.plan()
    assert await world.states(1) == []


@pytest.mark.usefixtures("bot")
async def test_the_week_of_a_building_is_pinned_for_one_section_only(world: World, telegram: FakeTelegram) -> None:
    await world.chat(1, await built(world))
    telegram.say(1, "/weekly pin")
    await telegram.wait_for(1, "рівно за одним місцем")
    assert not await world.rows("SELECT 1 FROM pins")


async def test_the_week_of_a_building_lists_its_sections(world: World) -> None:
    chat = await world.chat(1, await built(world))
    reader = Reader(words=words("uk"), zone=KYIV, now=datetime.now(UTC), escape=str)
    said = await weekly.said(world.database, chat=chat.id, payload={"day": "2026-11-22"}, reader=reader)
    assert said is not None
    assert [row[0].label for row in said.buttons] == ["Шевченка 12, Секція 1", "Шевченка 12, Секція 2"]


async def test_a_new_section_of_a_building_makes_the_pinned_message_due(world: World) -> None:
    chat = await world.chat(1, await built(world))
    facts = pins_store.Facts(version="1", zone="Europe/Kyiv")
    moment = timedelta(0)

    async def due() -> list[int]:
        async with world.database.transaction() as session:
            return await pins_store.due(session, facts, pins_store.Waiting(), 10, gap=moment, look=timedelta(hours=1))

    async with world.database.transaction() as session:
        await pins_store.want(session, chat.id)
        mine = await pins_store.claim(session, facts, chat.id, gap=moment, look=timedelta(hours=1))
        assert mine is not None
        await pins_store.write(session, chat.id, message_id=1, digest=mine.wanted)
    assert await due() == []
    await world.site("attic", "Горище", public=False, parent="building")
    assert await due() == [], "a private one is not theirs"
    await world.site("section-3", "Секція 3", parent="building")
    assert await due() == [chat.id]


async def test_a_place_with_a_board_and_sections_is_shown_with_them(world: World) -> None:
    chat = await world.chat(1, await built(world))
    await world.run("INSERT INTO devices (id) VALUES ('d1')")
    await world.run("INSERT INTO site_devices (site_id, device_id) SELECT id, 'd1' FROM sites WHERE slug = 'building'")
    async with world.database.transaction() as session:
        told = await chats_told.told_sites(session, chat.id)
    assert [place.slug for place in told] == ["section-1", "section-2", "building"]


async def test_a_broadcast_to_a_section_reaches_those_who_follow_its_building(world: World) -> None:
    building = await built(world)
    rows = {row.slug: row.id for row in await world.rows("SELECT id, slug FROM sites")}
    await world.chat(1, building)
    async with world.database.transaction() as session:
        reached = {slug: await broadcasts.reach(session, rows[slug]) for slug in ("building", "section-1", "flat")}
    assert reached == {"building": 1, "section-1": 1, "flat": 0}
