"""SQL of what is owed: claims, and what became of each.

Functions that take a session work inside the caller's transaction; the database's clock decides.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.channels.base import Address
from services.notifier.chats import CONSOLE
from services.notifier.queues import MOST_TOGETHER, queues_of
from services.notifier.storm import Bundle, Queued, gather
from svitlo.db.session import Database
from svitlo.errors import DatabaseUnavailableError

EVENT = "event"
REMINDER = "reminder"
GATHER_S = 20.0
"""After an alert to a chat that follows several places, those of its other places wait so long, to come as a list."""

# An alert of another place than the last one waits until the gathering is over: none does for who follows one place.
_GATHERS = f"""(d.kind = '{EVENT}' AND c.platform <> '{CONSOLE}'
  AND coalesce(c.told_at > now() - make_interval(secs => CAST(:gather_s AS float8)), false)
  AND c.told_site IS DISTINCT FROM (SELECT g.site_id FROM power_events g WHERE g.seq = d.event_seq))"""  # noqa: S608

# Of a chat only the first pending delivery is ever claimed, and none beside one that is under way: that keeps each
# chat's order. Alerts go first, broadcasts last. What is kept back lets the others pass; what is to be tried again lets
# pass what is of another kind, unless it is an alert: a picture that does not get through holds up nothing else.
_BEFORE = f"""(CASE p.kind WHEN '{EVENT}' THEN 0 WHEN 'broadcast' THEN 2 ELSE 1 END, p.id)
  < (CASE d.kind WHEN '{EVENT}' THEN 0 WHEN 'broadcast' THEN 2 ELSE 1 END, d.id)
  AND (p.not_before IS NULL OR p.not_before <= now())
  AND (p.kind IN ('{EVENT}', d.kind) OR p.next_attempt_at <= now())"""
_IS_NEXT = f"""NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.chat = d.chat AND p.state = 'pending' AND p.id <> d.id
  AND (p.claimed_until >= now() OR ({_BEFORE})))"""  # noqa: S608

_CLAIM = text(f"""
WITH due AS (
  SELECT d.id FROM deliveries d JOIN chats c ON c.id = d.chat
  WHERE d.state = 'pending' AND d.next_attempt_at <= now() AND (d.not_before IS NULL OR d.not_before <= now())
    AND (d.claimed_until IS NULL OR d.claimed_until < now())
    AND c.platform = :platform AND c.active AND d.chat <> ALL(CAST(:held AS int[]))
    AND c.chat_id <> ALL(CAST(:full AS bigint[]))
    AND (d.kind = 'broadcast') = :broadcasts
    AND {_IS_NEXT} AND NOT {_GATHERS}
  ORDER BY d.next_attempt_at, d.id LIMIT :room
  FOR UPDATE OF d SKIP LOCKED
), claimed AS (
  UPDATE deliveries d
  SET claimed_until = now() + make_interval(secs => CAST(:lease_s AS float8)), attempts = d.attempts + 1,
    maybe_told = d.maybe_told OR d.claimed_until IS NOT NULL -- by one who died over it
  FROM due WHERE d.id = due.id
  RETURNING d.id, d.kind, d.chat, d.attempts, d.silent, CAST(d.payload AS text) AS payload,
    greatest(d.created_at, d.not_before) AS owed_at
)
SELECT q.id, q.kind, q.chat, c.chat_id, c.topic_id, c.target, c.kind AS chat_kind, c.language, c.timezone, q.attempts,
  q.silent, q.payload, CAST(extract(epoch FROM now() - q.owed_at) AS float8) AS age_s
FROM claimed q JOIN chats c ON c.id = q.chat ORDER BY q.id
""")  # noqa: S608

_REMINDERS = text(f"""
SELECT d.chat, bool_and(d.silent) AS silent, array_agg(d.id ORDER BY d.id) AS ids,
  array_agg(DISTINCT d.payload->>'outage') AS outages
