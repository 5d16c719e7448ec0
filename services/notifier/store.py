"""All SQL of the notifier. Every function works inside the caller's transaction; the database's clock decides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.views import Alert, SiteStatus
from svitlo.contracts import Cause, EventKind, SiteStateWord

CONSOLE = "console"
TELEGRAM = "telegram"

_PLAN = text("""
INSERT INTO deliveries (event_seq, chat, state, attempts)
SELECT e.seq, c.id, 'pending', 0
FROM power_events e
JOIN chats c ON c.active AND (c.platform = :console
  OR EXISTS (SELECT 1 FROM subscriptions s WHERE s.chat = c.id AND s.site_id = e.site_id))
WHERE e.seq > :after AND e.seq <= :last AND e.kind = ANY(CAST(:kinds AS text[]))
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
         AND b.retracted_at IS NULL AND b.ended_hi <= e.occurred_lo) AS power_since
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

_DROP = text("""
UPDATE deliveries SET state = 'dropped', claimed_until = NULL, error = :error WHERE chat = :chat AND state = 'pending'
""")

_DROP_SITE = text("""
UPDATE deliveries d SET state = 'dropped', claimed_until = NULL, error = 'unsubscribed'
FROM power_events e
WHERE e.seq = d.event_seq AND e.site_id = :site AND d.chat = :chat AND d.state = 'pending'
""")

_MEET = text("""
INSERT INTO chats (platform, chat_id, language) VALUES (:platform, :chat_id, :language)
ON CONFLICT (platform, chat_id) DO UPDATE SET chat_id = excluded.chat_id
RETURNING id, chat_id, language, active
""")

_DEACTIVATE = text("UPDATE chats SET active = false, inactive_reason = :reason WHERE id = :chat")

_ACTIVATE = text("UPDATE chats SET active = true, inactive_reason = NULL WHERE id = :chat")

_MERGE = (
    text("""
INSERT INTO subscriptions (chat, site_id) SELECT :into, site_id FROM subscriptions WHERE chat = :chat
ON CONFLICT DO NOTHING
"""),
    text("""
UPDATE deliveries d SET chat = :into, claimed_until = NULL WHERE d.chat = :chat
  AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.chat = :into AND o.event_seq = d.event_seq)
"""),
    text("DELETE FROM chats WHERE id = :chat"),
    text("UPDATE chats SET active = true, inactive_reason = NULL WHERE id = :into"),
)

# A private site is found by its invitation only.
_FIND = text("""
SELECT id, slug, name, public FROM sites
WHERE removed_at IS NULL AND ((public AND (slug = :slug OR id = :id)) OR invite = :invite)
ORDER BY invite = :invite DESC LIMIT 1
""")

_PUBLIC = text("""
SELECT s.id, s.slug, s.name, s.public, EXISTS (
  SELECT 1 FROM subscriptions f WHERE f.chat = :chat AND f.site_id = s.id) AS followed
FROM sites s WHERE s.public AND s.removed_at IS NULL ORDER BY s.name, s.id
""")

_FOLLOWED = text("""
SELECT s.id, s.slug, s.name, s.public, true AS followed
FROM subscriptions f JOIN sites s ON s.id = f.site_id AND s.removed_at IS NULL
WHERE f.chat = :chat ORDER BY s.name, s.id
""")

