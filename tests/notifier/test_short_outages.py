"""Only outages longer than some minutes: what is told of the others, which is nothing."""

from __future__ import annotations

from datetime import timedelta

from svitlo.contracts import EventKind
from tests.notifier.conftest import World
from tests.notifier.test_planning import ALWAYS_QUIET, rule

LOST, RESTORED = EventKind.POWER_LOST, EventKind.POWER_RESTORED


async def test_a_short_outage_of_a_section_is_withdrawn_by_the_rules_of_its_building(world: World) -> None:
    """It was off for three minutes at night, within quiet hours that hold."""
    building = await world.site("building")
    section = await world.site("section", parent="building")
    other = await world.site("other", parent="building")
    for chat, site in ((1, building), (2, section), (3, building)):
        await world.chat(chat, site)
        await rule(world, chat, min_minutes=10, **ALWAYS_QUIET)
    await rule(world, 3, min_minutes=0)
    await world.run("UPDATE subscriptions SET created_at = now() - interval '1 day'")
    await world.event(section, LOST, ago=timedelta(minutes=3))
    await world.event(other, LOST, ago=timedelta(minutes=3))
    await world.plan()
    await world.event(section, RESTORED)
    await world.plan()
    over = ("dropped", "over before it was told")
    assert await world.deliveries(1) == [over, ("pending", None)]
    assert await world.deliveries(2) == [over]
    assert await world.deliveries(3) == [("pending", None)] * 3