FROM deliveries d WHERE d.chat = ANY(CAST(:chats AS int[])) AND d.state = 'pending' AND d.kind = '{REMINDER}'
GROUP BY d.chat
""")  # noqa: S608

_NEXT_DUE = text(f"""
SELECT CAST(extract(epoch FROM min(greatest(d.next_attempt_at, d.claimed_until, d.not_before,
  CASE WHEN {_GATHERS} THEN c.told_at + make_interval(secs => CAST(:gather_s AS float8)) END)) - now()) AS float8)
FROM deliveries d JOIN chats c ON c.id = d.chat
WHERE d.state = 'pending' AND c.platform = :platform AND c.active AND d.chat <> ALL(CAST(:held AS int[]))
    AND c.chat_id <> ALL(CAST(:full AS bigint[]))
  AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.chat = d.chat AND p.state = 'pending' AND {_BEFORE})
""")  # noqa: S608

_SENT = text("""
UPDATE deliveries SET state = 'sent', sent_at = now(), message_id = :message_id, text = :text,
  claimed_until = NULL, error = NULL WHERE id = :id AND state = 'pending'
""")

_MERGED = text("""
UPDATE deliveries SET state = 'merged', merged_into = :id, claimed_until = NULL, error = NULL
WHERE id = ANY(CAST(:told AS bigint[])) AND id <> :id AND state = 'pending'
""")

_VANISHED = text("""
UPDATE deliveries SET state = 'dropped', claimed_until = NULL, error = :error
WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'pending'
""")

_TOLD = text("UPDATE chats SET told_at = now(), told_site = :site WHERE id = :chat")

_GIVE_BACK = text("""
UPDATE deliveries SET claimed_until = NULL, attempts = greatest(attempts - 1, 0)
WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'pending'
""")

_RETRY = text("""
UPDATE deliveries SET next_attempt_at = now() + make_interval(secs => CAST(:delay_s AS float8)),
  claimed_until = NULL, error = :error, maybe_told = maybe_told OR :maybe_told WHERE id = :id AND state = 'pending'
""")

_HURRY = text("""
UPDATE deliveries d SET next_attempt_at = now() FROM chats c
WHERE c.id = d.chat AND c.platform = :platform AND d.state = 'pending' AND d.claimed_until IS NULL
  AND d.attempts > 0 AND d.next_attempt_at > now() AND (d.not_before IS NULL OR d.not_before <= now())
""")

_FAIL = text("""
UPDATE deliveries SET state = 'failed', claimed_until = NULL, error = :error WHERE id = :id AND state = 'pending'
""")


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A delivery that is ours to make until the lease ends.

    `kind` is that of the delivery; `payload` what it bears. Of an alert there is a `bundle`: it, and whatever else the
    chat is owed by now; of a reminder the others go `along`. `timezone` is the chat's own, if it chose one; `age_s`
    counts from when it was owed.
    """

    id: int
    kind: str
    chat: int
    address: Address
    chat_kind: str
    language: str
    timezone: str | None
    attempts: int
    age_s: float
    silent: bool
    payload: Mapping[str, Any]
    bundle: Bundle | None = None
    along: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reach:
    """What may be claimed: of a platform, but of no chat in `held` (our keys) or `full` (the platform's own ids)."""

    platform: str
    held: Collection[int] = ()
    full: Collection[int] = ()
    gather_s: float = GATHER_S

    def values(self) -> dict[str, Any]:
        """For SQL."""
        held, full = list(self.held), list(self.full)
        return {"platform": self.platform, "held": held, "full": full, "gather_s": self.gather_s}


async def claim(session: AsyncSession, reach: Reach, room: int, lease_s: float) -> list[Claimed]:
    """Claim up to `room` due deliveries, at most one a chat; broadcasts only where nothing else is due."""
    rows: list[dict[str, Any]] = []
    for broadcasts in (False, True):
        if (left := room - len(rows)) <= 0:
            break
        # Apart, so that each is read in the order of its index, however much is pending.
        values = {**reach.values(), "room": left, "lease_s": lease_s, "broadcasts": broadcasts}
        values["held"] = [*reach.held, *(row["chat"] for row in rows)]
        rows += [dict(row) for row in (await session.execute(_CLAIM, values)).mappings()]
    queues = await queues_of(session, [row["chat"] for row in rows if row["kind"] == EVENT])
    await _gather_reminders(session, [row for row in rows if row["kind"] == REMINDER])
    # What is printed one below the other needs no gathering.
    most = 1 if reach.platform == CONSOLE else MOST_TOGETHER
    return [
        _claimed(row, queue[:most], silent) for row in rows for queue, silent in [queues.get(row["chat"], ([], True))]
    ]


