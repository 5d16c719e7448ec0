"""Corrections beside alerts: the times as they are known now, and never as if it were on when it is off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from svitlo.contracts import Cause, Change, EventKind, PowerEvent
from svitlo.db import log
from svitlo.ids import uuid7
from svitlo.registry import SiteRow
from tests.notifier.conftest import KYIV, World, notifying, until
from tests.notifier.test_corrections import outage as past_outage
from tests.notifier.test_planning import ALWAYS_QUIET, EAGER, caught_up, pass_time, rule
from tests.support.telegram import FakeTelegram

LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED


async def append(world: World, site: SiteRow, outage: UUID, kind: EventKind, at: datetime, **details: Any) -> None:
    event = PowerEvent(
        id=uuid7(at),
        rev=1,
        site=site.slug,
        kind=kind,
        outage_id=outage,
        occurred_lo=at,
        occurred_hi=at,
        detected_at=datetime.now(UTC),
        cause=Cause.POWER,
        evidence=[],
        **details,
    )
    async with world.database.transaction() as session:
        await log.append(session, site.id, event)


async def record(world: World, site: SiteRow, started: datetime, ended: datetime | None) -> UUID:
    key = uuid7(started)
    await world.run(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, ended_lo, ended_hi) "
        "VALUES (:id, :site, 2, 'power', :started, :started, :started, :ended, :ended)",
        id=key,
        site=site.id,
        started=started,
        ended=ended,
    )
    return key


def clock(at: datetime) -> str:
    return f"{at.astimezone(KYIV):%H:%M}"


async def test_a_loss_whose_start_was_refined_while_it_waited_tells_the_refined_start(
    world: World, telegram: FakeTelegram
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    guessed = datetime.now(UTC) - timedelta(minutes=20)
    real = guessed - timedelta(minutes=30)
    outage = await record(world, house, real, None)  # the row is the detector's: as it is known now
    await append(world, house, outage, LOST, guessed)
    await append(world, house, outage, REVISED, real, change=Change.REFINED)
    await world.plan()
    async with notifying(world, telegram, rates=EAGER):
        await telegram.wait_for(1, "House")
    assert clock(real) in "\n".join(telegram.texts(1))


async def test_a_return_whose_time_was_refined_while_it_waited_tells_the_refined_time(
    world: World, telegram: FakeTelegram
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    started = datetime.now(UTC) - timedelta(minutes=120)
    guessed, real = started + timedelta(minutes=100), started + timedelta(minutes=40)
    outage = await record(world, house, started, real)
    await append(world, house, outage, LOST, started)
    await append(world, house, outage, RESTORED, guessed)
    await append(world, house, outage, REVISED, real, change=Change.REFINED)
    await world.plan()
    async with notifying(world, telegram, rates=EAGER):
        seen = await telegram.wait_for(1, "House")
    assert clock(real) in "\n".join(telegram.texts(1))
    assert "40 хв" in seen.text


async def test_the_morning_tells_those_too_of_the_night_who_want_losses_alone(
    world: World, telegram: FakeTelegram
) -> None:
    """A refinement alone would correct what they never read."""
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, kinds=["lost", "revised"], **ALWAYS_QUIET)
    started = datetime.now(UTC) - timedelta(minutes=120)
    outage = await record(world, house, started, started + timedelta(minutes=100))
    await append(world, house, outage, LOST, started + timedelta(minutes=10))
    await append(world, house, outage, REVISED, started, change=Change.REFINED)
    await append(world, house, outage, RESTORED, started + timedelta(minutes=100))
    await world.plan()
    await pass_time(world)
    async with notifying(world, telegram, rates=EAGER):
        seen = await telegram.wait_for(1, "House")
    assert "світло є; не було 1 год 40 хв" in seen.text


async def test_a_loss_is_not_told_in_the_morning_after_its_end_was_told_at_night(
    world: World, telegram: FakeTelegram
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, **ALWAYS_QUIET)
    started = datetime.now(UTC) - timedelta(minutes=120)
    outage = await record(world, house, started, started + timedelta(minutes=100))
    await append(world, house, outage, LOST, started)
    await world.plan()
    await rule(world, 1, quiet_from=None)
    async with notifying(world, telegram, rates=EAGER):
        await append(world, house, outage, RESTORED, started + timedelta(minutes=100))
        await telegram.wait_for(1, "світло є")
        await pass_time(world)
        await until(partial(gone, world))
    assert len(telegram.messages(1)) == 1


async def gone(world: World) -> bool:
    return [state for state, _ in await world.deliveries(1)] == ["dropped", "sent"]


async def test_the_morning_does_not_say_that_all_is_well_when_it_is_off(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    async with notifying(world, telegram, rates=EAGER):
        await world.event(house, LOST)
        await telegram.wait_for(1, "світла немає")
        await world.event(house, RESTORED)
        await telegram.wait_for(1, "світло є")
        yesterdays = world.outages["house"]
        await rule(world, 1, **ALWAYS_QUIET)
        await world.event(house, LOST)
        world.outages["house"] = yesterdays
        await world.event(house, REVISED, cause=Cause.NETWORK, change=Change.RETRACTED)
        await until(lambda: caught_up(world))
        await pass_time(world)
        await telegram.wait_until(lambda: len(telegram.messages(1)) == 3)
    first, *rest = telegram.texts(1)[-1].splitlines()
    assert "світла немає" in first
    assert "скасовано" in rest[-1]


async def test_a_correction_told_while_it_is_off_again_does_not_read_as_if_it_were_on(
    world: World, telegram: FakeTelegram
) -> None:
    """Each alone in its message: the last word of the chat is 'power was on after all' while the house is dark."""
    house = await world.site("house")
    await world.chat(1, house)
    async with notifying(world, telegram, rates=EAGER):
        for number, kind in enumerate((LOST, RESTORED), 1):
            await world.event(house, kind)
            await telegram.wait_until(partial(told, telegram, number))
        older = world.outages["house"]
        await world.event(house, LOST)
        await telegram.wait_until(lambda: len(telegram.messages(1)) == 3)
        world.outages["house"] = older
        await world.event(house, REVISED, cause=Cause.NETWORK, change=Change.RETRACTED)
        await telegram.wait_until(lambda: len(telegram.messages(1)) == 4)
    assert telegram.texts(1)[-1].splitlines()[-1].startswith("🔌 Зараз світла знову немає, з ")


def told(telegram: FakeTelegram, count: int) -> bool:
    return len(telegram.messages(1)) == count


async def test_time_that_nobody_watched_is_no_time_with_power(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    now = datetime.now(UTC)
    await past_outage(world, house, now - timedelta(days=4), now - timedelta(days=4) + timedelta(hours=1))
    await world.plan()
    await world.run(
        "INSERT INTO observation_gaps (started_at, ended_at, reason) VALUES (:a, :b, 'start')",
        a=now - timedelta(days=3),
        b=now - timedelta(hours=2),
    )
    await world.chat(1, house)
    async with notifying(world, telegram, rates=EAGER):
        await world.event(house, LOST)
        seen = await telegram.wait_for(1, "світла немає")
    assert "До того" not in seen.text
