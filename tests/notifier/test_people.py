"""Roles: who may do what, and how they are given and taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.notifier import people
from services.notifier.people import Role
from svitlo import registry
from svitlo.errors import NotFoundError, UserError
from tests.notifier.conftest import World

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
async def tree(world: World) -> dict[str, registry.SiteRow]:
    """City with two houses, one of them private with a flat; and another city."""
    city = await world.site("city", "Місто")
    return {
        "city": city,
        "house": await world.site("house", "Будинок", public=False, parent="city"),
        "flat": await world.site("flat", "Квартира", public=False, parent="house"),
        "school": await world.site("school", "Школа", parent="city"),
        "other": await world.site("other", "Інше місто"),
    }


async def give(world: World, user: int, role: Role, site: registry.SiteRow | None = None) -> people.Grant:
    async with world.database.transaction() as session:
        return await people.grant(session, user, role, site.id if site else None, actor="cli")


async def powers(world: World, user: int) -> people.Powers:
    async with world.database.transaction() as session:
        return await people.powers(session, user)


async def test_an_owner_may_everything_and_a_stranger_nothing(world: World, tree: dict[str, registry.SiteRow]) -> None:
    await give(world, 1, Role.OWNER)
    owner, stranger = await powers(world, 1), await powers(world, 2)
    assert owner.owner
    assert owner.admin == owner.seen == {site.id for site in tree.values()}
    assert (stranger.owner, stranger.any, stranger.changes, stranger.everywhere) == (False,) * 4


async def test_an_admin_reaches_what_lies_below_and_a_viewer_changes_nothing(
    world: World, tree: dict[str, registry.SiteRow]
) -> None:
    await give(world, 1, Role.ADMIN, tree["house"])
    await give(world, 1, Role.VIEWER, tree["school"])
    found = await powers(world, 1)
    assert found.admin == {tree["house"].id, tree["flat"].id}
    assert found.seen == {*found.admin, tree["school"].id}
    assert (found.owner, found.everywhere, found.changes) == (False, False, True)
    await give(world, 2, Role.VIEWER, tree["city"])
    assert not (await powers(world, 2)).changes


async def test_places_are_named_by_their_way_within_reach(world: World, tree: dict[str, registry.SiteRow]) -> None:
    async with world.database.transaction() as session:
        found = await people.realms(session, frozenset(tree[slug].id for slug in ("house", "flat", "other")))
    assert {realm.slug: realm.path for realm in found} == {
        "other": "Інше місто",
        "house": "Будинок",
        "flat": "Будинок › Квартира",
    }


async def test_a_removed_place_gives_no_power(world: World, tree: dict[str, registry.SiteRow]) -> None:
    await give(world, 1, Role.ADMIN, tree["other"])
    async with world.database.transaction() as session:
        await registry.remove_site(session, "other")
    assert not (await powers(world, 1)).any


async def test_the_last_owner_stays(world: World) -> None:
    first = await give(world, 1, Role.OWNER)
    async with world.database.transaction() as session:
        with pytest.raises(UserError, match="last owner"):
            await people.revoke(session, first.id, actor="telegram:1")
    async with world.database.transaction() as session:
        with pytest.raises(UserError, match="last owner"):
            await people.grant(session, 1, Role.VIEWER, None, actor="telegram:1")
    await give(world, 2, Role.OWNER)
    async with world.database.transaction() as session:
        await people.revoke(session, first.id, actor="telegram:2")
        with pytest.raises(NotFoundError):
            await people.revoke(session, first.id, actor="telegram:2")
    assert (await powers(world, 2)).owner
    assert not (await powers(world, 1)).any


async def test_an_invitation_works_once_and_for_a_day(world: World, tree: dict[str, registry.SiteRow]) -> None:
    await give(world, 1, Role.OWNER)
    async with world.database.transaction() as session:
        word = await people.invite(session, Role.ADMIN, tree["house"].id, NOW, actor="telegram:1")
        late = await people.invite(session, Role.ADMIN, None, NOW, actor="telegram:1")
        assert await people.accept(session, 2, "no-such-word", NOW) is None
        assert await people.accept(session, 2, late, NOW + timedelta(hours=24)) is None
        given = await people.accept(session, 2, word, NOW + timedelta(hours=23))
        assert given is not None
        assert (given.role, given.site, given.granted_by) == (Role.ADMIN, "house", "telegram:1")
        assert await people.accept(session, 3, word, NOW + timedelta(hours=23)) is None
    assert word not in str(await world.rows("SELECT * FROM audit_log"))


async def test_an_invitation_takes_nothing_away_and_dies_with_its_makers_role(
    world: World, tree: dict[str, registry.SiteRow]
) -> None:
    await give(world, 1, Role.OWNER)
    mine = await give(world, 2, Role.OWNER)
    await give(world, 3, Role.ADMIN, tree["house"])
    async with world.database.transaction() as session:
        word = await people.invite(session, Role.VIEWER, tree["house"].id, NOW, actor="telegram:2")
        kept = await people.accept(session, 3, word, NOW)
        assert kept is not None
        assert kept.role is Role.ADMIN
        owned = await people.accept(session, 1, word, NOW)
        assert owned is not None
        assert owned.role is Role.OWNER
        await people.revoke(session, mine.id, actor="cli")
        assert await people.accept(session, 4, word, NOW) is None


async def test_own_takes_no_word_of_a_lesser_role(world: World) -> None:
    async with world.database.transaction() as session:
        word = await people.invite(session, Role.VIEWER, None, NOW, actor="cli")
        assert await people.accept(session, 5, word, NOW, owner_only=True) is None
        owner = await people.invite(session, Role.OWNER, None, NOW, actor="cli")
        given = await people.accept(session, 5, owner, NOW, owner_only=True)
    assert given is not None
    assert given.role is Role.OWNER


async def test_every_change_is_audited(world: World, tree: dict[str, registry.SiteRow]) -> None:
    await give(world, 1, Role.OWNER)
    made = await give(world, 2, Role.ADMIN, tree["city"])
    async with world.database.transaction() as session:
        await people.revoke(session, made.id, actor="telegram:1")
    rows = await world.rows("SELECT actor, action, target, details FROM audit_log WHERE action LIKE 'person.%'")
    assert [tuple(row) for row in rows] == [
        ("cli", "person.grant", "1", {"role": "owner", "site": None}),
        ("cli", "person.grant", "2", {"role": "admin", "site": "city"}),
        ("telegram:1", "person.revoke", "2", {"role": "admin", "site": "city"}),
    ]


async def test_an_owner_of_a_part_and_a_person_without_number_are_refused(
    world: World, tree: dict[str, registry.SiteRow]
) -> None:
    async with world.database.transaction() as session:
        with pytest.raises(UserError, match="owns everything"):
            await people.grant(session, 1, Role.OWNER, tree["city"].id, actor="cli")
        with pytest.raises(UserError, match="positive"):
            await people.grant(session, -100, Role.ADMIN, None, actor="cli")
