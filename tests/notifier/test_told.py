"""Whoever follows a building is told of its sections, and may do with those alerts what others do with theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.notifier import chats_told, history
from services.notifier.bot.callbacks import HISTORY, MUTE, WEEK, Ask
from services.notifier.bot.poller import Poller
from svitlo.contracts import EventKind
from tests.notifier.conftest import World, notifying, until
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
