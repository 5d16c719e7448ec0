"""What the notifier keeps no longer: messages that are done with, and what nobody came back for.

Deleted in small parts, so that nothing has to wait. A message stays while its outage may still be news: whoever was
told of the loss is told of the return, and of a correction.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.broadcasts import BROADCAST
from svitlo.db.session import Database

KEPT = timedelta(days=90)
"""After it was sent or given up, and after the end of its outage."""
EVERY_S = 3600.0
PART = 1000
"""Deliveries looked at in one transaction."""
PAUSE_S = 0.2
"""Between two of them."""

# Keys grow with time, so the old are read in the order of the key and those behind the first young one are not. What
# somebody else holds just now is left for the next time.
_DELIVERIES = text("""
WITH part AS (
  SELECT d.id, d.created_at < now() - CAST(:kept AS interval) AS old FROM deliveries d
  WHERE d.id > :after ORDER BY d.id LIMIT :part
), done AS (
  SELECT d.id FROM part p JOIN deliveries d ON d.id = p.id
  LEFT JOIN power_events e ON e.seq = d.event_seq LEFT JOIN outages o ON o.id = e.outage_id
  WHERE p.old AND d.state <> 'pending' AND coalesce(d.sent_at < now() - CAST(:kept AS interval), true)
    AND (o.id IS NULL OR o.retracted_at IS NOT NULL OR o.ended_hi < now() - CAST(:kept AS interval))
  FOR UPDATE OF d SKIP LOCKED
), gone AS (
  DELETE FROM deliveries d USING done WHERE d.id = done.id RETURNING d.id
)
SELECT max(p.id) AS last, coalesce(bool_and(p.old), false) AND count(*) = :part AS more,
  (SELECT count(*) FROM gone) AS deleted FROM part p
""")

_LEFT_BEHIND = (
    # Once the last message of it is gone; until then it says how far it came.
    text(f"""
DELETE FROM broadcasts b WHERE b.created_at < now() - CAST(:kept AS interval)
  AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.kind = '{BROADCAST}' AND d.dedupe_key = '{BROADCAST}:' || b.id)
"""),  # noqa: S608 - a constant of ours
    text("DELETE FROM chores WHERE ends_at < now() - CAST(:kept AS interval)"),
    text("DELETE FROM conversations WHERE expires_at < now() - interval '1 day'"),
    text("DELETE FROM invitations WHERE expires_at < now() - interval '1 day'"),
    # Of processes that were killed.
    text("DELETE FROM notifier_workers WHERE seen_at < now() - interval '1 day'"),
)


@dataclass(frozen=True)
class Part:
    """How many deliveries of a part were deleted, where it ended, and whether there may be older ones behind it."""

    deleted: int
    last: int
    more: bool


class Retention:
    """Deletes what is past its time, every `every_s`."""

    def __init__(
        self, database: Database, *, part: int = PART, every_s: float = EVERY_S, pause_s: float = PAUSE_S
    ) -> None:
        self._database = database
        self._part = part
        self._every_s = every_s
        self._pause_s = pause_s

    async def run(self) -> None:
        """Until cancelled. Raises `DatabaseUnavailableError`; running again begins anew."""
        while True:
            await self.sweep()
            await asyncio.sleep(self._every_s)

    async def sweep(self) -> int:
        """Delete all that is past its time; returns how many deliveries that were."""
        deleted, found = 0, Part(0, 0, True)
        while found.more:
            async with self._database.transaction() as session:
                found = await delete_deliveries(session, found.last, self._part)
            deleted += found.deleted
            await asyncio.sleep(self._pause_s if found.more else 0)
        async with self._database.transaction() as session:
            await delete_left_behind(session)
        return deleted


async def delete_deliveries(session: AsyncSession, after: int, part: int = PART) -> Part:
    """Delete those past their time among the next `part` deliveries behind the key `after`."""
    row: Any = (await session.execute(_DELIVERIES, {"after": after, "part": part, "kept": KEPT})).one()
    return Part(row.deleted, row.last or after, row.more)


async def delete_left_behind(session: AsyncSession) -> None:
    """Delete broadcasts, conversations, invitations and the like that nobody needs any more."""
    for statement in _LEFT_BEHIND:
        await session.execute(statement, {"kept": KEPT} if "kept" in statement.compile().params else {})