async def give_back(session: AsyncSession, deliveries: Collection[int]) -> None:
    """Let go of claims of which nothing was tried."""
    await session.execute(_GIVE_BACK, {"ids": list(deliveries)})


async def next_due(session: AsyncSession, reach: Reach) -> float | None:
    """Seconds until a delivery falls due (negative: overdue); None if none will."""
    result = await session.execute(_NEXT_DUE, reach.values())
    seconds: float | None = result.scalar_one()
    return seconds


async def mark_sent(session: AsyncSession, delivery: Claimed, message_id: int | None, said: str) -> None:
    """The delivery is made, and all that its message told with it; keep what was said."""
    bearer, bundle = delivery.id, delivery.bundle
    if bundle is not None:
        bearer = delivery.id if delivery.id in bundle.told else bundle.told[0]
        await _vanish(session, bundle.vanished)
    await session.execute(_SENT, {"id": bearer, "message_id": message_id, "text": said})
    if delivery.along:
        await session.execute(_MERGED, {"id": bearer, "told": list(delivery.along)})
    if bundle is not None:
        if len(bundle.told) > 1:
            await session.execute(_MERGED, {"id": bearer, "told": list(bundle.told)})
        await session.execute(_TOLD, {"chat": delivery.chat, "site": bundle.site_id})


async def drop(session: AsyncSession, delivery: Claimed, reason: str) -> None:
    """Nothing is left to tell."""
    await _vanish(session, delivery.bundle.vanished if delivery.bundle else (delivery.id, *delivery.along), reason)


async def retry(session: AsyncSession, delivery: int, delay_s: float, error: str, *, maybe_told: bool = False) -> None:
    """Give the delivery back, due again in `delay_s`; `maybe_told`: it may have arrived all the same."""
    values = {"id": delivery, "delay_s": delay_s, "error": error[:300], "maybe_told": maybe_told}
    await session.execute(_RETRY, values)


async def hurry(database: Database, platform: str) -> None:
    """The platform answers again: what waits to be retried is due now, not a minute later."""
    with contextlib.suppress(DatabaseUnavailableError):
        async with database.transaction() as session:
            await session.execute(_HURRY, {"platform": platform})


async def fail(session: AsyncSession, delivery: int, error: str) -> None:
    """The delivery will not be tried again."""
    await session.execute(_FAIL, {"id": delivery, "error": error[:300]})


async def _vanish(session: AsyncSession, ids: Sequence[int], reason: str = "over before it was told") -> None:
    if ids:
        await session.execute(_VANISHED, {"ids": list(ids), "error": reason})


async def _gather_reminders(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Let the reminders that were claimed speak of all that their chats are to be reminded of."""
    if not rows:
        return
    found = await session.execute(_REMINDERS, {"chats": [row["chat"] for row in rows]})
    by_chat = {owed.chat: owed for owed in found}
    for row in rows:
        owed = by_chat[row["chat"]]
        row["payload"] = msgspec.json.encode({"outages": owed.outages})
        row["silent"] = owed.silent
        row["along"] = tuple(other for other in owed.ids if other != row["id"])


def _claimed(row: dict[str, Any], queue: list[Queued], silent: bool) -> Claimed:
    address = Address(**{name: row.pop(name) for name in ("chat_id", "topic_id", "target")})
    row["payload"] = msgspec.json.decode(row["payload"]) if row["payload"] else {}
    if row["kind"] == EVENT:
        row["silent"] = silent
    return Claimed(**row, address=address, bundle=gather(queue) if row["kind"] == EVENT else None)
