"""Who exists: the tree of sites, their rules and weights, their maintenance, and the note of every change."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo import registry
from svitlo.db.session import Database
from svitlo.errors import AlreadyExistsError, NotFoundError, UserError

NOON = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.fixture
async def town(database: Database) -> Database:
    """town > street > house, and a board at the house."""
    async with database.transaction() as session:
        await registry.add_site(session, "town", "Town")
        await registry.add_site(session, "street", "Street", parent="town")
        await registry.add_site(session, "house", "House", parent="street")
        await registry.add_device(session, "house", "hall")
    return database


async def former(session: AsyncSession) -> set[str]:
    return set((await session.execute(text("SELECT slug FROM former_slugs"))).scalars())


async def audited(session: AsyncSession) -> tuple[str, str, dict[str, Any]]:
    row = (await session.execute(text("SELECT action, target, details FROM audit_log ORDER BY id DESC LIMIT 1"))).one()
    return row.action, row.target, row.details


async def plan(session: AsyncSession, site: str, **kwargs: Any) -> int:
    given: dict[str, Any] = {"starts_at": NOON, "duration_s": 3600, "zone": "Europe/Kyiv"} | kwargs
    return (await registry.add_window(session, site, **given)).id


async def test_a_site_has_the_rule_and_confirmations_it_was_given(database: Database) -> None:
    async with database.transaction() as session:
        plain = await registry.add_site(session, "plain", "Plain")
        special = await registry.add_site(
            session, "special", "Special", rule="k", k=3, confirm_off_s=0.1, confirm_on_s=0
        )
    assert (plain.rule, plain.k, plain.confirm_off_s, plain.confirm_on_s) == ("any", None, None, None)
    assert (special.rule, special.k, special.confirm_off_s, special.confirm_on_s) == ("k", 3, 0.1, 0)


async def test_a_change_touches_only_what_is_given_and_is_noted(town: Database) -> None:
    async with town.transaction() as session:
        before = await registry.get_site(session, "house")
        after = await registry.change_site(session, "house", name=" Home ", rule="all", confirm_off_s=5, actor="anna")
        assert await audited(session) == (
            "site.change",
            "house",
            {"name": "Home", "rule": "all", "confirm_off_s": 5},
        )
    assert (after.name, after.rule, after.confirm_off_s) == ("Home", "all", 5)
    assert (after.id, after.parent, after.public, after.invite) == (before.id, "street", False, before.invite)


async def test_none_takes_the_parent_and_the_confirmations_away(town: Database) -> None:
    async with town.transaction() as session:
        await registry.change_site(session, "house", confirm_off_s=5, confirm_on_s=6)
        kept = await registry.change_site(session, "house", confirm_off_s=None)
        assert (kept.confirm_off_s, kept.confirm_on_s, kept.parent) == (None, 6, "street")
        assert (await registry.change_site(session, "house", parent=None)).parent is None


async def test_a_change_that_changes_nothing_is_not_noted(town: Database) -> None:
    async with town.transaction() as session:
        await registry.change_site(session, "house", name="House", rule="any", parent="street")
        assert (await audited(session))[0] == "device.add"


async def test_k_stays_while_the_rule_is_k_and_goes_with_it(town: Database) -> None:
    async with town.transaction() as session:
        assert (await registry.change_site(session, "house", rule="k", k=2)).k == 2
        assert (await registry.change_site(session, "house", k=3)).k == 3
        assert (await registry.change_site(session, "house", name="Home")).k == 3
        assert (await registry.change_site(session, "house", rule="majority")).k is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rule": "most"}, "the rules are any, all, majority, k"),
        ({"rule": "k"}, "the rule k needs k"),
        ({"k": 2}, "choose rule k"),
        ({"rule": "k", "k": 0}, "from 1 to"),
        ({"confirm_off_s": -1}, "0 to 86400"),
        ({"confirm_on_s": 86_401}, "0 to 86400"),
        ({"confirm_on_s": float("nan")}, "0 to 86400"),
        ({"name": " "}, "1 to 120"),
        ({"parent": "house"}, "its own parent"),
        ({"parent": "nowhere"}, "no site 'nowhere'"),
    ],
)
async def test_a_site_that_cannot_be_is_refused(town: Database, change: dict[str, Any], says: str) -> None:
    async with town.transaction() as session:
        with pytest.raises(UserError, match=says):
            await registry.change_site(session, "house", **change)


@pytest.mark.parametrize("below", ["street", "house"])
async def test_no_site_comes_to_stand_below_itself(town: Database, below: str) -> None:
    async with town.transaction() as session:
        with pytest.raises(UserError, match=f"'{below}' stands below 'town'"):
            await registry.change_site(session, "town", parent=below)


async def test_two_moves_at_once_do_not_close_a_circle(database: Database) -> None:
    async with database.transaction() as session:
        await registry.add_site(session, "a", "A")
        await registry.add_site(session, "b", "B")

    async def move() -> None:
        async with database.transaction() as session:
            await registry.change_site(session, "b", parent="a")

    async with database.transaction() as session:
        await registry.change_site(session, "a", parent="b")
        second = asyncio.create_task(move())
        await asyncio.sleep(0.3)
        assert not second.done(), "the second move must wait for the first"
    with pytest.raises(UserError, match="stands below"):
        await second


async def test_a_renamed_site_is_the_same_under_another_slug(town: Database) -> None:
    async with town.transaction() as session:
        before = await registry.get_site(session, "street")
        after = await registry.rename_site(session, "street", "avenue")
        assert (after.id, after.slug, after.invite, after.parent) == (before.id, "avenue", before.invite, "town")
        assert (await registry.get_site(session, "house")).parent == "avenue"
        with pytest.raises(NotFoundError):
            await registry.get_site(session, "street")
        assert await audited(session) == ("site.rename", "street", {"to": "avenue"})


async def test_former_slugs_are_those_no_site_bears(town: Database) -> None:
    async with town.transaction() as session:
        await registry.rename_site(session, "house", "home")
        await registry.rename_site(session, "home", "castle")
        assert await former(session) == {"house", "home"}
        await registry.rename_site(session, "castle", "home")
        assert await former(session) == {"house", "castle"}
        await registry.add_site(session, "house", "Another house")
        assert await former(session) == {"castle"}


async def test_a_removed_sites_slug_may_be_taken(town: Database) -> None:
    async with town.transaction() as session:
        await registry.add_site(session, "shed", "Shed")
        await registry.remove_site(session, "shed")
        assert (await registry.rename_site(session, "house", "shed")).name == "House"


@pytest.mark.parametrize(
    ("old", "new", "error", "says"),
    [
        ("house", "street", AlreadyExistsError, "a site 'street' already"),
        ("house", "house", UserError, "called 'house' already"),
        ("house", "My House", UserError, "use 1 to 48 of a-z"),
        ("nowhere", "somewhere", NotFoundError, "no site 'nowhere'"),
    ],
)
async def test_a_rename_that_cannot_be_is_refused(
    town: Database, old: str, new: str, error: type[Exception], says: str
) -> None:
    async with town.transaction() as session:
        with pytest.raises(error, match=says):
            await registry.rename_site(session, old, new)


async def test_a_device_stands_for_several_sites_with_a_weight_at_each(town: Database) -> None:
    async with town.transaction() as session:
        await registry.add_device(session, "house", "attic", weight=3)
        device = await registry.attach_device(session, "attic", "street", 5)
        assert device.sites == ("house", "street")
        assert (await registry.get_site(session, "street")).weights == (5,)
        house = await registry.get_site(session, "house")
    assert dict(zip(house.devices, house.weights, strict=True)) == {"attic": 3, "hall": 1}


async def test_a_weight_is_changed_at_one_site_alone(town: Database) -> None:
    async with town.transaction() as session:
        await registry.attach_device(session, "hall", "street")
        await registry.set_weight(session, "hall", "street", 7)
        assert await audited(session) == ("device.weight", "hall", {"site": "street", "weight": 7})
        assert (await registry.get_site(session, "street")).weights == (7,)
        assert (await registry.get_site(session, "house")).weights == (1,)


async def test_a_device_leaves_a_site_but_never_its_last(town: Database) -> None:
    async with town.transaction() as session:
        await registry.attach_device(session, "hall", "street")
        assert (await registry.detach_device(session, "hall", "street")).sites == ("house",)
        assert await audited(session) == ("device.detach", "hall", {"site": "street"})
        with pytest.raises(UserError, match="svitlo device remove hall"):
            await registry.detach_device(session, "hall", "house")


async def test_a_device_taken_from_two_sites_at_once_keeps_one(town: Database) -> None:
    async with town.transaction() as session:
        await registry.attach_device(session, "hall", "street")

    async def take() -> None:
        async with town.transaction() as session:
            await registry.detach_device(session, "hall", "house")

    async with town.transaction() as session:
        await registry.detach_device(session, "hall", "street")
        second = asyncio.create_task(take())
        await asyncio.sleep(0.3)
        assert not second.done(), "the second must wait for the first"
    with pytest.raises(UserError, match="only site"):
        await second


async def test_devices_that_cannot_be_attached_are_refused(town: Database) -> None:
    async with town.transaction() as session:
        with pytest.raises(AlreadyExistsError):
            await registry.attach_device(session, "hall", "house")
        with pytest.raises(NotFoundError, match="no device 'cellar'"):
            await registry.attach_device(session, "cellar", "house")
        with pytest.raises(NotFoundError, match="does not stand for 'street'"):
            await registry.set_weight(session, "hall", "street", 2)
        with pytest.raises(NotFoundError, match="does not stand for 'street'"):
            await registry.detach_device(session, "hall", "street")
        for weight in (0, 101):
            with pytest.raises(UserError, match="1 to 100"):
                await registry.set_weight(session, "hall", "house", weight)


async def test_a_window_is_kept_as_planned_and_noted(town: Database) -> None:
    async with town.transaction() as session:
        window = await registry.add_window(
            session,
            "house",
            starts_at=NOON + timedelta(microseconds=7),
            duration_s=7200,
            zone="Europe/Kyiv",
            rrule="weekly",
            reason=" New wiring ",
            subtree=False,
        )
        assert await registry.list_windows(session) == [window]
        action, target, details = await audited(session)
    assert (window.site, window.subtree, window.starts_at, window.duration_s) == ("house", False, NOON, 7200)
    assert (window.zone, window.rrule, window.reason) == ("Europe/Kyiv", "FREQ=WEEKLY", "New wiring")
    assert (action, target, details["id"]) == ("maintenance.add", "house", window.id)


async def test_a_window_covers_what_is_below_unless_it_is_for_one_site(town: Database) -> None:
    async with town.transaction() as session:
        all_of_it = await plan(session, "town")
        street_alone = await plan(session, "street", subtree=False, starts_at=NOON + timedelta(hours=1))
        house = await plan(session, "house", starts_at=NOON - timedelta(hours=1))
        covering = {
            slug: [window.id for window in await registry.list_windows(session, slug)]
            for slug in ("town", "street", "house")
        }
        together = await registry.windows_by_site(session)
    assert covering == {"town": [all_of_it], "street": [all_of_it, street_alone], "house": [house, all_of_it]}
    assert {slug: [window.id for window in windows] for slug, windows in together.items()} == covering
    assert {window.site for window in together["house"]} == {"house", "town"}


async def test_a_cancelled_window_is_gone(town: Database) -> None:
    async with town.transaction() as session:
        window_id = await plan(session, "house")
        assert (await registry.cancel_window(session, window_id)).id == window_id
        action, target, details = await audited(session)
        assert (action, target, details["id"]) == ("maintenance.cancel", "house", window_id)
        assert await registry.list_windows(session) == []
        with pytest.raises(NotFoundError, match="svitlo maintenance list"):
            await registry.cancel_window(session, window_id)


async def test_a_sites_windows_go_with_it_and_follow_its_name(town: Database) -> None:
    async with town.transaction() as session:
        await plan(session, "house")
        await registry.rename_site(session, "house", "home")
        assert [window.site for window in await registry.list_windows(session)] == ["home"]
        await registry.remove_site(session, "home")
        assert await registry.list_windows(session) == []
        assert await registry.windows_by_site(session) == {}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"zone": "Nowhere"}, "Europe/Kyiv"),
        ({"duration_s": 0}, "14 days"),
        ({"rrule": "FREQ=SECONDLY"}, "DAILY, WEEKLY"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=MO"}, "2026-11-30"),
        ({"reason": "x" * 201}, "200"),
    ],
)
async def test_a_window_that_cannot_be_is_refused_with_a_reason(
    town: Database, change: dict[str, Any], says: str
) -> None:
    async with town.transaction() as session:
        with pytest.raises(UserError, match=says):
            await plan(session, "house", **change)
