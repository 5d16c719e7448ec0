"""The database seam: one engine, one place that commits, one translation of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from svitlo.errors import ConfigurationError, DatabaseUnavailableError

_PREFIXES = ("postgresql://", "postgres://", "postgresql+asyncpg://")


def async_url(url: str) -> str:
    """The same database for SQLAlchemy's asyncpg dialect. Raises `ConfigurationError` for other databases."""
    for prefix in _PREFIXES:
        if url.startswith(prefix):
            try:
                found = make_url("postgresql+asyncpg://" + url[len(prefix) :])
            except (ArgumentError, ValueError) as error:
                raise ConfigurationError("SVITLO_DATABASE_URL cannot be understood (is its port a number?)") from error
            return found.render_as_string(hide_password=False)
    raise ConfigurationError("SVITLO_DATABASE_URL must look like postgresql://user:password@host/database")


def driver_url(url: str) -> str:
    """The same database for asyncpg itself."""
    return async_url(url).replace("postgresql+asyncpg://", "postgresql://", 1)


_PASSING = ("08", "25", "40", "53", "55", "57", "58")
"""SQLSTATE classes that say "not now": connection, read-only, deadlock, resources, not ready, operator, system."""


def sqlstate(error: BaseException | None) -> str | None:
    """PostgreSQL's five-character code behind an error of SQLAlchemy or asyncpg, if there is one."""
    while error is not None:
        if isinstance(error, asyncpg.PostgresError):
            return str(error.sqlstate)
        error = getattr(error, "orig", None) or error.__cause__
    return None


def unavailable(error: BaseException) -> bool:
    """Whether an error means that PostgreSQL cannot do it now (and not that the statement is wrong)."""
    if (state := sqlstate(error)) is not None:
        return state.startswith(_PASSING)
    if isinstance(error, OSError | InterfaceError | OperationalError | PoolTimeoutError | TimeoutError):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(
            getattr(error.orig, "__cause__", None), asyncpg.InterfaceError | OSError | TimeoutError
        )
    return isinstance(error, asyncpg.InterfaceError)


KEEPALIVE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""A machine that vanished is noticed by the server within 25 s, and what it held is free."""


class Database:
    """A pool of connections. Use as an async context manager, so that the pool is closed."""

    def __init__(self, url: str, *, pool_size: int = 4, name: str = "svitlo") -> None:
        self.url = url
        self._engine = create_async_engine(
            async_url(url),
            pool_size=pool_size,
            max_overflow=2,
            pool_timeout=10,
            pool_pre_ping=True,
            hide_parameters=True,  # they may be somebody's id, which no log may hold
            # statement cache off would cost; command_timeout bounds a database that hangs
            connect_args={
                "timeout": 5,
                "command_timeout": 30,
                "server_settings": {"timezone": "UTC", "application_name": name, **KEEPALIVE},
            },
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end of the block, rolled back on any error.

        Raises `DatabaseUnavailableError` when PostgreSQL is away; other errors pass unchanged.
        """
        try:
            async with self._sessions() as session, session.begin():
                yield session
        except Exception as error:  # translated or passed on, never swallowed
            if unavailable(error):
                raise DatabaseUnavailableError(
                    f"PostgreSQL does not answer ({type(error).__name__}: {str(error).splitlines()[0][:120]})"
                    if str(error)
                    else f"PostgreSQL does not answer ({type(error).__name__})"
                ) from error
            raise

    async def ping(self) -> None:
        """Raises `DatabaseUnavailableError` unless the database answers."""
        async with self.transaction() as session:
            await (await session.connection()).exec_driver_sql("SELECT 1")


async def copy_rows(session: AsyncSession, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """COPY rows into a table inside the session's transaction (asyncpg's binary protocol)."""
    pooled = await session.connection()
    # SQLAlchemy begins a transaction with the first statement that passes through it; a COPY that goes to the driver
    # before that would be committed on its own.
    await pooled.exec_driver_sql("SELECT 1")
    driver = (await pooled.get_raw_connection()).driver_connection
    if driver is None:
        raise DatabaseUnavailableError("PostgreSQL does not answer (no driver connection)")
    try:
        await driver.copy_records_to_table(table, records=rows, columns=list(columns))
    except asyncpg.PostgresError as error:  # as every other statement would fail
        raise DBAPIError("COPY", None, error) from error
