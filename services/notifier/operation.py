"""SQL of the state of operation: chats, queue, failures, and the boards somebody may see."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.chats import CONSOLE
from services.notifier.views.admins import Operation, Silence

REASONS = 5

_CHATS = text("""
SELECT count(*) FILTER (WHERE active) AS chats, count(*) FILTER (WHERE NOT active) AS blocked
FROM chats WHERE platform <> :console
""")

_QUEUE = text("""
SELECT count(*) AS queued, CAST(extract(epoch FROM now() - min(d.created_at)) AS float8) AS oldest_s
FROM deliveries d JOIN chats c ON c.id = d.chat AND c.active
WHERE d.state = 'pending' AND (d.not_before IS NULL OR d.not_before <= now())
""")

_FAILURES = text("""
SELECT coalesce(error, '?') AS reason, count(*) AS times FROM deliveries
WHERE state = 'failed' AND created_at > now() - interval '2 days' AND next_attempt_at > now() - interval '1 day'
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :limit
""")

# A board of several places is told of once.
_BOARDS = text("""
SELECT d.id AS device, min(s.name) AS place, d.last_seen_at,
  coalesce(d.last_seen_at < now() - make_interval(secs => greatest(3 * coalesce(d.interval_s, 10), 30)), true) AS late
FROM devices d
JOIN site_devices sd ON sd.device_id = d.id AND sd.site_id = ANY(CAST(:seen AS int[]))
JOIN sites s ON s.id = sd.site_id AND s.removed_at IS NULL
WHERE d.removed_at IS NULL GROUP BY d.id ORDER BY d.last_seen_at NULLS FIRST, d.id
""")


async def operation(session: AsyncSession, seen: frozenset[int]) -> Operation:
    """How things stand; of boards those of the places `seen`, the silent ones first."""
    chats = (await session.execute(_CHATS, {"console": CONSOLE})).one()
    queue = (await session.execute(_QUEUE)).one()
    failures = await session.execute(_FAILURES, {"limit": REASONS})
    boards = await session.execute(_BOARDS, {"seen": list(seen)})
    return Operation(
        chats=chats.chats,
        blocked=chats.blocked,
        queued=queue.queued,
        oldest_s=queue.oldest_s,
        failures=tuple((row.reason, row.times) for row in failures),
        boards=tuple(Silence(**row) for row in boards.mappings()),
    )
