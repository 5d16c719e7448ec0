"""The living diagram, over the real client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.notifier import diagram
from services.notifier.channels.gallery import Gallery
from services.notifier.chats import Chat
from services.notifier.diagram import Diagrams
from services.notifier.pacing import UNLIMITED, Pace
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
