"""Running one of our services inside a test, with real parts around it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from svitlo.settings import Settings, load_settings
from tests.support.broker import SECRET, Broker, address


def settings_for(service: str, broker: Broker, database_url: str, **overrides: Any) -> Settings:
    """The settings a service would have under the supervisor."""
    where = address(broker, f"svitlo.{service}")
    return load_settings(
        database_url=database_url,
        mqtt_url=f"mqtt://{where.username}@{where.host}:{where.port}",
        mqtt_password=where.password,
        secret=SECRET,
        **overrides,
    )


@asynccontextmanager
async def serving(run: Callable[[Settings], Coroutine[Any, Any, None]], settings: Settings) -> AsyncIterator[None]:
    """The service as a task; cancelled, and awaited for twenty seconds at most, at the end."""
    task = asyncio.create_task(run(settings), name="service under test")
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        async with asyncio.timeout(20):
            with contextlib.suppress(asyncio.CancelledError):
                await task
