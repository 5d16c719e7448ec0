"""What the endpoints work with, handed to them by the app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy.exc
from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.watch import Link
from svitlo.db.session import Database
from svitlo.errors import DatabaseUnavailableError
from svitlo.settings import Settings


@dataclass(frozen=True)
class Context:
    """The settings, the database and the link to the broker of one app."""

    settings: Settings
    database: Database
    link: Link
    database_timeout_s: float

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """One transaction, bounded in time. Raises `DatabaseUnavailableError` when the database is away or hangs."""
        try:
            async with asyncio.timeout(self.database_timeout_s), self.database.transaction() as session:
                yield session
        except (TimeoutError, sqlalchemy.exc.TimeoutError) as error:
            raise DatabaseUnavailableError(f"PostgreSQL did not answer within {self.database_timeout_s:g} s") from error


def _context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Api = Annotated[Context, Depends(_context)]
