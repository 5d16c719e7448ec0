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
