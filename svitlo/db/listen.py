"""One connection outside the pool: hears NOTIFY and may hold an advisory lock.

A lock belongs to its connection, so it goes exactly when the process or the connection does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import asyncpg  # type: ignore[import-untyped]

from svitlo.db.session import KEEPALIVE, driver_url, unavailable
from svitlo.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

REGISTRY_CHANNEL = "svitlo_registry"
"""Every change of sites, devices and who stands for whom is announced here (by triggers)."""
ORDERS_CHANNEL = "svitlo_orders"
"""Every new order to a device is announced here (by a trigger)."""


class Listener:
    """Use as an async context manager. Raises `DatabaseUnavailableError` when PostgreSQL is away."""

    def __init__(self, url: str) -> None:
        self._url = driver_url(url)
        self._connection: Any = None
        self.lost = asyncio.Event()

    async def __aenter__(self) -> Self:
        try:
            self._connection = await asyncpg.connect(
                self._url,
                timeout=5,
                command_timeout=30,
                server_settings={"application_name": "svitlo listener", **KEEPALIVE},
            )
        except Exception as error:  # translated or passed on, never swallowed
            if unavailable(error):
                raise DatabaseUnavailableError(f"PostgreSQL does not answer ({type(error).__name__})") from error
            raise
        self._connection.add_termination_listener(lambda _: self.lost.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with asyncio.timeout(2):
                await self._connection.close()
        except (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
            self._connection.terminate()

    async def listen(self, channel: str, heard: Callable[[], None]) -> None:
        """Call `heard` for each notification on `channel`. Raises `DatabaseUnavailableError`."""
        try:
            await self._connection.add_listener(channel, lambda *_: heard())
        except Exception as error:  # translated or passed on, never swallowed
            if unavailable(error):
                raise DatabaseUnavailableError(f"PostgreSQL does not answer ({type(error).__name__})") from error
            raise

    async def watch(self, every_s: float = 10.0) -> None:
        """Returns when the connection is lost, also when it died without a word (a cut cable, a frozen host)."""
        while not self.lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await self.lost.wait()
                return
            try:
                async with asyncio.timeout(every_s):
                    await self._connection.fetchval("SELECT 1")
            except Exception as error:  # translated or passed on, never swallowed
                if not unavailable(error):
                    raise
                return

    async def try_lock(self, key: int) -> bool:
        """Take a session-level advisory lock if it is free. Raises `DatabaseUnavailableError`."""
        try:
            return bool(await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", key))
        except Exception as error:  # translated or passed on, never swallowed
            if unavailable(error):
                raise DatabaseUnavailableError(f"PostgreSQL does not answer ({type(error).__name__})") from error
            raise

    async def evict(self, key: int) -> None:
        """End the connection that holds an advisory lock, and with it the lock. Raises `DatabaseUnavailableError`.

        A key of 64 bits stands in `pg_locks` as two halves (PostgreSQL manual, pg_locks).
        """
        try:
            await self._connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                "AND (classid::bigint << 32) + objid::bigint = $1 AND objsubid = 1 AND pid <> pg_backend_pid()",
                key,
            )
        except Exception as error:  # translated or passed on, never swallowed
            if unavailable(error):
                raise DatabaseUnavailableError(f"PostgreSQL does not answer ({type(error).__name__})") from error
            raise
