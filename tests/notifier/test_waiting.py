"""What waits, for whatever reason, goes out by the rules of then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notifier import chats, store
from services.notifier.upkeep import Upkeep
from svitlo import registry
from svitlo.contracts import EventKind
from tests.notifier.conftest import KYIV, World, notifying
from tests.notifier.test_planning import EAGER, pass_time, rule
from tests.support.telegram import FakeTelegram

LOST = EventKind.POWER_LOST
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def house(world: World) -> registry.SiteRow:
    """A place that chat 1 follows."""
    made = await world.site("house")
    await world.chat(1, made)
    return made


def quiet(start: int, end: int, mode: str = "hold") -> dict[str, Any]:
    """Quiet hours from and to so many minutes from now, by the chat's clock."""
    local = datetime.now(UTC).astimezone(KYIV)
    minute = local.hour * 60 + local.minute
    return {"quiet_from": (minute + start) % 1440, "quiet_to": (minute + end) % 1440, "quiet_mode": mode}


async def lose(world: World, house: registry.SiteRow, ago: timedelta = timedelta(0)) -> None:
    await world.event(house, LOST, ago=ago)
    await world.plan()


async def look(world: World) -> int:
    return await Upkeep(world.database, lambda: None, KYIV).look()


async def waits(world: World) -> tuple[timedelta, str | None]:
    """For how long what the chat is owed waits, and why."""
    [row] = await world.rows(
        "SELECT coalesce(greatest(not_before - now(), interval '0'), interval '0') AS left, held, "
        "coalesce(not_before > now(), false) = (next_attempt_at > now()) AS agreed "
        "FROM deliveries WHERE state = 'pending'"
    )
    assert row.agreed
    return row.left, row.held


async def test_a_mute_silences_what_waited_for_its_outage_to_last(world: World, house: registry.SiteRow) -> None:
    await rule(world, 1, min_minutes=10)
    await lose(world, house, 9 * MINUTE)
    await rule(world, 1, muted_until="8 hours")
    assert await look(world) == 1
    left, held = await waits(world)
    assert left > 470 * MINUTE
    assert held == "mute"
    assert await look(world) == 0


async def test_a_mute_silences_what_waited_for_the_morning(world: World, house: registry.SiteRow) -> None:
    await rule(world, 1, **quiet(-60, 30))
    await lose(world, house)
    await rule(world, 1, muted_until="8 hours")
    assert await look(world) == 1
    assert (await waits(world))[0] > 470 * MINUTE


async def test_a_mute_made_longer_into_quiet_hours_does_not_ring_in_them(world: World, house: registry.SiteRow) -> None:
    await rule(world, 1, **quiet(180, 480), muted_until="1 hour")
    await lose(world, house)
    await rule(world, 1, muted_until="4 hours")
    assert await look(world) == 1
    left, held = await waits(world)
    assert 470 * MINUTE < left < 481 * MINUTE
    assert held == "quiet"


async def test_a_mute_ended_in_quiet_hours_does_not_ring_in_them(world: World, house: registry.SiteRow) -> None:
    await rule(world, 1, muted_until="20 hours")
    await lose(world, house)
    await rule(world, 1, **quiet(-60, 300), muted_until="-1 second")
    assert await look(world) == 1
    assert 290 * MINUTE < (await waits(world))[0] < 301 * MINUTE


@pytest.mark.parametrize("end", [180, 20])
async def test_quiet_hours_set_otherwise_move_what_waits_for_their_end(
    world: World, house: registry.SiteRow, end: int
) -> None:
    await rule(world, 1, **quiet(-60, 60))
    await lose(world, house)
    await rule(world, 1, **quiet(-60, end))
    assert await look(world) == 1
    assert (end - 2) * MINUTE < (await waits(world))[0] < (end + 1) * MINUTE


