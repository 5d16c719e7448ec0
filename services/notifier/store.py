"""SQL of what is owed: from the log to deliveries, and what became of each.

Every function works inside the caller's transaction; the database's clock decides.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.chats import CONSOLE
from services.notifier.views import Alert
from svitlo.contracts import Cause, EventKind, Flapping

# A correction goes to those only who were told something of its outage before, or are by this same plan: all news of
# one outage has the same readers.
_PLAN = text("""
INSERT INTO deliveries (event_seq, chat, state, attempts)
SELECT e.seq, c.id, 'pending', 0
FROM power_events e
JOIN chats c ON c.active AND (c.platform = :console
  OR EXISTS (SELECT 1 FROM subscriptions s WHERE s.chat = c.id AND s.site_id = e.site_id))
WHERE e.seq = ANY(CAST(:news AS bigint[])) AND (e.kind <> :revised
  OR EXISTS (SELECT 1 FROM power_events p
    WHERE p.outage_id = e.outage_id AND p.kind <> :revised AND p.seq = ANY(CAST(:news AS bigint[])))
  OR EXISTS (SELECT 1 FROM power_events p JOIN deliveries d ON d.event_seq = p.seq
    WHERE p.outage_id = e.outage_id AND d.chat = c.id AND d.state IN ('pending', 'sent')))
ORDER BY e.seq, c.id
ON CONFLICT (event_seq, chat) DO NOTHING
""")

# Only the oldest pending delivery of a chat is ever claimed, which keeps each chat's order.
_CLAIM = text("""
WITH due AS (
  SELECT d.id FROM deliveries d JOIN chats c ON c.id = d.chat
  WHERE d.state = 'pending' AND d.next_attempt_at <= now()
    AND (d.claimed_until IS NULL OR d.claimed_until < now())
    AND c.platform = :platform AND c.active AND d.chat <> ALL(CAST(:held AS int[]))
    AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.chat = d.chat AND p.state = 'pending' AND p.id < d.id)
  ORDER BY d.next_attempt_at, d.id LIMIT :room
  FOR UPDATE OF d SKIP LOCKED
), claimed AS (
  UPDATE deliveries d
  SET claimed_until = now() + make_interval(secs => CAST(:lease_s AS float8)), attempts = d.attempts + 1
  FROM due WHERE d.id = due.id
  RETURNING d.id, d.event_seq, d.chat, d.attempts, d.created_at
)
SELECT q.id, q.chat, c.chat_id, c.language, q.attempts,
       CAST(extract(epoch FROM now() - q.created_at) AS float8) AS age_s,
       e.kind, e.cause, s.name AS place, e.occurred_lo, e.occurred_hi, e.detected_at,
       coalesce(o.started_lo, (SELECT l.occurred_lo FROM power_events l
         WHERE l.outage_id = e.outage_id AND l.kind = 'power_lost' ORDER BY l.seq DESC LIMIT 1)) AS outage_started,
       o.ended_hi AS outage_ended,
       (SELECT max(b.ended_hi) FROM outages b WHERE b.site_id = e.site_id AND b.id <> e.outage_id
         AND NOT b.momentary AND b.retracted_at IS NULL AND b.ended_hi <= e.occurred_lo) AS power_since,
       coalesce(CAST(e.details->>'reconstructed' AS boolean), false) AS reconstructed,
       CAST(e.details->'flapping' AS text) AS flapping
FROM claimed q
JOIN chats c ON c.id = q.chat
JOIN power_events e ON e.seq = q.event_seq
JOIN sites s ON s.id = e.site_id
LEFT JOIN outages o ON o.id = e.outage_id
ORDER BY q.id
""")

_NEXT_DUE = text("""
SELECT CAST(extract(epoch FROM
  min(greatest(d.next_attempt_at, coalesce(d.claimed_until, d.next_attempt_at))) - now()) AS float8)
FROM deliveries d JOIN chats c ON c.id = d.chat
WHERE d.state = 'pending' AND c.platform = :platform AND c.active AND d.chat <> ALL(CAST(:held AS int[]))
  AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.chat = d.chat AND p.state = 'pending' AND p.id < d.id)
""")

_SENT = text("""
UPDATE deliveries SET state = 'sent', sent_at = now(), message_id = :message_id, text = :text,
  claimed_until = NULL, error = NULL WHERE id = :id AND state = 'pending'
""")

_RETRY = text("""
UPDATE deliveries SET next_attempt_at = now() + make_interval(secs => CAST(:delay_s AS float8)),
  claimed_until = NULL, error = :error WHERE id = :id AND state = 'pending'
""")

_FAIL = text("""
UPDATE deliveries SET state = 'failed', claimed_until = NULL, error = :error WHERE id = :id AND state = 'pending'
""")


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A delivery that is ours to make until the lease ends."""

    id: int
    chat: int
    chat_id: int
    language: str
    attempts: int
    age_s: float
    alert: Alert


async def plan(session: AsyncSession, news: Sequence[int]) -> int:
    """Write down to whom the events at these positions are owed; returns how many deliveries are new."""
    values = {"news": list(news), "console": CONSOLE, "revised": EventKind.OUTAGE_REVISED.value}
    return _count(await session.execute(_PLAN, values))


async def claim(
    session: AsyncSession, platform: str, room: int, held: Collection[int], lease_s: float
) -> list[Claimed]:
    """Claim up to `room` due deliveries, at most one a chat and none of the chats in `held`."""
    values = {"platform": platform, "room": room, "held": list(held), "lease_s": lease_s}
    return [_claimed(dict(row)) for row in (await session.execute(_CLAIM, values)).mappings()]


async def next_due(session: AsyncSession, platform: str, held: Collection[int]) -> float | None:
    """Seconds until a delivery falls due (negative: overdue), the chats in `held` left out; None if none will."""
    result = await session.execute(_NEXT_DUE, {"platform": platform, "held": list(held)})
    seconds: float | None = result.scalar_one()
    return seconds


async def mark_sent(session: AsyncSession, delivery: int, message_id: int | None, said: str) -> None:
    """The delivery is made; keep what was said."""
    await session.execute(_SENT, {"id": delivery, "message_id": message_id, "text": said})


async def retry(session: AsyncSession, delivery: int, delay_s: float, error: str) -> None:
    """Give the delivery back, due again in `delay_s`."""
    await session.execute(_RETRY, {"id": delivery, "delay_s": delay_s, "error": error[:300]})


async def fail(session: AsyncSession, delivery: int, error: str) -> None:
    """The delivery will not be tried again."""
    await session.execute(_FAIL, {"id": delivery, "error": error[:300]})


def _claimed(row: dict[str, Any]) -> Claimed:
    own = {name: row.pop(name) for name in ("id", "chat", "chat_id", "language", "attempts", "age_s")}
    row["kind"], row["cause"] = EventKind(row["kind"]), Cause(row["cause"])
    row["flapping"] = msgspec.json.decode(row["flapping"], type=Flapping) if row["flapping"] else None
    return Claimed(**own, alert=Alert(**row))


def _count(result: Any) -> int:
    """How many rows a statement changed."""
    count: int = result.rowcount
    return count