_STATUS = text("""
SELECT s.name AS place, coalesce(st.state, 'unknown') AS state, st.since, o.cause, o.started_lo
FROM sites s
LEFT JOIN site_state st ON st.site_id = s.id
LEFT JOIN outages o ON o.site_id = s.id AND o.ended_hi IS NULL AND o.retracted_at IS NULL
WHERE s.id = ANY(CAST(:sites AS int[])) ORDER BY s.name, s.id
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


@dataclass(frozen=True)
class Chat:
    """A chat we know: our key, the platform's id, its language, whether it can be reached."""

    id: int
    chat_id: int
    language: str
    active: bool


@dataclass(frozen=True)
class Place:
    """A site as a chat may see it."""

    id: int
    slug: str
    name: str
    public: bool
    followed: bool = False


async def plan(session: AsyncSession, after: int, last: int, kinds: Sequence[EventKind]) -> int:
    """Write down what the events after `after` up to `last` owe to whom; returns how many deliveries are new."""
    values = {"after": after, "last": last, "kinds": [kind.value for kind in kinds], "console": CONSOLE}
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


async def meet(session: AsyncSession, platform: str, chat_id: int, language: str) -> Chat:
    """The chat with this id, made if it is new, and active: whoever speaks to us can be reached.

    What was owed while the chat was unreachable stays unsaid.
    """
    values = {"platform": platform, "chat_id": chat_id, "language": language}
    chat = Chat(**(await session.execute(_MEET, values)).mappings().one())
    if not chat.active:
        await session.execute(_DROP, {"chat": chat.id, "error": "the chat was inactive"})
        await session.execute(_ACTIVATE, {"chat": chat.id})
    return chat


async def open_console(session: AsyncSession, language: str) -> None:
    """Let the console have every alert, in `language`."""
    chat = await meet(session, CONSOLE, 0, language)
    await session.execute(
        text("UPDATE chats SET language = :language WHERE id = :chat"), {"language": language, "chat": chat.id}
    )


async def close_console(session: AsyncSession, reason: str) -> None:
    """Let the console have none."""
    chat = await find_chat(session, CONSOLE, 0)
    if chat is not None:
        await close_chat(session, chat, reason)


async def close_chat(session: AsyncSession, chat: int, reason: str) -> None:
    """Make a chat inactive and drop what it is owed."""
    await session.execute(_DEACTIVATE, {"chat": chat, "reason": reason[:200]})
    await session.execute(_DROP, {"chat": chat, "error": reason[:300]})


async def move_chat(session: AsyncSession, chat: int, chat_id: int) -> None:
    """Rewrite a chat's id; if that id is a chat already, everything moves there."""
    # Locked, so that nothing new is owed to the old row between the move and its end.
    rows = await session.execute(
        text(
            "SELECT id FROM chats WHERE id = :chat OR (platform = :platform AND chat_id = :to) ORDER BY id FOR UPDATE"
        ),
        {"chat": chat, "platform": TELEGRAM, "to": chat_id},
    )
    others = [row.id for row in rows if row.id != chat]
    if not others:
        await session.execute(text("UPDATE chats SET chat_id = :to WHERE id = :chat"), {"chat": chat, "to": chat_id})
        await session.execute(
            text("UPDATE deliveries SET claimed_until = NULL WHERE chat = :chat AND state = 'pending'"), {"chat": chat}
        )
        return
    for statement in _MERGE:
        await session.execute(statement, {"into": others[0], "chat": chat})


async def find_chat(session: AsyncSession, platform: str, chat_id: int) -> int | None:
    """Our key of a chat, if we know it."""
    values = {"platform": platform, "chat_id": chat_id}
    found = await session.execute(
        text("SELECT id FROM chats WHERE platform = :platform AND chat_id = :chat_id"), values
    )
    key: int | None = found.scalar_one_or_none()
    return key


async def find_site(
    session: AsyncSession, *, slug: str | None = None, invite: str | None = None, site_id: int | None = None
) -> Place | None:
    """A public site by slug or key, or any site by its invitation."""
    values = {"slug": slug or "", "invite": invite or "", "id": site_id or 0}
    row = (await session.execute(_FIND, values)).mappings().one_or_none()
    return None if row is None else Place(**row)


async def public_sites(session: AsyncSession, chat: int) -> list[Place]:
    """The sites anybody may follow, by name."""
    return [Place(**row) for row in (await session.execute(_PUBLIC, {"chat": chat})).mappings()]


async def followed_sites(session: AsyncSession, chat: int) -> list[Place]:
    """The sites a chat follows, by name."""
    return [Place(**row) for row in (await session.execute(_FOLLOWED, {"chat": chat})).mappings()]


async def subscribe(session: AsyncSession, chat: int, site_id: int) -> bool:
    """Let a chat follow a site; False if it did already."""
    result = await session.execute(
        text("INSERT INTO subscriptions (chat, site_id) VALUES (:chat, :site) ON CONFLICT DO NOTHING"),
        {"chat": chat, "site": site_id},
    )
    return _count(result) > 0


async def unsubscribe(session: AsyncSession, chat: int, site_id: int) -> bool:
    """End it, with what is still owed from that site; False if the chat did not follow it."""
    values = {"chat": chat, "site": site_id}
    result = await session.execute(text("DELETE FROM subscriptions WHERE chat = :chat AND site_id = :site"), values)
    await session.execute(_DROP_SITE, values)
    return _count(result) > 0


async def statuses(session: AsyncSession, sites: Sequence[int]) -> list[SiteStatus]:
    """How sites stand, by name."""
    rows = await session.execute(_STATUS, {"sites": list(sites)})
    return [_status(dict(row)) for row in rows.mappings()]


def _claimed(row: dict[str, Any]) -> Claimed:
    own = {name: row.pop(name) for name in ("id", "chat", "chat_id", "language", "attempts", "age_s")}
    row["kind"], row["cause"] = EventKind(row["kind"]), Cause(row["cause"])
    return Claimed(**own, alert=Alert(**row))


def _status(row: dict[str, Any]) -> SiteStatus:
    state = SiteStateWord(row["state"])
    off = state is SiteStateWord.OFF
    since: datetime | None = row["started_lo"] if off and row["started_lo"] is not None else row["since"]
    return SiteStatus(
        place=row["place"],
        state=state,
        since=since,
        cause=Cause(row["cause"]) if off and row["cause"] else None,
    )


def _count(result: Any) -> int:
    """How many rows a statement changed."""
    count: int = result.rowcount
    return count
