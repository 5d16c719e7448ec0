"""SQL of planning: to whom the news are owed, and how. Each statement serves any number of chats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.chats import CONSOLE
from services.notifier.reach import followers
from services.notifier.rules import UNSTABLE, Facts, Quiet, Rule, decide
from services.notifier.views import RETRACTED
from svitlo.contracts import Cause, EventKind, PowerState
from svitlo.db.log import LoggedEvent

PLAN_LOCK = 0x5117_0008
MANY = 5
"""Readers are many when they are so many times the first."""

_NEVER = ", ".join(f"'{cause.value}'" for cause in RETRACTED)

NEWS = """
  SELECT e.seq, e.kind, e.cause, e.site_id, e.outage_id, e.occurred_hi, e.details->'flapping'->>'power' AS power,
    CASE WHEN e.kind = 'power_lost' THEN o.ended_hi WHEN e.kind = 'power_restored'
      OR e.details->'flapping'->>'power' = 'on' THEN e.occurred_hi END AS ended,
    coalesce(o.started_lo, (SELECT min(l.occurred_lo) FROM power_events l
      WHERE l.outage_id = e.outage_id AND l.kind = 'power_lost'), e.occurred_lo) AS started,
    coalesce(o.detected_at, (SELECT min(l.detected_at) FROM power_events l
      WHERE l.outage_id = e.outage_id AND l.kind = 'power_lost')) AS shown_from,
    coalesce((SELECT min(l.detected_at) FROM power_events l
      WHERE l.outage_id = e.outage_id AND l.kind = 'power_restored'), e.detected_at) AS shown_until
  FROM power_events e LEFT JOIN outages o ON o.id = e.outage_id"""
"""What the rules look at in events, to be put into others; the place showed the outage between the last two."""

# An alert counts, or whatever else said that the power is off: a reminder, the answer to whoever began to follow then.
_TOLD_OF_OUTAGE = f"""
  SELECT CASE WHEN t.told < 2 AND (n.shown_from <= r.shown_at AND r.shown_at < n.shown_until OR EXISTS (
      SELECT FROM deliveries d WHERE d.chat = r.chat AND d.kind = 'reminder'
        AND d.payload->>'outage' = CAST(n.outage_id AS text)
        AND (d.state IN ('sent', 'merged') OR d.claimed_until > now()))) THEN 2 ELSE t.told END
  FROM (SELECT coalesce(max(CASE WHEN d.state = 'pending' AND d.not_before > now() THEN 1 ELSE 2 END), 0) AS told
    FROM power_events p JOIN deliveries d ON d.event_seq = p.seq AND d.chat = r.chat
    WHERE p.outage_id = n.outage_id AND p.seq <> n.seq AND p.kind <> '{EventKind.OUTAGE_REVISED.value}'
      AND d.state IN ('pending', 'sent', 'merged')) t"""  # noqa: S608 - a constant of ours

# The newest that said how the power is there; flicker says that it may be off.
_TOLD_OFF = f"""
  SELECT CASE WHEN p.kind IN ('{EventKind.POWER_LOST.value}', '{EventKind.UNSTABLE.value}')
      OR p.details->'flapping'->>'power' <> 'on' THEN 2 ELSE 0 END
  FROM power_events p JOIN deliveries d ON d.event_seq = p.seq AND d.chat = r.chat
  WHERE p.site_id = n.site_id AND p.seq < n.seq AND d.state IN ('pending', 'sent', 'merged')
    AND (d.state = 'pending' AND d.held = 'long' AND d.not_before > now()) IS NOT TRUE
    AND (p.kind <> '{EventKind.OUTAGE_REVISED.value}' OR p.cause IN ({_NEVER}))
  ORDER BY p.seq DESC LIMIT 1"""  # noqa: S608 - constants of ours

TOLD = f"""CASE
  WHEN n.kind = '{EventKind.OUTAGE_REVISED.value}'
    OR (n.kind = '{EventKind.POWER_RESTORED.value}' AND r.min_minutes > 0) THEN ({_TOLD_OF_OUTAGE})
  WHEN n.kind = '{EventKind.STABLE.value}' AND NOT '{UNSTABLE}' = ANY(r.kinds) THEN coalesce(({_TOLD_OFF}), 0)
  ELSE 0 END"""
"""What the chat `r.chat` was told before of what the news `n` are about, to be put into others: 0 nothing, 1 what is
kept back as yet, 2 something. It is looked at only where the rules ask for it."""

_WAITS = "s.chat IN (SELECT k.chat FROM deliveries k WHERE k.state = 'pending' AND k.not_before > now())"

# What waited whether an outage would last, or for the end of quiet hours, and never was: nothing is said of it. The
# same for a loss that had to last some minutes and did not, and what refined it. Done first: whatever is pending
# afterwards will be told. What sums up flicker stays: it may be all that tells how the power is. Deliveries are looked
# up one by one (hence the offset): where thousands wait at once the planner of the database does not know of it yet.
_WITHDRAW = text(f"""
WITH RECURSIVE news AS ({NEWS} WHERE e.seq = ANY(CAST(:news AS bigint[]))
  AND (e.kind = :restored OR (e.kind = :revised AND e.cause IN ({_NEVER})))
), {followers("news", "seq", of=_WAITS)}
UPDATE deliveries d SET state = 'dropped', error = CASE w.kind WHEN :revised THEN 'withdrawn before it was told'
  ELSE 'over before it was told' END
