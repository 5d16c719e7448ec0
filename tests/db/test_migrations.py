"""Migrations lead where the models say, and back."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from svitlo import registry
from svitlo.db import migrate
from svitlo.db.listen import REGISTRY_CHANNEL, Listener
from svitlo.db.session import Database


async def tables(url: str) -> set[str]:
    async with Database(url) as database, database.transaction() as session:
        rows = await session.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'")
        )
        return {row.tablename for row in rows}


async def test_up_down_and_up_again_leaves_the_schema_the_models_describe(empty_database_url: str) -> None:
    await migrate.upgrade(empty_database_url)
    assert "power_events" in await tables(empty_database_url)
    assert await migrate.differences(empty_database_url) == []

    await migrate.downgrade(empty_database_url)
    assert await tables(empty_database_url) == set()

    await migrate.upgrade(empty_database_url)
    assert await migrate.differences(empty_database_url) == []


async def test_what_a_role_reaches_counts_as_followed_by_it_once_that_is_remembered(empty_database_url: str) -> None:
    await migrate.upgrade(empty_database_url, "0006")
    async with Database(empty_database_url) as database:
        async with database.transaction() as session:
            for slug, parent in (("house", None), ("flat", "house"), ("dacha", None)):
                await registry.add_site(session, slug, slug, parent=parent)
            await session.execute(text("INSERT INTO chats (platform, chat_id, language) VALUES ('telegram', 3, 'uk')"))
            await session.execute(
                text("INSERT INTO subscriptions (chat, site_id) SELECT c.id, s.id FROM chats c, sites s")
            )
            await session.execute(
                text(
                    "INSERT INTO people (user_id, role, site_id, granted_by) SELECT 3, 'viewer', id, 'cli' FROM sites "
                    "WHERE slug = 'house'"
                )
            )
        await migrate.upgrade(empty_database_url)
        async with database.transaction() as session:
            rows = await session.execute(
                text("SELECT s.slug FROM subscriptions f JOIN sites s ON s.id = f.site_id WHERE f.by_role ORDER BY 1")
            )
            assert list(rows.scalars()) == ["flat", "house"]


async def test_a_daily_partition_is_no_difference_but_a_missing_column_is(database_url: str) -> None:
    async with Database(database_url) as database, database.transaction() as session:
        await session.execute(
            text(
                "CREATE TABLE readings_20261120 PARTITION OF readings "
                "FOR VALUES FROM ('2026-11-20 00:00+00') TO ('2026-11-21 00:00+00')"
            )
        )
    assert await migrate.differences(database_url) == []
    async with Database(database_url) as database, database.transaction() as session:
        await session.execute(text("ALTER TABLE sites DROP COLUMN name"))
    assert len(await migrate.differences(database_url)) == 1


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE sites SET rule = 'most'",
        "UPDATE sites SET rule = 'k'",
        "UPDATE sites SET k = 1",
        "UPDATE sites SET rule = 'k', k = 0",
        "UPDATE sites SET confirm_off_s = -1",
        "UPDATE sites SET confirm_on_s = 86401",
        "UPDATE site_devices SET weight = 0",
        "UPDATE site_devices SET weight = 101",
        "INSERT INTO maintenance_windows (site_id, starts_at, duration_s, zone) SELECT id, now(), 0, 'UTC' FROM sites",
    ],
)
async def test_the_database_itself_refuses_what_makes_no_sense(database: Database, broken: str) -> None:
    async with database.transaction() as session:
        await registry.add_site(session, "home", "Home")
        await registry.add_device(session, "home", "board-1")
    with pytest.raises(IntegrityError, match="check constraint"):
        async with database.transaction() as session:
            await session.execute(text(broken))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sites SET rule = 'all'",
        "UPDATE site_devices SET weight = 2",
        "INSERT INTO maintenance_windows (site_id, starts_at, duration_s, zone) SELECT id, now(), 60, 'UTC' FROM sites",
    ],
)
async def test_changes_of_rules_weights_and_maintenance_are_announced(
    database: Database, database_url: str, change: str
) -> None:
    async with database.transaction() as session:
        await registry.add_site(session, "home", "Home")
        await registry.add_device(session, "home", "board-1")
    heard = asyncio.Event()
    async with Listener(database_url) as listener:
        await listener.listen(REGISTRY_CHANNEL, heard.set)
        async with database.transaction() as session:
            await session.execute(text(change))
        async with asyncio.timeout(20):
            await heard.wait()
