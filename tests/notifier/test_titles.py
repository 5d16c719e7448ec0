"""Everywhere a section is told with its building: `Секція 1` alone tells nothing."""

from __future__ import annotations

import pytest

from services.notifier.upkeep import Upkeep
from tests.notifier.conftest import KYIV, World, notifying
from tests.notifier.conversation import talking
from tests.notifier.test_planning import EAGER
from tests.support.telegram import FakeTelegram


@pytest.mark.parametrize("what", ["alert", "status", "history", "reminder"])
async def test_a_section_is_told_with_its_building(world: World, telegram: FakeTelegram, what: str) -> None:
    await world.site("a", "Шевченка 12")
    await world.site("b", "Франка 7")
    one = await world.site("a1", "Секція 1", parent="a")
    other = await world.site("b1", "Секція 1", parent="b")
    if what == "history":
        await world.chat(1, one)
    else:
        await world.chat(1, one, other)
    async with notifying(world, telegram, rates=EAGER), talking(world.database, telegram):
        if what == "alert":
            await world.event(one)
        elif what == "reminder":
            await world.run("UPDATE subscriptions SET remind_minutes = 60")
            await world.run(
                "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at) VALUES "
                "(gen_random_uuid(), :s, 1, 'power', now() - interval '65 min', now() - interval '65 min', now())",
                s=one.id,
            )
            await Upkeep(world.database, lambda: None, KYIV).look()
        else:
            telegram.say(1, f"/{what}")
        seen = await telegram.wait_for(1, "Секція 1")
    assert "Шевченка 12" in seen.text


async def test_an_alert_says_how_it_is_beside_the_place(world: World, telegram: FakeTelegram) -> None:
    """Three of five know how it is, and one of them is private: its neighbours are not told of it."""
    await world.site("a", "Шевченка 12")
    sections = [await world.site(f"a{n}", f"Секція {n}", parent="a", public=n != 3) for n in range(1, 6)]
    await world.run(
        "INSERT INTO site_state (site_id, power, state, updated_at) SELECT id, power, power, now() "
        "FROM unnest(CAST(:ids AS int[]), CAST(:powers AS text[])) AS given (id, power)",
        ids=[section.id for section in sections],
        powers=["off", "on", "off", "off", "unknown"],
    )
    await world.chat(1, sections[0])
    async with notifying(world, telegram, rates=EAGER):
        await world.event(sections[0])
        seen = await telegram.wait_for(1, "Секція 1")
    assert seen.text.splitlines()[-1] == "Шевченка 12: без світла 2 з 3"
