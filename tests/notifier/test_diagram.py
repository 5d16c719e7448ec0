"""The living diagram, over the real client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.notifier import chats, diagram, workers
from services.notifier.bot import weekly
from services.notifier.channels.gallery import Gallery
from services.notifier.chats import Chat
from services.notifier.diagram import Diagrams
from services.notifier.pacing import TELEGRAM, UNLIMITED, Pace, Rate, telegram_rates
from tests.notifier.conftest import KYIV, World
from tests.support.telegram import PIN, FakeTelegram

GROUP = -100
NOON = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)  # Saturday, 12:00 in Kyiv
HOUR = timedelta(hours=1)


class Clock:
    """A moment that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def diagrams(world: World, telegram: FakeTelegram, clock: Clock) -> AsyncIterator[Diagrams]:
    gallery = Gallery(telegram.token, telegram.url, timeout_s=10.0)
    yield Diagrams(world.database, gallery, Pace(UNLIMITED), KYIV, clock=clock)
    await gallery.close()


@pytest.fixture
async def chat(world: World, telegram: FakeTelegram) -> Chat:
    """A group in which the bot may pin, with a living diagram of its place."""
    telegram.group(GROUP, bot=[PIN], members_may=["can_send_photos"])
    home = await world.site("home", "Шевченка 12")
    made = await world.chat(GROUP, home)
    async with world.database.transaction() as session:
        await diagram.want(session, made.id)
    return made


def doings(telegram: FakeTelegram) -> list[str]:
    return [entry.what for entry in telegram.ledger(GROUP)]


async def all_done(diagrams: Diagrams) -> int:
    """How many pictures were due."""
    done = 0
    while await diagrams.work():
        done += 1
        assert done < 10, "it finds no end"
    return done


@pytest.mark.usefixtures("chat")
async def test_a_picture_is_pinned_and_redrawn_every_hour(
    diagrams: Diagrams, telegram: FakeTelegram, clock: Clock
) -> None:
    assert await all_done(diagrams) == 1
    assert doings(telegram) == ["sent", "pinned"]
    (hung,) = telegram.messages(GROUP)
    assert (hung.kind, hung.silent) == ("photo", True)
    assert "15–21 листопада 2026" in hung.text
    before = hung.file
    clock.now += HOUR / 2
    assert await all_done(diagrams) == 0
    clock.now += HOUR / 2
    assert await all_done(diagrams) == 1
    assert doings(telegram) == ["sent", "pinned", "edited"]
    assert telegram.messages(GROUP)[0].file != before


@pytest.mark.usefixtures("chat")
async def test_at_midnight_it_is_finished_and_a_new_one_begins(
    diagrams: Diagrams, telegram: FakeTelegram, clock: Clock
) -> None:
    await all_done(diagrams)
    clock.now = datetime(2026, 11, 21, 22, 1, tzinfo=UTC)  # 00:01 on Sunday in Kyiv
    assert await all_done(diagrams) == 1
    assert doings(telegram) == ["sent", "pinned", "edited", "unpinned", "sent", "pinned"]
    old, new = telegram.messages(GROUP)
    assert "15–21 листопада 2026" in old.text
    assert "16–22 листопада 2026" in new.text
    assert (old.pinned, new.pinned) == (False, True)


@pytest.mark.usefixtures("chat")
async def test_one_that_was_deleted_is_posted_again(diagrams: Diagrams, telegram: FakeTelegram, clock: Clock) -> None:
    await all_done(diagrams)
    telegram.remove(GROUP, telegram.messages(GROUP)[0].message_id)
    clock.now += HOUR
    await all_done(diagrams)
    assert [seen.pinned for seen in telegram.messages(GROUP)] == [True]


