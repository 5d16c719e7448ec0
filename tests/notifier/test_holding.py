"""What is kept back goes by the rules its chat has now, and by those of the nearest place it follows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from services.notifier.holding import drop_unfollowed
from services.notifier.waiting import follow_rules as moved
from svitlo import registry
from svitlo.contracts import Cause, Change, EventKind
from tests.notifier.conftest import KYIV, World
from tests.notifier.test_planning import ALWAYS_QUIET, rule

LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED


async def follow_rules(world: World) -> int:
    async with world.database.transaction() as session:
        return await drop_unfollowed(session) + await moved(session, KYIV)


async def held(world: World) -> list[tuple[str, str | None, float | None, bool]]:
    """Of each delivery its state, why it is kept back, for how many minutes still, and whether it makes no sound."""
    rows = await world.rows(
        "SELECT state, held, silent, round(extract(epoch FROM greatest(not_before, now()) - now()) / 60) AS left "
        "FROM deliveries ORDER BY id"
    )
    return [(row.state, row.held, None if row.left is None else float(row.left), row.silent) for row in rows]


def quiet_for(minutes: int, mode: str = "hold") -> dict[str, Any]:
    """Quiet hours by the planner's clock that go on for so many minutes, to the next whole one."""
    end = datetime.now(KYIV) + timedelta(minutes=minutes)
    minute = 60 * end.hour + end.minute
    return {"quiet_from": (minute - minutes - 60) % 1440, "quiet_to": minute, "quiet_mode": mode}


async def test_a_mute_that_begins_while_a_loss_waits_for_its_length_keeps_it_too(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, min_minutes=10)
    await world.event(house)
    await world.plan()
    await rule(world, 1, muted_until="8 hours")
    assert await follow_rules(world) == 1
    assert await held(world) == [("pending", "mute", 480, False)]
    # Unmuted again it still has to last.
    await rule(world, 1, muted_until="0")
    assert await follow_rules(world) == 1
    assert await held(world) == [("pending", "long", 10, False)]
    assert await follow_rules(world) == 0


async def test_a_mute_longer_than_the_quiet_hours_keeps_what_waits_for_their_end(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, **quiet_for(60))
    await world.event(house)
    await world.plan()
    await world.run("UPDATE chats SET muted_until = now() + interval '3 hours'")
    assert await follow_rules(world) == 1
    assert await held(world) == [("pending", "mute", 180, False)]


async def test_a_longer_mute_that_ends_in_quiet_hours_lets_go_in_the_morning(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, muted_until="5 min")
    await world.event(house)
    await world.plan()
    await rule(world, 1, muted_until="30 min", **quiet_for(120))
    assert await follow_rules(world) == 1
    [(_, why, left, _)] = await held(world)
    assert why == "quiet"
    assert left is not None
    assert 118 <= left <= 120


async def test_changed_quiet_hours_change_when_what_they_hold_is_told(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, **quiet_for(120))
    await world.event(house)
    await world.plan()
    assert await follow_rules(world) == 0
    await rule(world, 1, **quiet_for(30))
    assert await follow_rules(world) == 1
    [(_, why, left, _)] = await held(world)
    assert (why, left is not None and 28 <= left <= 30) == ("quiet", True)


@pytest.mark.parametrize(("change", "silent"), [({"quiet_mode": "silent"}, True), ({"quiet_from": None}, False)])
async def test_quiet_hours_that_hold_no_longer_let_go_by_what_they_are_now(
    world: World, change: dict[str, Any], silent: bool
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, **quiet_for(120))
    await world.event(house)
    await world.plan()
    column, value = next(iter(change.items()))
    await world.run(f"UPDATE subscriptions SET {column} = :value", value=value)
    assert await follow_rules(world) == 1
    assert await held(world) == [("pending", "quiet", 0, silent)]


async def test_another_time_zone_moves_the_quiet_hours(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, **quiet_for(30))
    await world.event(house)
    await world.plan()
    await world.run("UPDATE chats SET timezone = 'Asia/Tokyo'")
    assert await follow_rules(world) == 1
    assert [(state, left) for state, _, left, _ in await held(world)] == [("pending", 0)]


@pytest.mark.parametrize("change", ["private", "removed"])
async def test_what_waits_is_not_told_of_a_place_made_private_or_removed(world: World, change: str) -> None:
    house = await world.site("house")
    flat = await world.site("flat", parent="house")
    await world.chat(1, house)
    await world.chat(2, flat)
    for chat in (1, 2):
        await rule(world, chat, **ALWAYS_QUIET)
    await world.event(flat)
    await world.plan()
    assert await follow_rules(world) == 0
    if change == "private":
        await world.run("UPDATE sites SET public = false WHERE id = :flat", flat=flat.id)
    else:
        async with world.database.transaction() as session:
            await registry.remove_site(session, "flat")
    await follow_rules(world)
    gone = [("dropped", "not followed any more")]
    assert await world.deliveries(1) == gone
    assert await world.deliveries(2) == (gone if change == "removed" else [("pending", None)])


async def test_a_short_outage_of_a_section_is_not_told_in_the_morning_by_the_buildings_rules(world: World) -> None:
    house = await world.site("house")
    section = await world.site("section", parent="house")
    for chat, site in ((1, house), (2, section)):
        await world.chat(chat, site)
        await rule(world, chat, min_minutes=10, **ALWAYS_QUIET)
    await world.event(section)
    await world.plan()
    await world.event(section, RESTORED)
    await world.plan()
    for chat in (1, 2):
        assert await world.deliveries(chat) == [("dropped", "over before it was told")]


async def test_the_nearest_rule_says_how_long_an_outage_has_to_last(world: World) -> None:
    house = await world.site("house")
    section = await world.site("section", parent="house")
    await world.chat(1, house, section)
    await rule(world, 1, house, min_minutes=10, **ALWAYS_QUIET)
    await rule(world, 1, section, **ALWAYS_QUIET)
    await world.event(section)
    await world.plan()
    await world.event(section, RESTORED)
    await world.plan()
    assert await world.states(1) == ["pending", "pending"]


async def test_a_short_outage_found_late_is_not_told_to_who_wants_long_ones(world: World) -> None:
    """The notifier was away while it came and went, and until it would have been long."""
    house = await world.site("house")
    for chat in (1, 2):
        await world.chat(chat, house)
    await rule(world, 1, min_minutes=10)
    await world.event(house, ago=timedelta(minutes=30))
    await world.run(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, ended_lo, ended_hi) "
        "SELECT outage_id, site_id, 1, cause, occurred_lo, occurred_hi, detected_at, at, at "
        "FROM (SELECT *, occurred_lo + interval '3 min' AS at FROM power_events) AS e"
    )
    await world.event(house, RESTORED, ago=timedelta(minutes=27))
    await world.run(
        "UPDATE power_events SET occurred_hi = (SELECT ended_hi FROM outages) WHERE kind = 'power_restored'"
    )
    await world.plan()
    assert await world.states(1) == []
    assert await world.states(2) == ["pending", "pending"]


async def test_other_times_of_a_loss_that_has_to_last_wait_with_it(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, min_minutes=10)
    await world.event(house)
    await world.event(house, REVISED, cause=Cause.POWER, change=Change.REFINED)
    await world.plan()
    assert [row[:2] for row in await held(world)] == [("pending", "long")] * 2
    await world.event(house, RESTORED)
    await world.plan()
    assert await world.states(1) == ["dropped", "dropped"]
