"""Only outages longer than some minutes: what is told of the others, which is nothing."""

from __future__ import annotations

from datetime import timedelta

from svitlo import registry
from svitlo.contracts import Cause, Change, EventKind
from tests.notifier.conftest import World, notifying
from tests.notifier.test_planning import ALWAYS_QUIET, EAGER, pass_time, rule
from tests.support.telegram import FakeTelegram

LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED


async def follower(world: World) -> registry.SiteRow:
    house = await world.site("house")
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET created_at = now() - interval '1 day'")
    await rule(world, 1, min_minutes=10)
    return house


async def refine(world: World, site: registry.SiteRow, *, ago: timedelta = timedelta(0)) -> None:
    """The outage, which still goes on, proves to have begun `ago`."""
    await world.run(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at) "
        "SELECT :id, :site, 2, 'power', at, at, now() FROM (SELECT now() - CAST(:ago AS interval) AS at) AS given",
        id=world.outages[site.slug],
        site=site.id,
        ago=ago,
    )
    await world.event(site, REVISED, cause=Cause.POWER, change=Change.REFINED)
    await world.plan()


async def waiting(world: World) -> list[tuple[str, str | None, bool]]:
    """What a chat is owed, why it waits, and whether it still does."""
    rows = await world.rows(
        "SELECT e.kind, d.held, coalesce(d.not_before > now(), false) AS waits FROM deliveries d "
        "JOIN power_events e ON e.seq = d.event_seq WHERE d.state = 'pending' ORDER BY d.id"
    )
    return [tuple(row) for row in rows]


async def test_what_refines_a_loss_that_waits_goes_away_with_it(world: World) -> None:
    house = await follower(world)
    await world.event(house, LOST, ago=timedelta(minutes=2))
    await world.plan()
    await refine(world, house, ago=timedelta(minutes=4))
    assert await waiting(world) == [("power_lost", "long", True), ("outage_revised", "long", True)]
    await world.event(house, RESTORED, cause=Cause.POWER)
    await world.plan()
    assert await world.deliveries(1) == [("dropped", "over before it was told")] * 2


async def test_what_refines_a_loss_that_waits_is_told_with_it(world: World, telegram: FakeTelegram) -> None:
    house = await follower(world)
    await world.event(house, LOST, ago=timedelta(minutes=2))
    await world.plan()
    await refine(world, house, ago=timedelta(minutes=4))
    async with notifying(world, telegram, rates=EAGER):
        await pass_time(world)
        await telegram.wait_for(1, "світла немає")
        await world.event(house, RESTORED)
        await telegram.wait_for(1, "світло є")
    assert await world.states(1) == ["sent", "merged", "sent"]


async def test_a_loss_that_proves_to_be_long_enough_waits_no_longer(world: World) -> None:
    house = await follower(world)
    await world.event(house, LOST)
    await world.plan()
    await refine(world, house, ago=timedelta(minutes=11))
    assert await waiting(world) == [("power_lost", "long", False), ("outage_revised", None, False)]


async def test_what_refines_a_loss_that_was_told_is_told_at_once(world: World) -> None:
    house = await follower(world)
    await world.event(house, LOST, ago=timedelta(minutes=12))
    await world.plan()
    await world.run("UPDATE deliveries SET state = 'sent'")
    await refine(world, house, ago=timedelta(minutes=8))  # so that it is not yet long enough
    assert await waiting(world) == [("outage_revised", None, False)]


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
