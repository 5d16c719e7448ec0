"""Corners in which an alert could be lost, told twice, or told to somebody who must not hear of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.notifier import chats, queues, targets
from svitlo.contracts import EventKind
from tests.notifier.conftest import QUICK, World, notifying, until
from tests.notifier.test_planning import EAGER, pending_none
from tests.support.telegram import FakeTelegram


@pytest.mark.parametrize("let_in", [False, True])
async def test_a_list_does_not_name_a_private_place_above_to_who_was_not_let_in(
    world: World, telegram: FakeTelegram, let_in: bool
) -> None:
    yard = await world.site("yard", "Таємний двір", public=False)
    gates = [await world.site(f"gate-{number}", parent="yard") for number in range(3)]
    await world.chat(1, *gates, *([yard] if let_in else []))
    for gate in gates:
        await world.event(gate)
    async with notifying(world, telegram, rates=EAGER, patience=replace(QUICK, gather_s=0.2)):
        await until(lambda: pending_none(world))
        await telegram.wait_for(1, "Світла немає")
    assert ("Таємний двір" in "".join(telegram.texts(1))) is let_in


async def test_a_group_moved_onto_a_chat_that_was_out_of_reach_loses_nothing(
    world: World, telegram: FakeTelegram
) -> None:
    house = await world.site("house")
    await world.chat(-5, house)
    later = await world.chat(-1005, house)
    await world.event(house)
    await world.plan()
    async with world.database.transaction() as session:
        await chats.close_chat(session, later.id, "not a member")
    telegram.migrate(-5, -1005)
    async with notifying(world, telegram, rates=EAGER):
        await telegram.wait_for(-1005, "світла немає")
        await until(lambda: pending_none(world))
    assert len(telegram.messages(-1005)) == 1


async def test_a_target_that_works_again_is_not_told_old_news(world: World) -> None:
    house = await world.site("house")
    async with world.database.transaction() as session:
        target = await targets.add_target(
            session, "json://127.0.0.1:9", "json", ["house"], name=None, language="en", actor="cli"
        )
    await world.event(house)
    await world.plan()
    # Switched off in the moment in which that was owed: planner and sender do not wait for one another.
    await world.run("UPDATE chats SET active = false WHERE id = :id", id=target.id)
    async with world.database.transaction() as session:
        await targets.enable_target(session, target.number)
    rows = await world.rows("SELECT state, error FROM deliveries")
    assert [tuple(row) for row in rows] == [("dropped", "the target was inactive")]
    # One that works keeps what it is owed.
    await world.event(house, EventKind.POWER_RESTORED)
    await world.plan()
    async with world.database.transaction() as session:
        await targets.enable_target(session, target.number)
    rows = await world.rows("SELECT state FROM deliveries ORDER BY id")
    assert [row.state for row in rows] == ["dropped", "pending"]


async def test_more_alerts_than_go_into_one_message_are_told_in_the_next(
    world: World, telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "MOST_TOGETHER", 4)
    houses = [await world.site(f"house-{number}") for number in range(3)]
    await world.chat(1, *houses)
    for kind in (EventKind.POWER_LOST, EventKind.POWER_RESTORED):
        for house in houses:
            await world.event(house, kind)
    await world.plan()
    async with notifying(world, telegram, rates=EAGER, patience=replace(QUICK, gather_s=0.2)):
        await until(lambda: pending_none(world))
    first, second = telegram.texts(1)
    assert "House-1 — світла немає" in first
    assert "Світло є: 2 місця" in second
    assert sorted(await world.states(1)) == ["merged"] * 4 + ["sent"] * 2


@pytest.mark.parametrize("retracted", [False, True])
async def test_whoever_wants_losses_only_is_not_told_late_that_the_power_is_off(
    world: World, telegram: FakeTelegram, retracted: bool
) -> None:
    """An hour passed before anything could be sent; 20 minutes of it the power was off, or never was."""
    house, other = await world.site("house"), await world.site("other")
    await world.chat(1, house, other)
    await world.run("UPDATE subscriptions SET kinds = '{lost}'")
    await world.event(house, ago=timedelta(hours=1))
    await world.run(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, ended_lo, ended_hi, "
        "retracted_at) SELECT outage_id, site_id, 1, cause, occurred_lo, occurred_hi, detected_at, at, at, "
        "CASE WHEN :retracted THEN at END "
        "FROM (SELECT *, occurred_lo + interval '20 min' AS at FROM power_events) AS e",
        retracted=retracted,
    )
    await world.event(house, EventKind.POWER_RESTORED, ago=timedelta(minutes=40))
    await world.event(other)
    await world.plan()
    async with notifying(world, telegram, rates=EAGER, patience=replace(QUICK, gather_s=0.2)):
        await telegram.wait_for(1, "Other — світла немає")
        await until(lambda: pending_none(world))
    said = "".join(telegram.texts(1))
    assert ("House — світло є; не було 20 хв" in said) is not retracted
    assert "House — світла немає" not in said
