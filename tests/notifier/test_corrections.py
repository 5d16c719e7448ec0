"""Corrections: what was recorded wrongly is put right, told to those who were told, and stays right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.detector.core.effects import Effect, EventLogged, OutageChanged
from services.detector.core.outage import Outage as Remembered
from services.detector.store import save_effects
from services.notifier import chats, corrections, people, pins_store
from services.notifier.bot.admins_desk import Act
from services.notifier.bot.poller import Poller
from services.notifier.correction_times import parse_span
from services.notifier.people import Role
from svitlo import registry
from svitlo.contracts import Cause, Change, EventKind, PowerEvent
from svitlo.db import log
from svitlo.ids import uuid7
from tests.notifier.conftest import KYIV, World, notifying
from tests.notifier.conversation import talking
from tests.support.telegram import FakeTelegram

OWNER, ADMIN, VIEWER, FOLLOWER = 1, 2, 3, 101


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


YESTERDAY = datetime.now(UTC).astimezone(KYIV) - timedelta(days=1)
"""Of the beginning: midnight may lie within a test."""


def today(clock: str) -> datetime:
    """That time of yesterday on the clock of Kyiv: always over."""
    hours, minutes = clock.split(":")
    return YESTERDAY.replace(hour=int(hours), minute=int(minutes), second=7, microsecond=0).astimezone(UTC)


@pytest.fixture
async def house(world: World) -> registry.SiteRow:
    made = await world.site("house", "Дім")
    other = await world.site("other", "Інший")
    async with world.database.transaction() as session:
        await people.grant(session, OWNER, Role.OWNER, None, actor="cli")
        await people.grant(session, ADMIN, Role.ADMIN, other.id, actor="cli")
        await people.grant(session, VIEWER, Role.VIEWER, made.id, actor="cli")
    await world.chat(FOLLOWER, made)
    return made


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    async with talking(world.database, telegram) as poller:
        yield poller


async def outage(world: World, site: registry.SiteRow, started: datetime, ended: datetime | None) -> UUID:
    """An outage in the record and in the log."""
    key = uuid7(started)
    await world.run(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, ended_lo, ended_hi) "
        "VALUES (:id, :site, 1, 'presumed', :started, :started, :started, :ended, :ended)",
        id=key,
        site=site.id,
        started=started,
        ended=ended,
    )
    for kind, at in ((EventKind.POWER_LOST, started), (EventKind.POWER_RESTORED, ended)):
        if at is not None:
            event = PowerEvent(
                id=uuid7(at),
                rev=1,
                site=site.slug,
                kind=kind,
                outage_id=key,
                occurred_lo=at,
                occurred_hi=at,
                detected_at=at,
                cause=Cause.PRESUMED,
                evidence=[],
            )
            async with world.database.transaction() as session:
                await log.append(session, site.id, event)
    return key


async def revisions(world: World) -> list[tuple[str, int, str, bool]]:
    rows = await world.rows(
        "SELECT r.details, r.rev, o.kind FROM power_events r JOIN power_events o ON o.id = r.id AND o.rev = 1 "
        "WHERE r.kind = 'outage_revised' ORDER BY r.seq"
    )
    return [(row.details["change"], row.rev, row.kind, row.details.get("quiet", False)) for row in rows]


async def to_outage(telegram: FakeTelegram, label: str = "–") -> None:
    telegram.say(OWNER, "/correct")
    await telegram.wait_for(OWNER, "Де виправити")
    telegram.press(OWNER, "Дім")
    await telegram.wait_for(OWNER, "Яке саме?")
    telegram.press(OWNER, label)


async def test_an_outage_that_never_was_is_taken_back_everywhere(
    world: World, telegram: FakeTelegram, bot: Poller, house: registry.SiteRow
) -> None:
    key = await outage(world, house, today("14:05"), today("16:20"))
    async with notifying(world, telegram):
        await telegram.wait_for(FOLLOWER, "світло є")
        await to_outage(telegram)
        await telegram.wait_for(OWNER, "Було записано: 14:05")
        telegram.press(OWNER, "зник лише інтернет")
        await telegram.wait_for(OWNER, "Чому?")
        telegram.say(OWNER, "роутер <перезавантажили>")
        seen = await telegram.wait_for(OWNER, "Стане: відключення не було, зник лише інтернет")
        assert "Причина: роутер <перезавантажили>" in seen.text
        telegram.press(OWNER, "✅ Виправити")
        await telegram.wait_for(OWNER, "✅ Виправлено")
        await telegram.wait_for(FOLLOWER, "світло було, не зникало")
    row = (await world.rows("SELECT rev, cause, retracted_at FROM outages WHERE id = :id", id=key))[0]
    assert (row.rev, row.cause, row.retracted_at is not None) == (log.BY_HAND, "network", True)
    assert await revisions(world) == [("retracted", log.BY_HAND, "power_lost", False)]
    audit = (await world.rows("SELECT actor, target, details FROM audit_log WHERE action = 'outage.retract'"))[0]
    assert (audit.actor, audit.target, audit.details["reason"]) == ("telegram:1", str(key), "роутер <перезавантажили>")


async def test_after_it_was_taken_back_the_status_dates_the_power_by_the_outage_before(
    world: World, telegram: FakeTelegram, bot: Poller, house: registry.SiteRow
) -> None:
    before = await outage(world, house, today("09:00"), today("10:30"))
    last = await outage(world, house, today("14:05"), today("16:20"))
    await world.run(
        "INSERT INTO site_state (site_id, power, state, since, updated_at) VALUES (:site, 'on', 'on', :since, now())",
        site=house.id,
        since=today("16:20"),
    )
    told = []
    for key in (None, last, before):
        if key is not None:
            async with world.database.transaction() as session:
                found = await corrections.find(session, key)
                assert found is not None
                await corrections.retract(session, found, Cause.NETWORK, "why", datetime.now(UTC), actor="cli")
        async with world.database.transaction() as session:
            told += [status.since for status in await chats.statuses(session, [house.id])]
    assert told == [today("16:20"), today("10:30"), None]
    telegram.say(FOLLOWER, "/status", language="uk")
    seen = await telegram.wait_for(FOLLOWER, "Дім")
    assert "16:20" not in seen.text


async def test_after_other_times_the_status_dates_the_power_anew(world: World, house: registry.SiteRow) -> None:
    key = await outage(world, house, today("14:05"), today("16:20"))
    await world.run(
        "INSERT INTO site_state (site_id, power, state, since, updated_at) VALUES (:site, 'on', 'on', :since, now())",
        site=house.id,
        since=today("16:20"),
    )
    async with world.database.transaction() as session:
        found = await corrections.find(session, key)
        assert found is not None
        await corrections.refine(session, found, today("14:05"), today("15:00"), "why", datetime.now(UTC), actor="cli")
        assert [status.since for status in await chats.statuses(session, [house.id])] == [today("15:00")]


async def test_a_pinned_state_is_due_anew_after_a_correction(world: World, house: registry.SiteRow) -> None:
    chat = await world.chat(-5, house)
    key = await outage(world, house, today("14:05"), today("16:20"))
    await world.run(
        "INSERT INTO site_state (site_id, power, state, since, updated_at) VALUES (:site, 'on', 'on', :since, now())",
        site=house.id,
        since=today("16:20"),
    )
    at_once: dict[str, Any] = {"gap": timedelta(0), "look": timedelta(0)}
    facts = pins_store.Facts(version="1", zone="Europe/Kyiv")
    async with world.database.transaction() as session:
        await pins_store.want(session, chat.id)
        before = await pins_store.claim(session, facts, chat.id, **at_once)
        found = await corrections.find(session, key)
        assert before is not None
        assert found is not None
        await corrections.retract(session, found, Cause.NETWORK, "why", datetime.now(UTC), actor="cli")
        after = await pins_store.claim(session, facts, chat.id, **at_once)
        assert after is not None
    assert before.wanted != after.wanted


async def test_other_times_are_told_once_and_the_reason_is_required(
    world: World, telegram: FakeTelegram, bot: Poller, house: registry.SiteRow
) -> None:
    key = await outage(world, house, today("14:05"), today("16:20"))
    async with notifying(world, telegram):
        await telegram.wait_for(FOLLOWER, "світло є")
        await to_outage(telegram)
        await telegram.wait_for(OWNER, "Було записано")
        telegram.press(OWNER, "Інший час")
        await telegram.wait_for(OWNER, "справжній початок")
        for said, then in (
            ("колись", "Не розумію"),
            ("14:05-16:20", "Саме так і записано"),
            ("01.01.2099 10:00 - 02.01.2099 10:00", "не в майбутньому"),
        ):
            telegram.say(OWNER, said)
            await telegram.wait_for(OWNER, then)
        telegram.say(OWNER, "13:50–16:00")
        await telegram.wait_for(OWNER, "Чому?")
        telegram.say(OWNER, "я" * 201)
        await telegram.wait_for(OWNER, "щонайбільше 200")
        telegram.say(OWNER, "сусіди бачили")
        seen = await telegram.wait_for(OWNER, "Виправлення: Дім")
        assert "Було: 14:05" in seen.text
        assert "Стане: 13:50" in seen.text
        assert "(2 год 10 хв)" in seen.text
        telegram.press(OWNER, "✅ Виправити")
        await telegram.wait_for(OWNER, "✅ Виправлено")
        told = await telegram.wait_for(FOLLOWER, "уточнено")
        assert "13:50" in told.text
        assert "16:00" in told.text
    assert sum("уточнено" in text for text in telegram.texts(FOLLOWER)) == 1
    row = (await world.rows("SELECT started_lo, started_hi, ended_hi FROM outages WHERE id = :id", id=key))[0]
    wanted = today("13:50").replace(second=0), today("13:50").replace(second=0), today("16:00").replace(second=0)
    assert tuple(row) == wanted
    assert await revisions(world) == [
        ("refined", log.BY_HAND, "power_lost", False),
        ("refined", log.BY_HAND, "power_restored", True),
    ]


async def test_what_goes_on_is_the_detectors(
    world: World, telegram: FakeTelegram, bot: Poller, house: registry.SiteRow
) -> None:
    key = await outage(world, house, today("14:05"), None)
    await to_outage(telegram, "триває з")
    await telegram.wait_for(OWNER, "Воно ще триває")
    async with world.database.transaction() as session:
        found = await corrections.find(session, key)
        assert found is not None
        with pytest.raises(Exception, match="goes on"):
            await corrections.retract(session, found, Cause.NETWORK, "x", datetime.now(UTC), actor="cli")


async def test_times_of_another_outage_are_refused(world: World, house: registry.SiteRow) -> None:
    await outage(world, house, today("10:00"), today("11:00"))
    key = await outage(world, house, today("14:05"), today("16:20"))
    async with world.database.transaction() as session:
        found = await corrections.find(session, key)
        assert found is not None
        now = datetime.now(UTC)
        with pytest.raises(corrections.OverlapError):
            await corrections.refine(session, found, today("10:30"), today("16:20"), "x", now, actor="cli")
        assert await corrections.refine(session, found, today("11:30"), today("16:20"), "x", now, actor="cli")


async def test_an_end_alone_is_told_by_its_own_revision(world: World, house: registry.SiteRow) -> None:
    key = await outage(world, house, today("14:05"), today("16:20"))
    for end, again in (("16:00", False), ("16:00", True), ("15:30", False)):
        async with world.database.transaction() as session:
            found = await corrections.find(session, key)
            assert found is not None
            changed = await corrections.refine(
                session, found, found.started_lo, today(end), "x", datetime.now(UTC), actor="cli"
            )
            assert changed is not again
    assert await revisions(world) == [
        ("refined", log.BY_HAND, "power_restored", False),
        ("refined", log.BY_HAND + 1, "power_restored", False),
    ]


async def test_the_detector_does_not_fight_a_correction(world: World, house: registry.SiteRow) -> None:
    start, end = today("14:05"), today("16:20")
    key = await outage(world, house, start, end)
    async with world.database.transaction() as session:
        found = await corrections.find(session, key)
        assert found is not None
        await corrections.retract(session, found, Cause.NETWORK, "x", datetime.now(UTC), actor="cli")
    remembered = Remembered(key, key, start, start, start, rev=2, cause=Cause.POWER, ended_lo=end, ended_hi=end)
    event = PowerEvent(
        id=key,
        rev=2,
        site="house",
        kind=EventKind.OUTAGE_REVISED,
        outage_id=key,
        occurred_lo=start,
        occurred_hi=start,
        detected_at=end,
        cause=Cause.POWER,
        evidence=[],
        change=Change.REFINED,
    )
    effects: list[Effect] = [OutageChanged("house", remembered), EventLogged(event)]
    async with world.database.transaction() as session:
        assert not await save_effects(session, effects, {"house": house.id}, end)
    row = (await world.rows("SELECT rev, cause, retracted_at FROM outages WHERE id = :id", id=key))[0]
    assert (row.rev, row.cause, row.retracted_at is not None) == (log.BY_HAND, "network", True)
    assert len(await revisions(world)) == 1


async def test_only_admins_of_the_place_correct_it(
    world: World, telegram: FakeTelegram, bot: Poller, house: registry.SiteRow
) -> None:
    key = await outage(world, house, today("14:05"), today("16:20"))
    telegram.say(VIEWER, "/correct")
    await telegram.wait_for(VIEWER, "лише перегляд")
    telegram.say(ADMIN, "/correct")
    seen = await telegram.wait_for(ADMIN, "Де виправити")
    assert seen.labels == ["Інший"]
    for act in (Act(do="fix", what=str(house.id)), Act(do="fixit", what=key.hex), Act(do="fixnet", what=key.hex)):
        telegram.press_data(ADMIN, act.pack(), seen.message_id)
    await telegram.wait_until(lambda: len(telegram.answers) == 3)
    assert [row.kind for row in await world.rows("SELECT kind FROM conversations")] == ["fix-where"], "no step further"


async def test_an_outage_that_changed_meanwhile_is_not_corrected_blindly(
    world: World, telegram: FakeTelegram, bot: Poller, house: registry.SiteRow
) -> None:
    key = await outage(world, house, today("14:05"), today("16:20"))
    await to_outage(telegram)
    await telegram.wait_for(OWNER, "Було записано")
    telegram.press(OWNER, "збій самої плати")
    await telegram.wait_for(OWNER, "Чому?")
    telegram.say(OWNER, "плата")
    await telegram.wait_for(OWNER, "Виправлення: Дім")
    await world.run("UPDATE outages SET rev = 2 WHERE id = :id", id=key)
    telegram.press(OWNER, "✅ Виправити")
    await telegram.wait_for(OWNER, "тим часом змінилося")
    assert await revisions(world) == []


@pytest.mark.parametrize(
    ("said", "start", "end"),
    [
        ("14:05–16:20", "2026-11-20 12:05", "2026-11-20 14:20"),
        ("14:05 - 16:20", "2026-11-20 12:05", "2026-11-20 14:20"),
        ("14.05 до 16.20", "2026-11-20 12:05", "2026-11-20 14:20"),
        ("23:10-01:40", "2026-11-20 21:10", "2026-11-20 23:40"),
        ("20.11 23:10 – 21.11 01:40", "2026-11-20 21:10", "2026-11-20 23:40"),
        ("19.11.2026 23:10 – 21.11.2026 01:40", "2026-11-19 21:10", "2026-11-20 23:40"),
        ("19.11 08:00-09:00", "2026-11-19 06:00", "2026-11-19 07:00"),
    ],
)
def test_times_are_read_as_people_write_them(said: str, start: str, end: str) -> None:
    assert parse_span(said, KYIV, utc("2026-11-20 12:00")) == (utc(start), utc(end))


@pytest.mark.parametrize("said", ["", "вчора", "14:05", "25:00-26:00", "31.02 10:00 - 31.02 11:00", "14:05-16:20 або"])
def test_what_is_no_time_is_not_guessed(said: str) -> None:
    assert parse_span(said, KYIV, utc("2026-11-20 12:00")) is None


def test_around_new_year_the_nearest_year_is_meant() -> None:
    assert parse_span("31.12 23:00 - 01.01 02:00", KYIV, utc("2027-01-01 00:30")) == (
        utc("2026-12-31 21:00"),
        utc("2027-01-01 00:00"),
    )


def test_nights_in_which_the_clock_is_set() -> None:
    # 29 March 2026: 03:00 is 04:00 at once. 25 October 2026: 04:00 is 03:00 again.
    assert parse_span("03:30-05:00", KYIV, utc("2026-03-29 00:30")) is None
    assert parse_span("02:30-04:10", KYIV, utc("2026-03-29 00:20")) == (
        utc("2026-03-29 00:30"),
        utc("2026-03-29 01:10"),
    )
    first, second = utc("2026-10-25 00:30"), utc("2026-10-25 01:30")
    assert parse_span("03:30-05:00", KYIV, first) == (first, utc("2026-10-25 03:00"))
    assert parse_span("03:30-05:00", KYIV, second) == (second, utc("2026-10-25 03:00"))
