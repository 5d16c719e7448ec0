"""What is kept back follows the rules its chat has now, for they may have been changed since it was owed."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.chats import CONSOLE
from services.notifier.owing import STARTED, rule_of, zone_of
from services.notifier.reach import nearest
from services.notifier.rules import Facts, keep_back
from services.notifier.views import RETRACTED
from svitlo.contracts import Cause, EventKind

UTC = ZoneInfo("UTC")

# What waits for the same with the same rules is one row. Mutes without an end may have kept very much: where one is
# what it was, nothing moves.
_HELD = text(f"""
SELECT array_agg(d.id) AS ids, e.kind, e.cause, {STARTED} AS started, d.not_before,
  f.chat IS NOT NULL AND i.removed_at IS NULL AS followed, f.timezone, f.kinds, f.min_minutes, f.quiet_from, f.quiet_to,
  f.quiet_mode, f.muted_until, now() AS now
FROM deliveries d JOIN chats c ON c.id = d.chat AND c.platform <> '{CONSOLE}'
JOIN power_events e ON e.seq = d.event_seq JOIN sites i ON i.id = e.site_id
LEFT JOIN outages o ON o.id = e.outage_id LEFT JOIN LATERAL {nearest("d.chat", "e.site_id")} f ON true
WHERE d.state = 'pending' AND d.not_before > now() AND d.claimed_until IS NULL
  AND (f.muted_until IS DISTINCT FROM d.not_before OR f.quiet_from IS NOT NULL OR i.removed_at IS NOT NULL)
GROUP BY 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
""")  # noqa: S608 - the only things put in are names of this package's

_MOVE = text("""
UPDATE deliveries d SET not_before = v.until, next_attempt_at = v.until, held = coalesce(v.held, d.held),
  silent = v.silent
FROM unnest(CAST(:ids AS bigint[]), CAST(:untils AS timestamptz[]), CAST(:helds AS text[]),
            CAST(:silents AS boolean[])) AS v (id, until, held, silent)
WHERE d.id = v.id AND d.state = 'pending' AND d.claimed_until IS NULL
""")

_DROP = text("""
UPDATE deliveries SET state = 'dropped', error = 'not followed any more'
WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'pending' AND claimed_until IS NULL
""")


async def follow_rules(session: AsyncSession, zone: ZoneInfo = UTC) -> int:
    """Move what is kept back to where the present rules of its chat would have it; returns how many moved.

    What its chat may not be told any more, because the place was removed or made private, is dropped. `zone` is that
    of chats which chose none.
    """
    moved: dict[str, list[Any]] = {name: [] for name in ("ids", "untils", "helds", "silents")}
    dropped: list[int] = []
    for row in (await session.execute(_HELD)).mappings():
        if not row["followed"]:
            dropped += row["ids"]
            continue
        tell = keep_back(rule_of(row), _facts(row), zone_of(row["timezone"], zone), row["now"])
        until = tell.not_before or row["now"]
        if until != row["not_before"]:
            count = len(row["ids"])
            moved["ids"] += row["ids"]
            moved["untils"] += [until] * count
            moved["helds"] += [tell.held.value if tell.held else None] * count
            moved["silents"] += [tell.silent] * count
    if dropped:
        await session.execute(_DROP, {"ids": dropped})
    if not moved["ids"]:
        return 0
    result: Any = await session.execute(_MOVE, moved)
    return int(result.rowcount)


def _facts(row: Any) -> Facts:
    kind = EventKind(row["kind"])
    retracted = kind is EventKind.OUTAGE_REVISED and Cause(row["cause"]) in RETRACTED
    return Facts(kind=kind, started=row["started"], retracted=retracted)
