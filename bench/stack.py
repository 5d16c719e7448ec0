"""A stack for a bench: `svitlo up` on free ports in a directory that is gone afterwards."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from svitlo import registry
from svitlo.accounts.passwords import derive_password
from svitlo.cli import context
from svitlo.cli.context import Target, change_accounts
from svitlo.db.session import driver_url
from tests.support.stack import StackUnderTest


@contextmanager
def running(**env: str) -> Iterator[StackUnderTest]:
    """A ready stack; `env` is added to its environment."""
    root = Path(tempfile.mkdtemp(prefix="svitlo-bench-"))
    root.chmod(0o711)  # the system user that the database runs as walks through
    stack = StackUnderTest(root / "data", **env)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(root, ignore_errors=True)


@asynccontextmanager
async def running_aside(**env: str) -> AsyncIterator[StackUnderTest]:
    """The same while the event loop serves others, such as the Telegram the stack talks to."""
    manager = running(**env)
    stack = await asyncio.to_thread(manager.__enter__)
    try:
        yield stack
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


def add_boards(stack: StackUnderTest, layout: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Public sites with their devices, all at once; the devices' passwords by id."""

    async def work(session: Any) -> dict[str, int]:
        for site, devices in layout.items():
            await registry.add_site(session, site, f"Site {site}", public=True)
            for device in devices:
                await registry.add_device(session, site, device)
        return {row.id: row.generation for row in await registry.list_devices(session)}

    where = target(stack)
    return {name: derive_password(where.secret, name, number) for name, number in change_accounts(where, work).items()}


def target(stack: StackUnderTest) -> Target:
    """The stack as the command line would address it."""
    return context.target(stack.directory)


def fetch(stack: StackUnderTest, query: str, *values: object) -> list[Any]:
    """The rows of one query on the stack's database."""

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(driver_url(target(stack).database_url))
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    return asyncio.run(ask())
