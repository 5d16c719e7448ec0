"""The event log: appended once, read in order, nothing passed over."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from svitlo import registry
from svitlo.contracts import Cause, EventKind, PowerEvent
from svitlo.db import log
from svitlo.db.session import Database

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)


def event(number: int, rev: int = 1) -> PowerEvent:
    return PowerEvent(
        id=UUID(int=number),
        rev=rev,
        site="home",
        kind=EventKind.POWER_LOST,
        outage_id=UUID(int=1000 + number),
        occurred_lo=NOW,
        occurred_hi=NOW,
        detected_at=NOW,
        cause=Cause.PRESUMED,
        evidence=[],
    )


@pytest.fixture
async def site_id(database: Database) -> int:
    async with database.transaction() as session:
        return (await registry.add_site(session, "home", "Home")).id


async def numbers(database: Database, after: int = 0) -> list[int]:
    async with database.transaction() as session:
        return [entry.event.id.int for entry in await log.read(session, after)]


async def test_an_event_is_appended_exactly_once_and_a_revision_is_a_new_row(database: Database, site_id: int) -> None:
    async with database.transaction() as session:
        assert await log.append(session, site_id, event(1)) is not None
        assert await log.append(session, site_id, event(1)) is None
        assert await log.append(session, site_id, event(1, rev=2)) is not None
    assert await numbers(database) == [1, 1]


async def test_a_reader_never_passes_over_an_event_that_commits_late(database: Database, site_id: int) -> None:
    """Two writers: the first takes its position first and commits last. The second must wait for it."""
    started, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction() as session:
            await log.append(session, site_id, event(1))
            started.set()
            await finish.wait()

    async def quick() -> None:
        await started.wait()
        async with database.transaction() as session:
            await log.append(session, site_id, event(2))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(slow())
        second = tasks.create_task(quick())
        await started.wait()
        await asyncio.sleep(0.3)
        assert not second.done(), "the second writer must not overtake the first"
        assert await numbers(database) == []
        finish.set()
    assert await numbers(database) == [1, 2]


async def test_a_consumer_keeps_its_position_and_never_goes_back(database: Database, site_id: int) -> None:
    async with database.transaction() as session:
        await log.append(session, site_id, event(1))
        assert await log.offset(session, "old") == 0
        late = await log.offset(session, "late", start_at_end=True)
        await log.append(session, site_id, event(2))
        assert [entry.event.id.int for entry in await log.read(session, late)] == [2]
        await log.advance(session, "old", late)
        await log.advance(session, "old", 0)
        assert await log.offset(session, "old") == late
