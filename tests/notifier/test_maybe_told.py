"""A loss that may have been told, though no answer came or the process was killed: it is taken back aloud."""

from __future__ import annotations

from dataclasses import replace

from services.notifier.pacing import Retries
from svitlo.contracts import Cause, Change, EventKind
from tests.notifier.conftest import QUICK, World, notifying, until
from tests.notifier.test_planning import EAGER, caught_up
from tests.support.telegram import FakeTelegram
from tests.support.wait import free_port

LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED


async def test_a_loss_that_arrived_without_an_answer_is_taken_back(world: World, telegram: FakeTelegram) -> None:
    """Telegram takes the message and answers too late; while the retry waits the board is back: it was the internet."""
    house = await world.site("house")
    await world.chat(1, house)
    patience = replace(QUICK, call_s=0.5, retries=Retries(first_s=3.0, longest_s=3.0, give_up_s=60))
    telegram.slow(2.0)
    async with notifying(world, telegram, rates=EAGER, patience=patience):
        await world.event(house, LOST)
        await telegram.wait_for(1, "світла немає")
        await until(lambda: world.rows("SELECT 1 FROM deliveries WHERE attempts > 0 AND claimed_until IS NULL"))
        await world.event(house, RESTORED, cause=Cause.NETWORK)
        await world.event(house, REVISED, cause=Cause.NETWORK, change=Change.RETRACTED)
        await until(lambda: caught_up(world))
        await until(lambda: nothing_waits(world))
    assert "світла немає" not in telegram.texts(1)[-1], telegram.texts(1)


async def test_a_loss_that_was_sent_before_a_kill_is_taken_back(world: World, telegram: FakeTelegram) -> None:
    """Killed between Telegram's answer and our note; the outage is retracted before the claim runs out."""
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house, LOST)
    await world.plan()
    # As the dead process left it: told, claimed, not written down.
    await world.run("UPDATE deliveries SET attempts = 1, claimed_until = now() + interval '1 second'")
    await world.event(house, RESTORED, cause=Cause.NETWORK)
    await world.event(house, REVISED, cause=Cause.NETWORK, change=Change.RETRACTED)
    async with notifying(world, telegram, rates=EAGER):
        await telegram.wait_for(1, "не зникало")


async def test_a_loss_that_surely_was_not_sent_vanishes_with_its_retraction(world: World) -> None:
    """There was no connection: nobody heard of it, and nobody has to hear that it never was."""
    house = await world.site("house")
    await world.chat(1, house)
    port = free_port()
    away = FakeTelegram(port=port)
    patience = replace(QUICK, retries=Retries(first_s=0.5, longest_s=0.5, give_up_s=60))
    async with notifying(world, away, rates=EAGER, patience=patience):
        await world.event(house, LOST)
        await until(lambda: world.rows("SELECT 1 FROM deliveries WHERE attempts > 0 AND claimed_until IS NULL"))
        await world.event(house, RESTORED, cause=Cause.NETWORK)
        await world.event(house, REVISED, cause=Cause.NETWORK, change=Change.RETRACTED)
        async with away:
            await until(lambda: nothing_waits(world))
    assert away.texts(1) == []


async def nothing_waits(world: World) -> bool:
    return not await world.rows("SELECT 1 FROM deliveries WHERE state = 'pending'")
