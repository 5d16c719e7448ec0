"""The database seam: one commit, one translation of errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from svitlo.db.session import Database, copy_rows
from svitlo.errors import DatabaseUnavailableError
from tests.support.wait import free_port

ROW = (datetime(2026, 11, 20, 18, tzinfo=UTC), "board-1", "heartbeat", "b1", 1, 10)
COLUMNS = ("received_at", "device_id", "kind", "boot", "conn", "interval_s")


async def count(database: Database, table: str) -> int:
    async with database.transaction() as session:
        return int((await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


async def test_a_copy_belongs_to_its_transaction(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(
            text(
                "CREATE TABLE readings_20261120 PARTITION OF readings FOR VALUES FROM ('2026-11-20') TO ('2026-11-21')"
            )
        )
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as session:
            await copy_rows(session, "readings", COLUMNS, [ROW])
            raise ZeroDivisionError
    assert await count(database, "readings") == 0
    async with database.transaction() as session:
        await copy_rows(session, "readings", COLUMNS, [ROW])
    assert await count(database, "readings") == 1


async def test_an_error_rolls_everything_back(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO devices (id) VALUES ('board-1')"))
            raise ZeroDivisionError
    assert await count(database, "devices") == 0


async def test_a_database_that_is_away_is_one_error_of_our_own() -> None:
    async with Database(f"postgresql://svitlo@127.0.0.1:{free_port()}/svitlo") as away:
        with pytest.raises(DatabaseUnavailableError):
            await away.ping()