@pytest.mark.usefixtures("chat")
async def test_without_the_right_to_pin_it_is_kept_up_to_date(
    diagrams: Diagrams, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.rights(GROUP)
    await all_done(diagrams)
    clock.now += HOUR
    await all_done(diagrams)
    assert doings(telegram) == ["sent", "edited"]


@pytest.mark.usefixtures("chat")
async def test_a_failure_is_tried_again_after_five_minutes(
    diagrams: Diagrams, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.fail(502, method="sendPhoto")
    assert await all_done(diagrams) == 1
    assert doings(telegram) == []
    clock.now += timedelta(minutes=5)
    assert await all_done(diagrams) == 1
    assert doings(telegram) == ["sent", "pinned"]


async def test_a_chat_that_follows_several_places_has_none(
    world: World, chat: Chat, diagrams: Diagrams, telegram: FakeTelegram, clock: Clock
) -> None:
    await all_done(diagrams)
    shed = await world.site("shed")
    await world.run("INSERT INTO subscriptions (chat, site_id) VALUES (:chat, :site)", chat=chat.id, site=shed.id)
    clock.now += HOUR
    await all_done(diagrams)
    assert doings(telegram) == ["sent", "pinned", "unpinned"]
    assert await world.rows("SELECT 1 FROM pins") == []


async def test_a_chat_that_threw_the_bot_out_is_left_alone(
    world: World, chat: Chat, diagrams: Diagrams, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.block(GROUP, "Forbidden: bot was kicked from the supergroup chat")
    assert await all_done(diagrams) == 1
    (row,) = await world.rows("SELECT active FROM chats WHERE id = :chat", chat=chat.id)
    assert not row.active
    clock.now += HOUR
    assert await all_done(diagrams) == 0


async def test_each_chat_has_the_midnight_of_its_own_zone(
    world: World, chat: Chat, diagrams: Diagrams, telegram: FakeTelegram, clock: Clock
) -> None:
    await world.run("UPDATE chats SET timezone = 'America/New_York' WHERE id = :chat", chat=chat.id)
    clock.now = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)  # still Saturday in New York
    await all_done(diagrams)
    assert "15–21 листопада 2026" in telegram.messages(GROUP)[0].text


async def test_a_group_that_takes_no_pictures_is_told_once_and_keeps_its_alerts(
    world: World, telegram: FakeTelegram, diagrams: Diagrams, chat: Chat
) -> None:
    telegram.fail(400, "Bad Request: not enough rights to send photos to the chat", times=9, method="sendPhoto")
    assert await all_done(diagrams) == 1
    assert [seen.text.partition(":")[0] for seen in telegram.messages(GROUP)] == ["📅 Не можу закріпити тиждень"]
    assert not await world.rows("SELECT 1 FROM pins")
    assert await world.rows("SELECT 1 FROM chats WHERE id = :id AND active", id=chat.id)


@pytest.mark.usefixtures("chat")
@pytest.mark.parametrize(("per_second", "processes"), [(1, 1), (4, 1), (16, 1), (29, 6), (29, 40)])
async def test_a_picture_is_drawn_at_any_rate(
    world: World, telegram: FakeTelegram, clock: Clock, per_second: int, processes: int
) -> None:
    pace = Pace(telegram_rates(per_second))
    pace.share(processes)
    gallery = Gallery(telegram.token, telegram.url, timeout_s=10.0)
    async with asyncio.timeout(20):
        assert await Diagrams(world.database, gallery, pace, KYIV, clock=clock).work()
    await gallery.close()
    assert doings(telegram) == ["sent", "pinned"]


@pytest.mark.usefixtures("chat")
async def test_a_picture_counts_towards_its_groups_rate(world: World, telegram: FakeTelegram, clock: Clock) -> None:
    pace = Pace(replace(TELEGRAM, group=Rate(1, 60.0)))
    gallery = Gallery(telegram.token, telegram.url, timeout_s=10.0)
    await Diagrams(world.database, gallery, pace, KYIV, clock=clock).work()
    await gallery.close()
    assert pace.full_chats(time.monotonic()) == {GROUP}


@pytest.mark.parametrize(("chat_id", "waits"), [(7, True), (GROUP, False)])
async def test_a_flood_wait_of_a_picture_is_that_of_all_but_a_groups_own(
    world: World, telegram: FakeTelegram, clock: Clock, chat_id: int, waits: bool
) -> None:
    made = await world.chat(chat_id, await world.site("home", "Шевченка 12"))
    async with world.database.transaction() as session:
        await diagram.want(session, made.id)
    telegram.flood(30, method="sendPhoto")
    gallery, pace = Gallery(telegram.token, telegram.url, timeout_s=10.0), Pace(UNLIMITED)
    await Diagrams(world.database, gallery, pace, KYIV, clock=clock).work()
    await gallery.close()
    async with world.database.transaction() as session:
        assert (await workers.flood_left(session, chats.TELEGRAM) > 20) is waits
    assert (pace.flooded(time.monotonic()) > 20) is waits


async def test_a_building_of_one_section_has_a_picture_of_that(
    world: World, telegram: FakeTelegram, diagrams: Diagrams
) -> None:
    telegram.group(GROUP, bot=[PIN], members_may=["can_send_photos"])
    building = await world.site("building", "Шевченка 12")
    await world.site("section", "Секція 1", parent="building")
    made = await world.chat(GROUP, building)
    async with world.database.transaction() as session:
        assert await weekly._pin(session, made.id) == "weekly-pinned"
    assert await all_done(diagrams) == 1
    assert telegram.messages(GROUP)[0].text.startswith("📅 Шевченка 12, Секція 1")
