"""Whoever was told in any way that the power is off learns that it never was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.notifier.upkeep import Upkeep
from svitlo import registry
from svitlo.contracts import Cause, Change, EventKind
from tests.notifier.conftest import KYIV, World, notifying
from tests.notifier.conversation import talking
from tests.notifier.test_planning import EAGER
from tests.support.telegram import FakeTelegram

LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED
RETRACTION: dict[str, Any] = {"cause": Cause.NETWORK, "change": Change.RETRACTED}


async def off(world: World, site: registry.SiteRow, *, ago: timedelta) -> None:
    """The power went, as the tables have it."""
    await world.event(site, LOST, ago=ago)
    await world.run(
        "WITH at AS (SELECT now() - CAST(:ago AS interval) AS at), outage AS ("
        "  INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at) "
        "  SELECT :id, :site, 1, 'presumed', at, at, at FROM at) "
        "INSERT INTO site_state (site_id, state, power, since, updated_at) SELECT :site, 'off', 'off', at, at FROM at",
        id=world.outages[site.slug],
        site=site.id,
        ago=ago,
    )


async def never_was(world: World, site: registry.SiteRow) -> None:
    """It was only the internet: such a return is no news, the retraction is."""
    await world.event(site, RESTORED, cause=Cause.NETWORK)
    await world.event(site, REVISED, **RETRACTION)


async def corrected(world: World) -> list[int]:
    """The chats that are owed a correction."""
    await world.plan()
    rows = await world.rows(
        "SELECT c.chat_id FROM deliveries d JOIN chats c ON c.id = d.chat JOIN power_events e ON e.seq = d.event_seq "
        "WHERE e.kind = 'outage_revised' ORDER BY c.chat_id"
    )
    return [row.chat_id for row in rows]


async def test_by_the_answer_to_who_began_to_follow(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    async with notifying(world, telegram, rates=EAGER), talking(world.database, telegram):
        await off(world, house, ago=timedelta(minutes=5))
        telegram.say(1, "/start s_house")
        seen = await telegram.wait_for(1, "House")
        assert "світла немає" in seen.text.lower()
        await never_was(world, house)
        await telegram.wait_for(1, "не зникало")


async def test_by_a_reminder(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await off(world, house, ago=timedelta(minutes=65))
    await world.plan()
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET remind_minutes = 60, created_at = now() - interval '1 day'")
    async with notifying(world, telegram, rates=EAGER):
        await Upkeep(world.database, lambda: None, KYIV).look()
        await telegram.wait_for(1, "світла немає й досі")
        await never_was(world, house)
        await telegram.wait_for(1, "не зникало")


@pytest.mark.parametrize(("state", "told"), [("sent", [1]), ("merged", [1]), ("dropped", []), ("failed", [])])
async def test_a_reminder_that_never_came_told_nothing(world: World, state: str, told: list[int]) -> None:
    house = await world.site("house")
    await off(world, house, ago=timedelta(minutes=65))
    await world.plan()
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET remind_minutes = 60, created_at = now() - interval '1 day'")
    await Upkeep(world.database, lambda: None, KYIV).look()
    await world.run("UPDATE deliveries SET state = :state", state=state)
    await never_was(world, house)
    assert await corrected(world) == told


async def test_not_whoever_followed_before_or_after(world: World) -> None:
    """They read the place's state as it was then, which was not off."""
    house = await world.site("house")
    await off(world, house, ago=timedelta(minutes=5))
    await world.plan()
    for chat, followed in ((1, "6 min"), (2, "4 min"), (3, "0 min")):
        await world.chat(chat, house)
        await world.run(
            "UPDATE subscriptions SET created_at = now() - CAST(CAST(:ago AS text) AS interval) "
            "WHERE chat = (SELECT id FROM chats WHERE chat_id = :chat)",
            ago=followed,
            chat=chat,
        )
    await world.event(house, RESTORED, cause=Cause.NETWORK, ago=timedelta(minutes=2))
    await world.event(house, REVISED, **RETRACTION)
    assert await corrected(world) == [2]


async def test_not_who_was_answered_of_the_building_or_never(world: World) -> None:
    """A building's state says nothing certain of a section; a target of Apprise gets no answer."""
    building = await world.site("building")
    section = await world.site("section", parent="building")
    await off(world, section, ago=timedelta(minutes=5))
    await world.plan()
    await world.chat(1, building)
    await world.chat(2, section)
    await world.chat(3, section)
    await world.run("UPDATE chats SET platform = 'apprise', target = 'json://127.0.0.1' WHERE chat_id = 3")
    await world.event(section, RESTORED, cause=Cause.NETWORK)
    await world.event(section, REVISED, **RETRACTION)
    assert await corrected(world) == [2]
