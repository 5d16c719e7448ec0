"""How the power stands after flicker, told to those who want to hear of no flicker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from svitlo import registry
from svitlo.contracts import Cause, Change, EventKind, Flapping, PowerState
from tests.notifier.conftest import World, notifying
from tests.notifier.test_planning import EAGER, pass_time, rule
from tests.support.telegram import FakeTelegram

LOST, RESTORED, STABLE = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.STABLE
ON, OFF = PowerState.ON, PowerState.OFF
NO_FLICKER = ["lost", "restored", "revised"]


async def stories(world: World, site: registry.SiteRow, *kinds: EventKind) -> None:
    """Alerts of single events, which a chat was told."""
    for kind in kinds:
        await world.event(site, kind)
        await world.plan()
    await world.run("UPDATE deliveries SET state = 'sent', sent_at = now() WHERE state = 'pending'")


async def flicker(
    world: World, site: registry.SiteRow, power: PowerState, *, off_for: timedelta = timedelta(0)
) -> None:
    """As the detector logs it: single events are quiet from then on, and the last one left the power so."""
    flapping = Flapping(changes=7, since=datetime.now(UTC), off_s=90, power=power)
    await world.event(site, EventKind.UNSTABLE, flapping=flapping)
    await world.event(site, LOST, ago=off_for, quiet=True)
    if power is ON:
        await world.event(site, RESTORED, quiet=True)
    await world.event(site, STABLE, flapping=flapping)
    await world.plan()


async def owed(world: World) -> list[tuple[str, str | None]]:
    rows = await world.rows(
        "SELECT e.kind, d.held FROM deliveries d JOIN power_events e ON e.seq = d.event_seq "
        "WHERE d.state = 'pending' ORDER BY d.id"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(("told", "power"), [((LOST, RESTORED), OFF), ((LOST,), ON)])
async def test_who_was_told_otherwise_is_told_how_it_stands(
    world: World, telegram: FakeTelegram, told: tuple[EventKind, ...], power: PowerState
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, kinds=NO_FLICKER)  # as the button "Power comes and goes" leaves it
    await stories(world, house, *told)
    await flicker(world, house, power)
    async with notifying(world, telegram, rates=EAGER):
        await telegram.wait_for(1, "світла немає" if power is OFF else "світло є")
    assert len(telegram.messages(1)) == 1


@pytest.mark.parametrize(
    ("kinds", "told", "power", "news"),
    [
        (NO_FLICKER, (LOST, RESTORED), ON, False),  # nothing changed but that it flickered
        (NO_FLICKER, (), ON, False),
        (NO_FLICKER, (), OFF, True),
        (["lost"], (LOST, RESTORED), ON, False),
        (["lost"], (LOST, RESTORED), OFF, True),
        (["restored"], (LOST, RESTORED), ON, True),  # it comes back whenever it does
        (["restored"], (LOST, RESTORED), OFF, False),
        (["revised"], (LOST,), ON, False),
        (NO_FLICKER, (LOST,), PowerState.UNKNOWN, False),
    ],
)
async def test_the_end_of_flicker_counts_as_the_loss_or_the_return_it_comes_down_to(
    world: World, kinds: list[str], told: tuple[EventKind, ...], power: PowerState, news: bool
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, kinds=kinds)
    await stories(world, house, *told)
    await flicker(world, house, power)
    assert await owed(world) == ([("stable", None)] if news else [])


async def test_a_retraction_says_how_it_stood_before_the_flicker(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, kinds=NO_FLICKER)
    await stories(world, house, LOST)
    await world.event(house, EventKind.OUTAGE_REVISED, cause=Cause.NETWORK, change=Change.RETRACTED)
    await world.plan()
    await world.run("UPDATE deliveries SET state = 'sent'")
    await flicker(world, house, ON)
    assert await owed(world) == []


SHORT: dict[str, Any] = {"min_minutes": 10, "kinds": NO_FLICKER}


async def test_a_loss_that_flicker_left_must_last_as_long_as_any(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, **SHORT)
    await world.run("UPDATE subscriptions SET created_at = now() - interval '1 day'")
    await flicker(world, house, OFF, off_for=timedelta(minutes=5))
    assert await owed(world) == [("stable", "long")]
    await world.event(house, RESTORED)
    await world.plan()
    assert await world.deliveries(1) == [("dropped", "over before it was told")]


async def test_whoever_believes_that_it_is_off_need_not_wait(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, **SHORT)
    await world.event(house, LOST)
    await world.plan()
    await pass_time(world)
    async with notifying(world, telegram, rates=EAGER):
        await telegram.wait_for(1, "світла немає")
        await flicker(world, house, OFF, off_for=timedelta(minutes=5))
        await telegram.wait_until(lambda: len(telegram.messages(1)) == 2)
        await world.event(house, RESTORED)
        await telegram.wait_for(1, "світло є")
