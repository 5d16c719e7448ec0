"""From the event log to deliveries: who is owed what, exactly once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from zoneinfo import ZoneInfo

from sqlalchemy import text

from services.notifier import owing
from services.notifier.news import is_news
from services.notifier.waiting import follow_rules
from svitlo.contracts import EventKind
from svitlo.db import log as event_log
from svitlo.db.session import Database

CONSUMER = "notifier"
FIRST = 200
"""Readers of one event who are served before the many others are written down."""
UTC = ZoneInfo("UTC")

_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(:key)")


class Planner:
    """Follows the log by its own position; a wake-up makes it look at once, else it looks every `poll_s`."""

    def __init__(
        self,
        database: Database,
        on_planned: Callable[[], None],
        *,
        zone: ZoneInfo = UTC,
        poll_s: float = 2.0,
        recheck_s: float = 0.05,
        batch: int = 200,
    ) -> None:
        self._database = database
        self._on_planned = on_planned
        self._zone = zone
        self._poll_s = poll_s
        self._recheck_s = recheck_s
        self._batch = batch
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There may be something new in the log."""
        self._wake.set()

    async def run(self) -> None:
        """Plan until cancelled. Raises `DatabaseUnavailableError`; running again goes on where it stopped."""
        pause = self._poll_s
        while True:
            if self._wake.is_set():
                # A wake-up may outrun the commit it announces: look again soon, then ever more seldom.
                pause = self._recheck_s
            self._wake.clear()
            if not await self.plan_batch() and not await self._woken(pause):
                pause = min(2 * pause, self._poll_s)

    async def plan_batch(self) -> bool:
        """Turn the next events into deliveries and move on, in one transaction; False if there are none.

        Of a single event that very many follow, the first are planned in a transaction before: they are told while the
        others are still being written down. Several processes take turns. The first time ever this begins at the end of
        the log: nobody is told old news.
        """
        planned = await self._plan_batch(FIRST)
        if planned is not None and planned.partly:
            self._on_planned()
            planned = await self._plan_batch(None)
        if planned is not None and planned.count:
            self._on_planned()
        return planned is not None

    async def _plan_batch(self, first: int | None) -> owing.Planned | None:
        """One transaction, which does not move on if it planned for the first only; None if there are no events."""
        async with self._database.transaction() as session:
            await session.execute(_TAKE_TURNS, {"key": owing.PLAN_LOCK})
            after = await event_log.offset(session, CONSUMER, start_at_end=True)
            events = await event_log.read(session, after, self._batch)
            if not events:
                return None
            news = [entry for entry in events if is_news(entry.event)]
            owed, revised = 0, {entry.seq for entry in news if entry.event.kind is EventKind.OUTAGE_REVISED}
            for run in owing.runs(news):
                if only := revised.intersection(run):
                    # A loss that waits for its length may prove to be long enough: it goes along with what says so.
                    await follow_rules(session, self._zone, sorted(only))
                planned = await owing.plan(session, run, self._zone, first=first if len(news) == 1 else None)
                if planned.partly:
                    return planned
                owed += planned.count
            await event_log.advance(session, CONSUMER, events[-1].seq)
        return owing.Planned(owed)

    async def _woken(self, timeout_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        return self._wake.is_set()
