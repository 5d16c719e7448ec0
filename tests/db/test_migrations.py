"""Migrations lead where the models say, and back."""

from __future__ import annotations

from sqlalchemy import text

from svitlo.db import migrate
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
