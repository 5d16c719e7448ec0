"""What is owed and not yet sent follows the rules of its chat, which may change until then.

A mute begins, ends or grows longer, quiet hours are set otherwise or begin while Telegram is away, an outage proves to
be older: what waits is moved to where `rules` would have it now, and what would ring makes no sound where it must not.
What a chat was owed stays owed: wishes changed afterwards take nothing back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.owing import NEWS, TOLD, facts_of, rule_of, zone_of
from services.notifier.reach import followers
from services.notifier.rules import Held, Tell, decide

# `only`: what waits for an outage to last that these events revise.
_WAITS = """d.state = 'pending' AND d.event_seq IS NOT NULL AND coalesce(d.claimed_until < now(), true)
  AND (CAST(:only AS bigint[]) IS NULL OR (d.held = 'long' AND d.not_before > now() AND EXISTS (
    SELECT FROM power_events l JOIN power_events n ON n.outage_id = l.outage_id
    WHERE l.seq = d.event_seq AND n.seq = ANY(CAST(:only AS bigint[])))))"""

# Alerts of chats with the same rules are one row, as when they were planned; each is looked up by itself, as there.
_WAITING = text(f"""
WITH RECURSIVE waiting AS (SELECT d.event_seq AS seq, d.chat FROM deliveries d WHERE {_WAITS}
), news AS ({NEWS} WHERE e.seq IN (SELECT w.seq FROM waiting w)
), {followers("news", "seq", of="s.chat IN (SELECT w.chat FROM waiting w)")}
SELECT g.*, n.kind, n.cause, n.power, n.started, n.ended, now() AS now
FROM (
  SELECT r.seq, r.timezone, r.kinds, r.min_minutes, r.quiet_from, r.quiet_to, r.quiet_mode, r.muted_until,
    {TOLD} AS told, w.silent, w.until, w.held, array_agg(w.id) AS ids
  FROM followers r JOIN news n ON n.seq = r.seq CROSS JOIN LATERAL (
    SELECT d.id, d.silent, d.held, CASE WHEN d.not_before > now() THEN d.not_before END AS until
    FROM deliveries d WHERE d.event_seq = r.seq AND d.chat = r.chat AND {_WAITS} OFFSET 0) w
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
) g JOIN news n ON n.seq = g.seq
""")  # noqa: S608 - the only things put in are names of this package's

# What is let go keeps the reason for which it waited: it is not late for that. What another process moves or claims
# just now is left to it.
_MOVE = text("""
UPDATE deliveries d SET silent = v.silent, held = coalesce(v.held, d.held),
  not_before = coalesce(v.not_before, CASE WHEN d.not_before > now() THEN now() ELSE d.not_before END),
  next_attempt_at = coalesce(v.not_before, CASE WHEN d.not_before > now() THEN now() ELSE d.next_attempt_at END)
FROM unnest(CAST(:ids AS bigint[]), CAST(:silents AS boolean[]), CAST(:not_befores AS timestamptz[]),
            CAST(:helds AS text[])) AS v (id, silent, not_before, held)
WHERE d.id = v.id AND d.id IN (
  SELECT q.id FROM deliveries q WHERE q.id = ANY(CAST(:ids AS bigint[])) AND q.state = 'pending'
    AND coalesce(q.claimed_until < now(), true) ORDER BY q.id FOR UPDATE SKIP LOCKED)
""")


async def follow_rules(session: AsyncSession, zone: ZoneInfo, only: Sequence[int] | None = None) -> int:
    """Move what waits to where the present rules of its chat would have it; returns how many moved.

    With `only`, no more than what these events tell anew of. `zone` is that of chats which chose none.
    """
    moved: dict[str, list[Any]] = {name: [] for name in ("ids", "silents", "not_befores", "helds")}
    for row in (await session.execute(_WAITING, {"only": None if only is None else list(only)})).mappings():
        tell = decide(rule_of(row), facts_of(row), zone_of(row["timezone"], zone), row["now"])
        if tell is None or (tell.silent, tell.not_before) == (row["silent"], row["until"]):
            continue
        if row["until"] is None and _waited_out(row, tell):
            continue
        count = len(row["ids"])
        moved["ids"] += row["ids"]
        moved["silents"] += [tell.silent] * count
        moved["not_befores"] += [tell.not_before] * count
        moved["helds"] += [tell.held.value if tell.held else None] * count
    if not moved["ids"]:
        return 0
    result: Any = await session.execute(_MOVE, moved)
    return int(result.rowcount)


def _waited_out(row: Any, tell: Tell) -> bool:
    """Whether what is due need not wait for that again.

    Its outage was long enough once; quiet hours of the whole day end and begin at the same moment.
    """
    if tell.held is Held.QUIET:
        return bool(row["held"] == Held.QUIET and row["quiet_from"] == row["quiet_to"])
    return tell.held is Held.LONG
