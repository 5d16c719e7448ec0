"""A small world: sites, chats, events in the log, and the notifier's parts put together with short waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from services.notifier import chats
from services.notifier.channels.base import Channel
from services.notifier.channels.telegram import TelegramChannel
from services.notifier.chats import Chat
from services.notifier.pacing import TELEGRAM, Pace, Rates, Retries
from services.notifier.planner import Planner
from services.notifier.sender import Patience, Sender
from svitlo import registry
from svitlo.contracts import Cause, EventKind, PowerEvent
from svitlo.db import log
from svitlo.db.session import Database
from svitlo.ids import uuid7
from tests.support.telegram import FakeTelegram
from tests.support.wait import eventually_async

KYIV = ZoneInfo("Europe/Kyiv")
QUICK = Patience(
    call_s=4.0, poll_s=0.2, closed_s=0.3, drain_s=5.0, retries=Retries(first_s=0.05, longest_s=0.2, give_up_s=60)
)


@dataclass
class World:
    """What a test says of the world; everything goes through the database."""

    database: Database
    outages: dict[str, UUID] = field(default_factory=dict)

    async def site(
        self, slug: str, name: str = "", *, public: bool = True, parent: str | None = None
    ) -> registry.SiteRow:
        async with self.database.transaction() as session:
            return await registry.add_site(session, slug, name or slug.title(), public=public, parent=parent)

    async def chat(self, chat_id: int, *follows: registry.SiteRow, language: str = "uk") -> Chat:
        async with self.database.transaction() as session:
            chat = await chats.meet(session, chats.TELEGRAM, chat_id, language)
            for site in follows:
                await chats.subscribe(session, chat.id, site.id)
            return chat

    async def event(
        self,
        site: registry.SiteRow,
        kind: EventKind = EventKind.POWER_LOST,
        *,
        ago: timedelta = timedelta(0),
        cause: Cause = Cause.PRESUMED,
        **details: Any,
    ) -> int:
        """Append an event detected `ago`; all but a loss belong to the site's latest loss, if there was one."""
        now = datetime.now(UTC) - ago
        if kind is EventKind.POWER_LOST:
            self.outages[site.slug] = uuid7(now)
        event = PowerEvent(
            id=uuid7(now),
            rev=1,
            site=site.slug,
            kind=kind,
            outage_id=self.outages.get(site.slug) or uuid7(now),
            occurred_lo=now - timedelta(seconds=5),
            occurred_hi=now - timedelta(seconds=1),
            detected_at=now,
            cause=cause,
            evidence=[],
            **details,
        )
        async with self.database.transaction() as session:
            seq = await log.append(session, site.id, event)
        assert seq is not None
        return seq

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        async with self.database.transaction() as session:
            return list(await session.execute(text(sql), values))

    async def run(self, sql: str, **values: Any) -> None:
        async with self.database.transaction() as session:
            await session.execute(text(sql), values)

    async def deliveries(self, chat_id: int) -> list[tuple[str, str | None]]:
        """State and error of each delivery of a chat, oldest event first."""
        rows = await self.rows(
            "SELECT d.state, d.error FROM deliveries d JOIN chats c ON c.id = d.chat "
            "WHERE c.chat_id = :chat ORDER BY d.event_seq",
            chat=chat_id,
        )
        return [(row.state, row.error) for row in rows]

    async def states(self, chat_id: int) -> list[str]:
        return [state for state, _ in await self.deliveries(chat_id)]

    async def begin(self) -> None:
        """Let the planner find its place in the log."""
        await Planner(self.database, lambda: None).plan_batch()

    async def plan(self) -> None:
        """Turn the whole log into deliveries."""
        planner = Planner(self.database, lambda: None, zone=KYIV)
        while await planner.plan_batch():
            pass


async def until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """Wait for a condition, awaited if it is a coroutine, and return its value."""
    return await eventually_async(condition, timeout_s)


async def all_sent(world: World, *chats: int) -> bool:
    """Whether the chats were owed something and all of it was sent, alone or with others in one message."""
    found = [{*await world.states(chat)} for chat in chats]
    return all("sent" in states and states <= {"sent", "merged"} for states in found)


@pytest.fixture
async def world(database: Database) -> World:
    made = World(database)
    await made.begin()
    return made


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as server:
        yield server


@contextlib.asynccontextmanager
async def sending(
    world: World, channel: Channel, *, rates: Rates = TELEGRAM, patience: Patience = QUICK
) -> AsyncIterator[Sender]:
    """A sender at work."""
    sender = Sender(world.database, channel, Pace(rates), KYIV, patience=patience)
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        task.cancel()
        await asyncio.wait([task])
        await sender.drain()


@contextlib.asynccontextmanager
async def notifying(
    world: World, telegram: FakeTelegram, *, rates: Rates = TELEGRAM, patience: Patience = QUICK
) -> AsyncIterator[Planner]:
    """Planner and sender at work, as the service joins them, over the real Telegram client."""
    channel = TelegramChannel(telegram.token, telegram.url, timeout_s=patience.call_s)
    try:
        async with sending(world, channel, rates=rates, patience=patience) as sender:
            planner = Planner(world.database, sender.wake, zone=KYIV, poll_s=0.2, recheck_s=0.02)
            task = asyncio.create_task(planner.run())
            try:
                yield planner
            finally:
                task.cancel()
                await asyncio.wait([task])
    finally:
        await channel.close()
