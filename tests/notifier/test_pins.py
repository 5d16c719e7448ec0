"""The pinned message with the state of a chat's places, over the real client."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats, pins_store
from services.notifier.channels.pinboard import Pinboard
from services.notifier.pacing import TELEGRAM, UNLIMITED, Pace
from services.notifier.pins import Habits, Pins
from services.notifier.texts import words
from services.notifier.views import Reader, SiteStatus
from services.notifier.views.groups import pin_text
from svitlo import registry
from svitlo.contracts import SiteStateWord
from svitlo.db.session import Database
from svitlo.errors import DatabaseUnavailableError
from tests.notifier.conftest import KYIV, World, until
from tests.support.telegram import EDIT, FEW, PIN, POST, STRICT, FakeTelegram

GROUP, CHANNEL = -100, -200
NOON = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
QUICK = Habits(poll_s=0.05, gap_s=0.3, retry_s=0.1, wait_s=0.01)


@contextlib.asynccontextmanager
async def pinning(
    world: World, telegram: FakeTelegram, *, habits: Habits = QUICK, pace: Pace | None = None, timeout_s: float = 5.0
) -> AsyncIterator[Pins]:
    board = Pinboard(telegram.token, telegram.url, timeout_s=timeout_s)
    pins = Pins(world.database, board, pace or Pace(UNLIMITED), KYIV, habits=habits)
    task = asyncio.create_task(pins.run())
    try:
        yield pins
    finally:
        task.cancel()
        await asyncio.wait([task])
        await board.close()


def site(name: str, state: str, *, since: datetime | None = NOON, children: int = 0, off: int = 0) -> SiteStatus:
    return SiteStatus(
        place=name, state=SiteStateWord(state), since=since, cause=None, children=children, children_off=off
    )


def reader(language: str, now: datetime = NOON) -> Reader:
    return Reader(
        words=words(language), zone=KYIV, now=now, escape=lambda said: said.replace("&", "&amp;").replace("<", "&lt;")
    )


HOUSE = [
    site("Дача", "unknown", since=None),
    site("Двір & <сад>", "off", since=NOON - timedelta(days=400)),
    site("Клініка", "backup"),
    site("Під'їзд 1", "partial", children=4, off=1),
    site("Ринок", "maintenance"),
    site("Школа", "late"),
    site("Шевченка 12", "on"),
]

UK = """💡 Світло є: 1 з 7

❔ Дача — стан невідомий
🔌 Двір &amp; &lt;сад> — світла немає з 13:00 16 жовтня 2025
🔋 Клініка — резервне живлення
🌗 Під'їзд 1 — світло є не всюди
Без світла 1 з 4
🛠 Ринок — технічні роботи
⏳ Школа — плата мовчить, чекаємо
💡 Шевченка 12 — світло є з 12:00 20 листопада

<i>Оновлюється саме, щойно щось зміниться.</i>"""

EN = """💡 Power on: 1 of 7

❔ Дача — state unknown
🔌 Двір &amp; &lt;сад> — power off since 13:00 16 October 2025
🔋 Клініка — on backup power
🌗 Під'їзд 1 — power on in parts
1 of 4 without power
🛠 Ринок — maintenance
⏳ Школа — the board is silent, waiting
💡 Шевченка 12 — power on since 12:00 20 November

