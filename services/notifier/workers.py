"""Several notifiers at work: who is there, each one's share of the rate, the shared flood wait, the one who polls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.pacing import Pace
from svitlo.db.listen import Listener
from svitlo.db.session import Database
from svitlo.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[None, None, None]]

POLL_LOCK = 0x5117_0007
BEAT_S = 2.0
GONE_AFTER_S = 8.0
"""A process that was not seen for so long has left its share to the others."""

SHARE_S = GONE_AFTER_S - 2.0
"""For so long after a beat a process may use its share: what it sends last is told before the others take it over."""

_BEAT = text("""
INSERT INTO notifier_workers (instance, seen_at) VALUES (:instance, now())
ON CONFLICT (instance) DO UPDATE SET seen_at = now()
""")

_COUNT = text("""
SELECT count(*) FROM notifier_workers
WHERE instance NOT LIKE 'flood %' AND seen_at > now() - make_interval(secs => CAST(:gone_s AS float8))
""")

_FORGET = text("""
DELETE FROM notifier_workers WHERE instance = :instance OR seen_at < now() - interval '1 hour'
""")

# The end of a flood wait is kept as a worker that is seen in the future.
_FLOOD = text("""
INSERT INTO notifier_workers AS w (instance, seen_at)
VALUES ('flood ' || CAST(:platform AS text), now() + make_interval(secs => CAST(:wait_s AS float8)))
ON CONFLICT (instance) DO UPDATE SET seen_at = greatest(w.seen_at, excluded.seen_at)
""")

_FLOOD_LEFT = text("""
SELECT CAST(extract(epoch FROM seen_at - now()) AS float8) FROM notifier_workers
WHERE instance = 'flood ' || CAST(:platform AS text) AND seen_at > now()
""")


async def flood(session: AsyncSession, platform: str, wait_s: float) -> None:
    """Let nobody send over this platform for `wait_s`."""
    await session.execute(_FLOOD, {"platform": platform, "wait_s": wait_s})


async def tell_flood(database: Database, platform: str, wait_s: float) -> None:
    """As `flood`, in a transaction of its own; while the database is away only this process waits."""
    with contextlib.suppress(DatabaseUnavailableError):
        async with database.transaction() as session:
            await flood(session, platform, wait_s)


async def flood_left(session: AsyncSession, platform: str) -> float:
    """Seconds for which nobody may send."""
    return float((await session.execute(_FLOOD_LEFT, {"platform": platform})).scalar_one_or_none() or 0.0)


async def beat(session: AsyncSession, instance: str) -> int:
    """Say that this process is at work; returns how many are, it among them."""
    await session.execute(_BEAT, {"instance": instance})
    return int((await session.execute(_COUNT, {"gone_s": GONE_AFTER_S})).scalar_one())


async def leave(session: AsyncSession, instance: str) -> None:
    """Say that this process is at work no more."""
    await session.execute(_FORGET, {"instance": instance})


class Share:
    """Keeps a process's part of the rate: one of as many as are at work."""

    def __init__(self, database: Database, pace: Pace, instance: str, *, beat_s: float = BEAT_S) -> None:
        self._database = database
        self._pace = pace
        self._instance = instance
        self._beat_s = beat_s

    async def run(self) -> None:
        """Beat until cancelled. Raises `DatabaseUnavailableError`; running again goes on."""
        first = True
        while True:
            began = time.monotonic()
            async with self._database.transaction() as session:
                count = await beat(session, self._instance)
            if first and count > 1:
                # The others know of us by their next beat; until then they use the whole rate.
                self._pace.flood(time.monotonic(), 1.5 * self._beat_s)
            first = False
            self._pace.share(count, began + SHARE_S)
            await asyncio.sleep(self._beat_s)


async def alone(database_url: str, key: int, work: Work, *, look_s: float = 1.0) -> None:
    """Run `work` while this process holds the lock, and stand by until then.

    The lock goes with its connection: a killed process is followed within `look_s`, a vanished machine within 25 s.
    Returns when the connection is lost. Raises `DatabaseUnavailableError`.
    """
    async with Listener(database_url) as listener:
        said = False
        while not await listener.try_lock(key):
            if not said:
                log.info("another process polls; standing by")
                said = True
            await asyncio.sleep(look_s)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work(), name="alone")
            await listener.watch()
            task.cancel()
