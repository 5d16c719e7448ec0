"""What is kept back for people who may not be told any more: of a place that was removed, made private or let go."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.chats import CONSOLE
from services.notifier.reach import nearest

_DROP = text(f"""
UPDATE deliveries SET state = 'dropped', error = 'not followed any more'
WHERE id IN (
  SELECT d.id FROM deliveries d JOIN chats c ON c.id = d.chat AND c.platform <> '{CONSOLE}'
  JOIN power_events e ON e.seq = d.event_seq JOIN sites i ON i.id = e.site_id
  LEFT JOIN LATERAL {nearest("d.chat", "e.site_id")} f ON true
  WHERE d.state = 'pending' AND d.not_before > now() AND d.claimed_until IS NULL
    AND (f.chat IS NULL OR i.removed_at IS NOT NULL)
) AND state = 'pending' AND claimed_until IS NULL
""")  # noqa: S608 - the only things put in are names of this package's


async def drop_unfollowed(session: AsyncSession) -> int:
    """Drop what is kept back and may not be told any more; returns how many."""
    result: Any = await session.execute(_DROP)
    return int(result.rowcount)
