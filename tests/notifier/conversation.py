"""The bot at work for a test, and what became of a conversation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from services.notifier.bot.context import Context
from services.notifier.bot.poller import Poller
from services.notifier.pacing import TELEGRAM, Pace
from svitlo.clock import utc_now
from svitlo.db.session import Database
from tests.notifier.conftest import KYIV, World
from tests.support.telegram import FakeTelegram


@contextlib.asynccontextmanager
async def talking(
    database: Database, telegram: FakeTelegram, token: str | None = None, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[Poller]:
    """The bot at work; `clock` is what it takes for the time."""
    poller = Poller(
        token or telegram.token,
        Context(database=database, language="uk", zone=KYIV, clock=clock),
        Pace(TELEGRAM),
        api_url=telegram.url,
        timeout_s=10.0,
        poll_s=5,
        closed_s=0.2,
    )
    task = asyncio.create_task(poller.run())
    try:
        yield poller
    finally:
        task.cancel()
        await asyncio.wait([task])
        await poller.close()


async def followed(world: World, chat_id: int) -> list[str]:
    """The slugs of what a chat follows."""
    rows = await world.rows(
        "SELECT s.slug FROM subscriptions f JOIN chats c ON c.id = f.chat JOIN sites s ON s.id = f.site_id "
        "WHERE c.chat_id = :chat ORDER BY s.slug",
        chat=chat_id,
    )
    return [row.slug for row in rows]