<i>Updates by itself whenever something changes.</i>"""


@pytest.mark.parametrize(("language", "said"), [("uk", UK), ("en", EN)])
def test_a_house_with_every_state_reads_well(language: str, said: str) -> None:
    assert pin_text(HOUSE, reader(language)) == said


def test_the_text_does_not_depend_on_when_in_a_year_it_is_made() -> None:
    for language in ("uk", "en"):
        made = {pin_text(HOUSE, reader(language, NOON + timedelta(hours=hours))) for hours in range(24 * 40)}
        assert len(made) == 1


@pytest.mark.parametrize(
    ("states", "summary"),
    [
        (["on"], "💡 x — світло є з 12:00 20 листопада"),
        (["on", "on"], "💡 Світло є всюди"),
        (["off", "off", "off"], "🔌 Світла немає ніде"),
        (["on", "off", "late"], "💡 Світло є: 1 з 3"),
        (["off", "unknown"], "🔌 Світла немає: 1 з 2"),
        (["unknown", "unknown"], "❔ x — стан невідомий з 12:00 20 листопада"),
    ],
)
def test_the_first_line_says_the_most(states: list[str], summary: str) -> None:
    assert pin_text([site("x", state) for state in states], reader("uk")).splitlines()[0] == summary


def test_very_many_places_are_cut_below_what_telegram_takes() -> None:
    said = pin_text([site("Д" * 120, "on")] * 100, reader("uk"))
    assert len(said) < 4096
    assert "…і ще" in said


async def becomes(world: World, site: registry.SiteRow, power: str, since: datetime = NOON) -> None:
    await world.run(
        "INSERT INTO site_state (site_id, power, state, since, updated_at) VALUES (:id, :power, :power, :since, now()) "
        "ON CONFLICT (site_id) DO UPDATE SET power = :power, state = :power, since = :since",
        id=site.id,
        power=power,
        since=since,
    )


async def pinned_chat(
    world: World, chat_id: int, *sites: registry.SiteRow, language: str = "uk", topic: int = 0
) -> chats.Chat:
    async with world.database.transaction() as session:
        kind = "private" if chat_id > 0 else "supergroup"
        chat = await chats.meet(session, chats.TELEGRAM, chat_id, language, topic_id=topic, kind=kind)
        for site in sites:
            await chats.subscribe(session, chat.id, site.id)
        await pins_store.want(session, chat.id)
    return chat


async def pin_row(world: World, chat: chats.Chat) -> tuple[int | None, str | None]:
    [row] = await world.rows("SELECT message_id, error FROM pins WHERE chat = :chat", chat=chat.id)
    return row.message_id, row.error


async def settled(telegram: FakeTelegram, chat_id: int, *said: str, timeout_s: float = 30.0) -> None:
    """The one message there is pinned and says all that."""

    def holds() -> bool:
        pinned = telegram.pinned(chat_id)
        return len(pinned) == 1 and all(word in pinned[0].text for word in said)

    await telegram.wait_until(holds, timeout_s, f"{said} in {telegram.texts(chat_id)}")


def doings(telegram: FakeTelegram, chat_id: int) -> list[str]:
    return [entry.what for entry in telegram.ledger(chat_id)]


async def test_a_message_is_posted_without_a_sound_pinned_and_edited_on_change(
    world: World, telegram: FakeTelegram
) -> None:
    telegram.group(GROUP, bot=[PIN])
    home = await world.site("home", "Шевченка <12>")
    await becomes(world, home, "on")
    await pinned_chat(world, GROUP, home)
    async with pinning(world, telegram) as pins:
        await settled(telegram, GROUP, "💡 Шевченка <12> — світло є з 12:00 20 листопада")
        await becomes(world, home, "off", NOON + timedelta(hours=2))
        pins.wake()
        await settled(telegram, GROUP, "🔌 Шевченка <12> — світла немає з 14:00 20 листопада")
    assert doings(telegram, GROUP) == ["sent", "pinned", "edited"]
    assert all(entry.silent for entry in telegram.ledger(GROUP))


async def test_each_chat_reads_its_own_language_and_places_even_in_a_topic(
    world: World, telegram: FakeTelegram
) -> None:
    telegram.group(GROUP, bot=[PIN])
    topic = telegram.topic(GROUP, "Power")
    home, work = await world.site("home", "Home"), await world.site("work", "Work")
    await becomes(world, home, "on")
    await becomes(world, work, "off")
    await pinned_chat(world, GROUP, home, work, language="en", topic=topic)
    await pinned_chat(world, 7, home)
    async with pinning(world, telegram):
        await settled(telegram, GROUP, "💡 Power on: 1 of 2", "💡 Home — power on", "🔌 Work — power off")
        await settled(telegram, 7, "💡 Home — світло є")
    assert telegram.pinned(GROUP)[0].topic == topic


async def test_a_storm_of_changes_makes_few_edits_and_ends_with_the_truth(world: World, telegram: FakeTelegram) -> None:
    telegram.group(GROUP, bot=[PIN])
    home = await world.site("home")
    await pinned_chat(world, GROUP, home)
    async with pinning(world, telegram) as pins:
        await settled(telegram, GROUP, "стан невідомий")
        for turn in range(20):
            await becomes(world, home, ("on", "off")[turn % 2], NOON + timedelta(minutes=turn))
            pins.wake()
            await asyncio.sleep(0.02)
        await settled(telegram, GROUP, "світла немає з 12:19")
    edits = [entry.at for entry in telegram.ledger(GROUP, "edited")]
    assert len(edits) < 15
    hasty = [later - sooner for sooner, later in itertools.pairwise(edits) if later - sooner < QUICK.gap_s * 0.9]
    assert len(hasty) <= 1, hasty  # one may have been held up on its way


async def test_a_deleted_message_is_posted_and_pinned_again(world: World, telegram: FakeTelegram) -> None:
    telegram.group(GROUP, bot=[PIN])
    home = await world.site("home")
    await pinned_chat(world, GROUP, home)
    async with pinning(world, telegram):
        await settled(telegram, GROUP, "стан невідомий")
        telegram.remove(GROUP, telegram.pinned(GROUP)[0].message_id)
        await becomes(world, home, "on")
        await settled(telegram, GROUP, "світло є")
    assert doings(telegram, GROUP) == ["sent", "pinned", "deleted", "sent", "pinned"]


async def test_a_deleted_message_is_missed_even_when_nothing_changes(world: World, telegram: FakeTelegram) -> None:
    telegram.group(GROUP, bot=[PIN])
    await pinned_chat(world, GROUP, await world.site("home"))
    async with pinning(world, telegram, habits=Habits(poll_s=0.05, gap_s=0.1, look_s=0.3)):
        await settled(telegram, GROUP, "стан невідомий")
        first = telegram.pinned(GROUP)[0].message_id
        telegram.remove(GROUP, first)
        await settled(telegram, GROUP, "стан невідомий")
    assert telegram.pinned(GROUP)[0].message_id != first


async def test_what_people_unpinned_stays_unpinned(world: World, telegram: FakeTelegram) -> None:
    telegram.group(GROUP, bot=[PIN])
    home = await world.site("home")
    await pinned_chat(world, GROUP, home)
    async with pinning(world, telegram):
        await settled(telegram, GROUP, "стан невідомий")
        telegram.unpin(GROUP, telegram.pinned(GROUP)[0].message_id)
        await becomes(world, home, "on")
        await telegram.wait_for(GROUP, "світло є")
    assert doings(telegram, GROUP) == ["sent", "pinned", "unpinned", "edited"]


async def test_without_the_right_it_stops_says_so_once_and_goes_on_when_it_is_given(
    world: World, telegram: FakeTelegram
) -> None:
    telegram.group(GROUP)
    home = await world.site("home")
    chat = await pinned_chat(world, GROUP, home)
    async with pinning(world, telegram) as pins:
        await telegram.wait_for(GROUP, "немає права закріплювати")
        for power in ("on", "off"):
            await becomes(world, home, power)
            await pins.work()
        assert [text.splitlines()[0] for text in telegram.texts(GROUP)] == [
            "📌 Не можу закріпити повідомлення зі станом світла: немає права закріплювати."
        ]
        assert await pin_row(world, chat) == (None, pins_store.NO_RIGHT)

        telegram.rights(GROUP, PIN)
        async with world.database.transaction() as session:
            await pins_store.resume(session, GROUP)
        await settled(telegram, GROUP, "світла немає")


async def test_a_channel_needs_the_right_to_edit(world: World, telegram: FakeTelegram) -> None:
    telegram.channel(CHANNEL, bot=[POST])
    home = await world.site("home")
    chat = await pinned_chat(world, CHANNEL, home)
    async with pinning(world, telegram):
        await until(lambda: telegram.texts(CHANNEL))
        await telegram.wait_for(CHANNEL, "немає права закріплювати")
        telegram.rights(CHANNEL, POST, EDIT)
        async with world.database.transaction() as session:
            await pins_store.resume(session, CHANNEL)
        await settled(telegram, CHANNEL, "стан невідомий")
        telegram.rights(CHANNEL, EDIT)
        await becomes(world, home, "on")
        await until(lambda: world.rows("SELECT 1 FROM chats WHERE id = :id AND NOT active", id=chat.id))


async def test_a_restart_posts_nothing_new(world: World, telegram: FakeTelegram) -> None:
    telegram.group(GROUP, bot=[PIN])
    home = await world.site("home")
    chat = await pinned_chat(world, GROUP, home)
    async with pinning(world, telegram):
        await settled(telegram, GROUP, "стан невідомий")
    # As if the process had died between its last call and writing that down.
    await world.run("UPDATE pins SET digest = NULL WHERE chat = :chat", chat=chat.id)
    async with pinning(world, telegram):
        await until(lambda: world.rows("SELECT 1 FROM pins WHERE digest NOT LIKE 'new:%'"))
        await becomes(world, home, "on")
        await settled(telegram, GROUP, "світло є")
    assert doings(telegram, GROUP) == ["sent", "pinned", "edited"]


async def test_several_processes_share_the_work_and_none_is_done_twice(world: World, telegram: FakeTelegram) -> None:
    home = await world.site("home")
    groups = range(-130, -100)
    for group in groups:
        telegram.group(group, bot=[PIN])
        await pinned_chat(world, group, home)
    async with pinning(world, telegram), pinning(world, telegram), pinning(world, telegram):
        for group in groups:
            await settled(telegram, group, "стан невідомий")
        await becomes(world, home, "on")
        for group in groups:
            await settled(telegram, group, "світло є")
    assert {tuple(doings(telegram, group)) for group in groups} == {("sent", "pinned", "edited")}


async def test_a_group_that_moved_gets_a_new_message_there(world: World, telegram: FakeTelegram) -> None:
    telegram.group(GROUP, kind="group", bot=[PIN])
    home = await world.site("home")
    await pinned_chat(world, GROUP, home)
    async with pinning(world, telegram):
        await settled(telegram, GROUP, "стан невідомий")
        telegram.migrate(GROUP, -1000100)
        await becomes(world, home, "on")
        await settled(telegram, -1000100, "світло є")
    assert doings(telegram, -1000100) == ["sent", "pinned"]


async def test_alerts_go_first(world: World, telegram: FakeTelegram) -> None:
    telegram.group(GROUP, bot=[PIN])
    await pinned_chat(world, GROUP, await world.site("home"))
    pace = Pace(TELEGRAM)
    began = time.monotonic()
    pace.flood(began, 1.0)
    async with pinning(world, telegram, pace=pace):
        await settled(telegram, GROUP, "стан невідомий")
    assert telegram.ledger(GROUP)[0].at >= began + 0.95


@pytest.mark.parametrize("trouble", ["flood", "hang", "fail", "drop"])
async def test_trouble_with_one_group_keeps_no_other_waiting(
    world: World, telegram: FakeTelegram, trouble: str
) -> None:
    home = await world.site("home")
    for group in (-101, -102, -103):
        telegram.group(group, bot=[PIN])
        await pinned_chat(world, group, home)
    getattr(telegram, trouble)(chat_id=-101)
    pace = Pace(TELEGRAM)
    async with pinning(world, telegram, pace=pace, timeout_s=1.0):
        for group in (-102, -103, -101):
            await settled(telegram, group, "стан невідомий")
        assert pace.flooded(time.monotonic()) == 0


async def test_a_closed_topic_ends_it_quietly(world: World, telegram: FakeTelegram) -> None:
    telegram.group(GROUP, bot=[PIN])
    topic = telegram.topic(GROUP, "Світло")
    telegram.close_topic(GROUP, topic)
    chat = await pinned_chat(world, GROUP, await world.site("home"), topic=topic)
    async with pinning(world, telegram):
        await until(lambda: world.rows("SELECT 1 FROM chats WHERE id = :id AND NOT active", id=chat.id))
    assert doings(telegram, GROUP) == []


async def test_telegrams_limits_are_kept_with_much_to_edit(world: World) -> None:
    async with FakeTelegram(**STRICT) as telegram:
        home = await world.site("home")
        groups = range(-125, -100)
        for group in groups:
            telegram.group(group, bot=[PIN])
            await pinned_chat(world, group, home)
        async with pinning(world, telegram, pace=Pace(TELEGRAM)):
            for group in groups:
                await settled(telegram, group, "стан невідомий")
            for turn in range(3):
                await becomes(world, home, ("on", "off")[turn % 2])
                await asyncio.sleep(0.3)
            for group in groups:
                await settled(telegram, group, "світло є")
        assert telegram.refused() <= FEW


class Leaving(Database):
    """A database that is away from its second transaction on."""

    left = False

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        if self.left:
            raise DatabaseUnavailableError("PostgreSQL does not answer")
        self.left = True
        async with super().transaction() as session:
            yield session


async def test_a_database_that_is_away_is_told_as_that(world: World, telegram: FakeTelegram) -> None:
    telegram.group(GROUP, bot=[PIN])
    await pinned_chat(world, GROUP, await world.site("home"))
    board = Pinboard(telegram.token, telegram.url)
    try:
        async with Leaving(world.database.url) as leaving:
            with pytest.raises(DatabaseUnavailableError):
                await Pins(leaving, board, Pace(UNLIMITED), KYIV, habits=QUICK).work()
    finally:
        await board.close()
    async with pinning(world, telegram):
        await settled(telegram, GROUP, "стан невідомий")