async def test_quiet_hours_that_hold_no_longer_let_go_without_a_sound(
    world: World, house: registry.SiteRow, telegram: FakeTelegram
) -> None:
    await rule(world, 1, **quiet(-60, 60))
    await lose(world, house)
    await rule(world, 1, quiet_mode="silent")
    assert await look(world) == 1
    async with notifying(world, telegram, rates=EAGER):
        seen = await telegram.wait_for(1, "світла немає")
    assert seen.silent
    assert "запізненням" not in seen.text


async def test_another_length_moves_what_waits_for_it(world: World, house: registry.SiteRow) -> None:
    await rule(world, 1, min_minutes=10)
    await lose(world, house)
    await rule(world, 1, min_minutes=30)
    assert await look(world) == 1
    assert 29 * MINUTE < (await waits(world))[0] < 30 * MINUTE
    await rule(world, 1, min_minutes=0)
    assert await look(world) == 1
    assert await waits(world) == (timedelta(0), "long")


@pytest.mark.parametrize(("before", "after"), [((600, 660), (-5, 300)), ((-5, 300), (600, 660))])
async def test_what_telegram_did_not_take_rings_as_the_hour_has_it(
    world: World, house: registry.SiteRow, telegram: FakeTelegram, before: tuple[int, int], after: tuple[int, int]
) -> None:
    """Owed at 21:59 and taken at 22:30, or owed at 6:59 and taken at 7:30; here the hours move, not the clock."""
    await rule(world, 1, **quiet(*before, mode="silent"))
    await lose(world, house)
    await rule(world, 1, **quiet(*after, mode="silent"))
    assert await look(world) == 1
    async with notifying(world, telegram, rates=EAGER):
        seen = await telegram.wait_for(1, "світла немає")
    assert seen.silent is (after[0] < 0)


@pytest.mark.parametrize("held", ["quiet", "mute"])
async def test_what_was_not_sent_before_it_had_to_wait_waits(world: World, house: registry.SiteRow, held: str) -> None:
    await lose(world, house)
    await rule(world, 1, **(quiet(-5, 300) if held == "quiet" else {"muted_until": "5 hours"}))
    assert await look(world) == 1
    left, why = await waits(world)
    assert (left > 290 * MINUTE, why) == (True, held)


async def test_what_is_under_way_is_left_alone(world: World, house: registry.SiteRow) -> None:
    await lose(world, house)
    async with world.database.transaction() as session:
        assert len(await store.claim(session, store.Reach(chats.TELEGRAM), 5, 20)) == 1
    await rule(world, 1, muted_until="8 hours")
    assert await look(world) == 0


async def test_what_was_long_enough_once_waits_for_no_more(world: World, house: registry.SiteRow) -> None:
    await rule(world, 1, min_minutes=10)
    await lose(world, house, 12 * MINUTE)
    await rule(world, 1, min_minutes=30)
    assert await look(world) == 0


async def test_quiet_hours_of_the_whole_day_let_go_once_a_day(world: World, house: registry.SiteRow) -> None:
    await rule(world, 1, **quiet(0, 0))
    await lose(world, house)
    assert (await waits(world))[1] == "quiet"
    assert await look(world) == 0
    await pass_time(world)
    assert await look(world) == 0
    assert (await waits(world))[0] == timedelta(0)


async def test_what_was_owed_stays_owed(world: World, house: registry.SiteRow) -> None:
    await rule(world, 1, min_minutes=10)
    await lose(world, house)
    await rule(world, 1, kinds=["restored"])
    assert await look(world) == 0
    assert (await waits(world))[1] == "long"


async def test_what_waits_for_a_section_follows_the_building_that_is_followed(world: World) -> None:
    building = await world.site("building")
    section = await world.site("section", parent="building")
    await world.chat(1, building)
    await rule(world, 1, muted_until="1 hour")
    await lose(world, section)
    await rule(world, 1, building, muted_until="8 hours")
    assert await look(world) == 1
    assert (await waits(world))[0] > 470 * MINUTE
