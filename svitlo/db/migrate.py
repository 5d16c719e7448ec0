"""Migrations: alembic, shipped in the wheel, run from code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from svitlo.db.models import metadata
from svitlo.db.session import async_url, unavailable
from svitlo.errors import DatabaseUnavailableError, UserError

_PARTITION = re.compile(r"readings_\d{8}")
_LOCK = 0x5117_0001
"""Advisory lock held while migrating, so that two installers do not race."""


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave the daily partitions of `readings` (and their indexes) out of autogenerate's sight."""
    table = name if kind == "table" else getattr(getattr(item, "table", None), "name", None)
    return not (reflected and table is not None and _PARTITION.fullmatch(table))


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, working on `connection`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def _run(url: str, work: Callable[[Connection], Any]) -> Any:
    engine = create_async_engine(async_url(url), connect_args={"timeout": 5})
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            return await connection.run_sync(work)
    except CommandError as error:
        raise UserError(f"the migration cannot be done: {error}") from error
    except Exception as error:  # translated or passed on, never swallowed
        if unavailable(error):
            raise DatabaseUnavailableError(f"PostgreSQL does not answer ({type(error).__name__})") from error
        raise
    finally:
        await engine.dispose()


async def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema up to `revision`. Raises `DatabaseUnavailableError`."""
    await _run(url, lambda connection: command.upgrade(configuration(connection), revision))


async def downgrade(url: str, revision: str = "base") -> None:
    """Take the schema back to `revision`. Raises `DatabaseUnavailableError`."""
    await _run(url, lambda connection: command.downgrade(configuration(connection), revision))


async def differences(url: str) -> list[Any]:
    """What `alembic check` would find: the differences between the tables in code and in the database."""

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"include_object": include_object})
        return list(compare_metadata(context, metadata))

    found: list[Any] = await _run(url, compare)
    return found
