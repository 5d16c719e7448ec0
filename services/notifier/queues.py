"""SQL of the alerts that chats are owed by now, each with all that is known of it as it is sent.

Within the caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.rules import Held
from services.notifier.storm import Queued
from services.notifier.views import Alert
from svitlo.contracts import Cause, EventKind, Flapping

MOST_TOGETHER = 500
"""Alerts of a chat looked at together."""

_QUEUES = text("""
SELECT d.chat, d.id, d.silent, d.held, d.maybe_told, e.site_id, e.outage_id, e.kind, e.cause,
  p.name AS parent, s.name AS place, e.occurred_lo, e.occurred_hi, e.detected_at,
  CASE WHEN d.held IS NOT NULL THEN d.not_before END AS held_until,
  coalesce(o.started_lo, (SELECT l.occurred_lo FROM power_events l
    WHERE l.outage_id = e.outage_id AND l.kind = 'power_lost' ORDER BY l.seq DESC LIMIT 1)) AS outage_started,
  o.ended_hi AS outage_ended, o.retracted_at IS NOT NULL AS never,
  d.held IS NOT NULL AND e.kind = 'power_lost' AND EXISTS (SELECT FROM power_events l
    JOIN deliveries t ON t.event_seq = l.seq AND t.chat = d.chat AND t.state IN ('sent', 'merged')
    WHERE l.outage_id = e.outage_id
      AND (l.kind = 'power_restored' OR l.details->'flapping'->>'power' = 'on')) AS end_told,
  (SELECT b.at FROM (
    SELECT max(b.ended_hi) AS at FROM outages b WHERE b.site_id = e.site_id AND b.id <> e.outage_id
      AND NOT b.momentary AND b.retracted_at IS NULL AND b.ended_hi <= e.occurred_lo) b
    WHERE NOT EXISTS (SELECT 1 FROM observation_gaps g WHERE g.ended_at > b.at AND g.started_at < e.occurred_lo
      AND g.ended_at - g.started_at > interval '1 minute')) AS power_since,
  CASE WHEN e.kind = 'outage_revised' THEN (SELECT CASE WHEN n.kind = 'power_lost' THEN n.occurred_lo END
    FROM power_events n LEFT JOIN outages w ON w.id = n.outage_id
    WHERE n.site_id = e.site_id AND n.outage_id <> e.outage_id AND n.kind IN ('power_lost', 'power_restored')
      AND w.retracted_at IS NULL ORDER BY n.seq DESC LIMIT 1) END AS off_since,
  coalesce(CAST(e.details->>'reconstructed' AS boolean), false) AS reconstructed,
  CAST(e.details->'flapping' AS text) AS flapping,
  CAST(e.details->'area'->>'id' AS uuid) AS area, coalesce(CAST(e.details->'area'->>'sites' AS int), 0) AS area_sites
FROM unnest(CAST(:chats AS int[])) AS claimed (chat)
CROSS JOIN LATERAL (
  SELECT q.* FROM deliveries q WHERE q.chat = claimed.chat AND q.state = 'pending' AND q.event_seq IS NOT NULL
    AND (q.not_before IS NULL OR q.not_before <= now()) ORDER BY q.id LIMIT :most
) d
JOIN power_events e ON e.seq = d.event_seq
JOIN sites s ON s.id = e.site_id
LEFT JOIN sites p ON p.id = s.parent_id
  AND (p.public OR EXISTS (SELECT 1 FROM subscriptions f WHERE f.chat = d.chat AND f.site_id = p.id))
LEFT JOIN outages o ON o.id = e.outage_id
ORDER BY d.chat, d.id
""")

# Of the places beside these: how many have a known power, and how many are off.
_AROUND = text("""
SELECT s.id, count(*) AS others, count(*) FILTER (WHERE t.power = 'off') AS others_off
FROM sites s JOIN sites p ON p.id = s.parent_id JOIN sites k ON k.parent_id = p.id AND k.id <> s.id
  AND k.removed_at IS NULL AND (k.public OR NOT p.public)
JOIN site_state t ON t.site_id = k.id AND t.power IN ('on', 'off')
WHERE s.id = ANY(CAST(:sites AS int[])) GROUP BY s.id
""")


async def queues_of(session: AsyncSession, chats: Sequence[int]) -> dict[int, tuple[list[Queued], bool]]:
    """By chat the alerts it is owed by now, oldest first, and whether all of them are to make no sound."""
    if not chats:
        return {}
    queues: dict[int, tuple[list[Queued], bool]] = defaultdict(lambda: ([], True))
    for row in (await session.execute(_QUEUES, {"chats": list(chats), "most": MOST_TOGETHER})).mappings():
        queue, silent = queues[row["chat"]]
        queue.append(_queued(dict(row)))
        queues[row["chat"]] = (queue, silent and row["silent"])
    await _look_around(session, [queue for queue, _ in queues.values()])
    return queues


async def _look_around(session: AsyncSession, queues: Sequence[list[Queued]]) -> None:
    """Put into queues that are about one place how it is beside that place."""
    alone = [queue for queue in queues if len({item.site_id for item in queue}) == 1 and queue[0].parent is not None]
    if not alone:
        return
    sites = {queue[0].site_id for queue in alone}
    rows = await session.execute(_AROUND, {"sites": list(sites)})
    around = {row.id: {"others": row.others, "others_off": row.others_off} for row in rows}
    for queue in alone:
        found = around.get(queue[0].site_id, {})
        queue[:] = [replace(item, alert=replace(item.alert, **found)) for item in queue]


def _queued(row: dict[str, Any]) -> Queued:
    row["kind"], row["cause"] = EventKind(row["kind"]), Cause(row["cause"])
    row["flapping"] = msgspec.json.decode(row["flapping"], type=Flapping) if row["flapping"] else None
    held = Held(row["held"]) if row["held"] else None
    row["above"] = row["parent"]
    alert = Alert(**{name: row[name] for name in Alert.__dataclass_fields__ if name in row})
    names = ("id", "site_id", "outage_id", "parent", "area", "maybe_told", "never", "end_told")
    own = {name: row[name] for name in names}
    return Queued(**own, held=held, alert=alert)
