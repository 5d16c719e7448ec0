"""Nobody learns of a private place by what is told of a public one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.notifier import chats, pins_store
from svitlo import registry
from tests.notifier.conftest import World, notifying
from tests.notifier.conversation import talking
from tests.support.telegram import FakeTelegram


async def power(world: World, site: registry.SiteRow, power: str) -> None:
    await world.run(
        "INSERT INTO site_state (site_id, state, power, since, updated_at) VALUES (:site, :power, :power, now(), now())"
        " ON CONFLICT (site_id) DO UPDATE SET state = excluded.state, power = excluded.power",
        site=site.id,
        power=power,
    )


async def counted(world: World, site: registry.SiteRow) -> tuple[int, int]:
    async with world.database.transaction() as session:
        (found,) = await chats.statuses(session, [site.id])
    return found.children_off, found.children


async def test_a_public_building_counts_its_public_sections_only(world: World) -> None:
    building = await world.site("building")
    section = await world.site("section", parent="building")
    flat = await world.site("flat", public=False, parent="building")
    await power(world, section, "on")
    await power(world, flat, "off")
    assert await counted(world, building) == (0, 1)
    await power(world, section, "off")
    assert await counted(world, building) == (1, 1)


async def test_a_private_building_counts_all_for_those_who_were_let_in(world: World) -> None:
    building = await world.site("building", public=False)
    await power(world, await world.site("section", parent="building"), "on")
    await power(world, await world.site("flat", public=False, parent="building"), "off")
    assert await counted(world, building) == (1, 2)


async def test_what_happens_in_a_flat_does_not_show_in_the_list_of_those_who_follow_the_building(
    world: World, telegram: FakeTelegram
) -> None:
    building = await world.site("building", "Шевченка 12")
    flat = await world.site("flat", "Квартира 7", public=False, parent="building")
    await power(world, building, "on")
    await power(world, flat, "off")
    await world.chat(1, building)
    async with talking(world.database, telegram):
        telegram.say(1, "/places")
        seen = await telegram.wait_for(1, "Шевченка 12")
        assert "Без світла" not in seen.text
        telegram.press(1, "Шевченка 12")
        await telegram.wait_for(1, lambda seen: "🗑 Не стежити" in seen.labels)
    assert not any("Без світла" in text or "Квартира" in text for text in telegram.texts(1))


async def test_what_happens_in_a_flat_does_not_touch_the_pinned_message_of_the_building(world: World) -> None:
    building = await world.site("building")
    flat = await world.site("flat", public=False, parent="building")
    chat = await world.chat(1, building)
    facts = pins_store.Facts(version="1", zone="Europe/Kyiv")

    async def wanted() -> str:
        async with world.database.transaction() as session:
            mine = await pins_store.claim(session, facts, chat.id, gap=timedelta(0), look=timedelta(0))
        assert mine is not None
        return mine.wanted

    async with world.database.transaction() as session:
        await pins_store.want(session, chat.id)
    await power(world, flat, "on")
    before = await wanted()
    await power(world, flat, "off")
    assert await wanted() == before
    await power(world, building, "off")
    assert await wanted() != before


@pytest.mark.parametrize("let_in", [False, True])
async def test_a_list_names_a_private_place_above_to_those_only_who_follow_it(
    world: World, telegram: FakeTelegram, let_in: bool
) -> None:
    yard = await world.site("yard", "Військова частина", public=False)
    sections = [await world.site(f"section-{number}", f"Секція {number}", parent="yard") for number in (1, 2)]
    await world.chat(1, *([yard] if let_in else sections))
    for section in sections:
        await world.event(section)
    await world.plan()
    async with notifying(world, telegram):
        seen = await telegram.wait_for(1, "Секція 2")
    assert ("Військова частина" in seen.text) == let_in