FROM (
  SELECT q.id, n.kind FROM followers f JOIN news n ON n.seq = f.seq CROSS JOIN LATERAL (
    SELECT d.id FROM power_events l JOIN deliveries d ON d.event_seq = l.seq AND d.chat = f.chat
    WHERE l.outage_id = n.outage_id AND l.seq <> n.seq AND d.state = 'pending' AND d.not_before > now()
      AND ((n.kind = :revised AND l.kind <> :stable)
        OR (n.kind = :restored AND ((d.held = 'long' AND n.occurred_hi < d.not_before)
          OR (l.kind IN (:lost, :revised) AND f.min_minutes > 0
            AND n.occurred_hi - n.started < make_interval(mins => f.min_minutes)))))
    OFFSET 0) q
) w
WHERE d.id = w.id AND d.state = 'pending' AND d.claimed_until IS NULL
""")  # noqa: S608 - the only things put in are names of this package's

# Chats with the same rules are one row. A correction goes to those only who were or will be told something of its
# outage: all news of one outage has the same readers.
_READERS = text(f"""
WITH RECURSIVE news AS ({NEWS} WHERE e.seq = ANY(CAST(:news AS bigint[]))
), {followers("news", "seq")}, readers AS (
  SELECT seq, chat, timezone, kinds, min_minutes, quiet_from, quiet_to, quiet_mode, muted_until, shown_at FROM followers
  UNION ALL
  SELECT n.seq, c.id, c.timezone, CAST(ARRAY['lost', 'restored', 'revised', 'unstable'] AS varchar[]), 0, NULL, NULL,
    'silent', NULL, NULL
  FROM news n JOIN chats c ON c.platform = :console AND c.active
)
SELECT g.*, n.kind, n.cause, n.power, n.started, n.ended, now() AS now
FROM (
  SELECT r.seq, r.timezone, r.kinds, r.min_minutes, r.quiet_from, r.quiet_to, r.quiet_mode, r.muted_until,
    {TOLD} AS told, array_agg(r.chat) AS chats
  FROM readers r JOIN news n ON n.seq = r.seq GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
) g JOIN news n ON n.seq = g.seq
""")  # noqa: S608 - the only things put in are names of this package's

_OWE = text("""
INSERT INTO deliveries (event_seq, chat, silent, not_before, held, next_attempt_at, state, attempts)
SELECT v.seq, v.chat, v.silent, v.not_before, v.held, coalesce(v.not_before, now()), 'pending', 0
FROM unnest(CAST(:seqs AS bigint[]), CAST(:chats AS int[]), CAST(:silents AS boolean[]),
            CAST(:not_befores AS timestamptz[]), CAST(:helds AS text[])) AS v (seq, chat, silent, not_before, held)
