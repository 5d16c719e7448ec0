"""Private places that were followed by a role are told of only as long as a role reaches them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from services.notifier import chats_told, people
from services.notifier.bot.poller import Poller
from services.notifier.people import Role
from services.notifier.upkeep import Upkeep
from svitlo import registry
from tests.notifier.conftest import KYIV, World, notifying, until
from tests.notifier.conversation import followed, talking
from tests.notifier.test_planning import ALWAYS_QUIET, rule
from tests.support.telegram import FakeTelegram

OWNER, VIEWER, INVITED, NEIGHBOUR = 1, 3, 4, 5


@pytest.fixture
async def flat(world: World) -> registry.SiteRow:
    """A private flat in a private house in a public town; a viewer of the house, who follows the flat by that."""
    await world.site("town", "Місто")
    house = await world.site("house", "Шевченка 12", public=False, parent="town")
    flat = await world.site("flat", "Квартира 5", public=False, parent="house")
    await world.site("dacha", "Дача", public=False)
    async with world.database.transaction() as session:
        await people.grant(session, OWNER, Role.OWNER, None, actor="cli")
        await people.grant(session, VIEWER, Role.VIEWER, house.id, actor="cli")
    return flat


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram, flat: registry.SiteRow) -> AsyncIterator[Poller]:
    async with talking(world.database, telegram) as poller:
        yield poller


async def follow(telegram: FakeTelegram, *chats: int, way: str = "/subscribe flat") -> None:
    for chat in chats:
        before = len(telegram.messages(chat))
        telegram.say(chat, way)
        await until(partial(_answered, telegram, chat, before))
        assert "тежу" in telegram.texts(chat)[-1]


def _answered(telegram: FakeTelegram, chat: int, before: int) -> bool:
    return len(telegram.messages(chat)) > before


async def move(world: World, slug: str, parent: str | None, *, public: bool | None = None) -> None:
    async with world.database.transaction() as session:
        await registry.change_site(session, slug, parent=parent, public=public)


async def told(world: World, site: registry.SiteRow, *chats: int) -> list[int]:
    """How many alerts each chat is owed of what happens there now."""
    before = [len(await world.states(chat)) for chat in chats]
    await world.event(site)
    await world.plan()
    return [len(await world.states(chat)) - count for chat, count in zip(chats, before, strict=True)]


async def look(world: World) -> None:
    await Upkeep(world.database, lambda: None, KYIV).look()


@pytest.mark.usefixtures("bot")
async def test_a_place_moved_out_of_the_subtree_is_told_only_to_those_it_still_is_open_to(
    world: World, telegram: FakeTelegram, flat: registry.SiteRow
) -> None:
    await follow(telegram, OWNER, VIEWER)
    await follow(telegram, INVITED, way=f"/start i_{flat.invite}")
    chats = (OWNER, VIEWER, INVITED)
    assert await told(world, flat, *chats) == [1, 1, 1]
    await move(world, "flat", "dacha")
    assert await told(world, flat, *chats) == [1, 0, 1]
    await move(world, "flat", "house")
    assert await told(world, flat, *chats) == [1, 1, 1]


@pytest.mark.usefixtures("bot")
async def test_who_was_invited_too_keeps_the_place_whichever_came_first(
    world: World, telegram: FakeTelegram, flat: registry.SiteRow
) -> None:
    await follow(telegram, VIEWER)
    await follow(telegram, VIEWER, OWNER, way=f"/start i_{flat.invite}")
    await follow(telegram, OWNER)
    await move(world, "flat", None)
    async with world.database.transaction() as session:
        await people.grant(session, INVITED, Role.OWNER, None, actor="cli")
        [grant] = await people.list_people(session, OWNER)
        await people.revoke(session, grant.id, actor="cli")
    assert await told(world, flat, VIEWER, OWNER) == [1, 1]
    await look(world)
    assert await followed(world, VIEWER) == await followed(world, OWNER) == ["flat"]


@pytest.mark.usefixtures("bot")
async def test_a_public_place_that_left_the_subtree_is_told_until_it_is_made_private(
    world: World, telegram: FakeTelegram, flat: registry.SiteRow
) -> None:
    await move(world, "flat", "house", public=True)
    await follow(telegram, VIEWER, NEIGHBOUR)
    await move(world, "flat", "dacha")
    await look(world)
    assert await told(world, flat, VIEWER, NEIGHBOUR) == [1, 1]
    await move(world, "flat", "dacha", public=False)
    assert await told(world, flat, VIEWER, NEIGHBOUR) == [0, 1], "the neighbour found it while it was open to all"


@pytest.mark.usefixtures("bot")
async def test_a_subtree_that_moved_away_is_told_no_longer_though_its_top_is_followed(
    world: World, telegram: FakeTelegram, flat: registry.SiteRow
) -> None:
    await follow(telegram, VIEWER, way="/subscribe town")
    assert await followed(world, VIEWER) == ["house", "town"]
    await world.run("UPDATE people SET site_id = (SELECT id FROM sites WHERE slug = 'flat') WHERE user_id = 3")
    assert await told(world, flat, VIEWER) == [0], "it was followed by the house, which is out of reach"


@pytest.mark.usefixtures("bot")
async def test_what_is_out_of_reach_is_followed_no_longer_and_the_person_is_told_once(
    world: World, telegram: FakeTelegram, flat: registry.SiteRow
) -> None:
    await follow(telegram, VIEWER)
    await follow(telegram, VIEWER, way="/subscribe town")
    await rule(world, VIEWER, **ALWAYS_QUIET)
    await world.event(flat)
    await world.plan()
    await look(world)
    assert await world.states(VIEWER) == ["pending"]
    await move(world, "flat", "dacha")
    async with notifying(world, telegram):
        for _ in range(2):
            await look(world)
        seen = await telegram.wait_for(VIEWER, "більше не охоплює")
    assert "• Квартира 5" in seen.text
    assert "посилання-запрошення" in seen.text
    assert seen.silent
    assert await followed(world, VIEWER) == ["house", "town"], "what the role still reaches stays"
    assert await world.rows("SELECT error FROM deliveries WHERE event_seq IS NOT NULL") == [("unsubscribed",)]
    assert len([text for text in telegram.texts(VIEWER) if "Квартира 5" in text and "охоплює" in text]) == 1


@pytest.mark.usefixtures("bot")
async def test_status_and_the_buttons_of_an_alert_end_with_the_reach(
    world: World, telegram: FakeTelegram, flat: registry.SiteRow
) -> None:
    await follow(telegram, VIEWER)
    await move(world, "flat", "dacha")
    chat = await world.chat(VIEWER)
    async with world.database.transaction() as session:
        assert await chats_told.told_sites(session, chat.id) == []
        assert await chats_told.nearest(session, chat.id, flat.id) is None
