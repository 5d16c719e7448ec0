"""Whoever follows a building follows its sections."""

from __future__ import annotations

from datetime import timedelta

from svitlo.contracts import EventKind
from tests.notifier.conftest import World


async def test_an_event_below_reaches_those_who_follow_above(world: World) -> None:
    city = await world.site("city")
    house = await world.site("house", parent="city")
    section = await world.site("section", parent="house")
    other = await world.site("other", parent="city")
    await world.chat(1, city)
    await world.chat(2, house)
    await world.chat(3, section)
    await world.chat(4, other)
    await world.event(section)
    await world.plan()

    assert [len(await world.states(chat)) for chat in (1, 2, 3, 4)] == [1, 1, 1, 0]


async def test_who_follows_both_is_told_once_by_the_nearer_rules(world: World) -> None:
    house = await world.site("house")
    section = await world.site("section", parent="house")
    chat = await world.chat(1, house, section)
    await world.run("UPDATE subscriptions SET kinds = '{restored}' WHERE site_id = :site", site=section.id)
    await world.event(section)
    await world.plan()
    assert await world.states(1) == []

    await world.run("DELETE FROM subscriptions WHERE chat = :chat AND site_id = :site", chat=chat.id, site=section.id)
    await world.event(section, EventKind.POWER_RESTORED, ago=timedelta(0))
    await world.plan()
    assert len(await world.states(1)) == 1


async def test_a_private_place_below_a_public_one_stays_private(world: World) -> None:
    house = await world.site("house")
    flat = await world.site("flat", parent="house", public=False)
    yard = await world.site("yard", public=False)
    gate = await world.site("gate", parent="yard", public=False)
    await world.chat(1, house)
    await world.chat(2, yard)
    await world.chat(3, flat)
    await world.event(flat)
    await world.event(gate)
    await world.plan()

    assert [len(await world.states(chat)) for chat in (1, 2, 3)] == [0, 1, 1]