WHERE EXISTS (SELECT 1 FROM chats c WHERE c.id = v.chat)
ORDER BY v.seq, v.chat
ON CONFLICT (event_seq, chat) DO NOTHING
""")


@dataclass(frozen=True)
class Planned:
    """How many deliveries are new; `partly`: more are owed."""

    count: int
    partly: bool = False


def runs(news: Sequence[LoggedEvent]) -> list[list[int]]:
    """The positions of the events in order, in as few runs as hold no outage twice."""
    made: list[list[int]] = []
    outages: set[UUID] = set()
    for entry in news:
        if not made or entry.event.outage_id in outages:
            made.append([])
            outages.clear()
        made[-1].append(entry.seq)
        outages.add(entry.event.outage_id)
    return made


async def plan(session: AsyncSession, news: Sequence[int], zone: ZoneInfo, *, first: int | None = None) -> Planned:
    """Write down to whom the events at these positions are owed, and when.

    With `first`, and many times more readers, only for so many of them: the caller commits that and plans again.
    No two of them may be of one outage: what is owed of the second depends on what is of the first. `zone` is that of
    chats which chose none. The database's clock decides.
    """
    values = {
        "news": list(news),
        "lost": EventKind.POWER_LOST.value,
        "restored": EventKind.POWER_RESTORED.value,
        "revised": EventKind.OUTAGE_REVISED.value,
        "stable": EventKind.STABLE.value,
    }
    await session.execute(_WITHDRAW, values)
    owed: dict[str, list[Any]] = {name: [] for name in ("seqs", "chats", "silents", "not_befores", "helds")}
    for row in (await session.execute(_READERS, {"news": values["news"], "console": CONSOLE})).mappings():
        tell = decide(rule_of(row), facts_of(row), zone_of(row["timezone"], zone), row["now"])
        if tell is None:
            continue
        count = len(row["chats"])
        owed["seqs"] += [row["seq"]] * count
        owed["chats"] += row["chats"]
        owed["silents"] += [tell.silent] * count
        owed["not_befores"] += [tell.not_before] * count
        owed["helds"] += [tell.held.value if tell.held else None] * count
    if not owed["seqs"]:
        return Planned(0)
    partly = first is not None and len(owed["seqs"]) > MANY * first
    if partly:
        owed = {name: written[:first] for name, written in owed.items()}
    result: Any = await session.execute(_OWE, owed)
    return Planned(result.rowcount, partly)


def zone_of(name: str | None, default: ZoneInfo) -> ZoneInfo:
    """The zone of that name; the default for none, or one this machine does not know."""
    try:
        return ZoneInfo(name) if name else default
    except (ZoneInfoNotFoundError, ValueError):
        return default


def rule_of(row: Any) -> Rule:
    """What a follower asks for."""
    quiet = None
    if row["quiet_from"] is not None and row["quiet_to"] is not None:
        quiet = Quiet(row["quiet_from"], row["quiet_to"], row["quiet_mode"] == "hold")
    muted: datetime | None = row["muted_until"]
    return Rule(kinds=frozenset(row["kinds"]), min_minutes=row["min_minutes"], quiet=quiet, muted_until=muted)


def facts_of(row: Any) -> Facts:
    """What there is to know of `NEWS` with `TOLD`."""
    kind, cause = EventKind(row["kind"]), Cause(row["cause"])
    return Facts(
        kind=kind,
        started=row["started"],
        ended=row["ended"],
        retracted=kind is EventKind.OUTAGE_REVISED and cause in RETRACTED,
        told=row["told"] > 0,
        waits=row["told"] == 1,
        power=PowerState(row["power"] or PowerState.UNKNOWN),
    )
