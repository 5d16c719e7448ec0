"""SQL of the messages that are kept up to date. Within the caller's transaction; the database's clock decides."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.chats_status import UNDER
from services.notifier.chats_told import TOLD
from svitlo.db.power_since import CORRECTED, SINCE

STATUS = "status"
NO_RIGHT = "no right to pin"
"""The error of a message that stopped because the chat's admins do not let the bot pin."""

NEW = "new:"
"""Stands before the digest of a message that is posted and not pinned yet."""

# What a message ought to show, as one word: the same facts in the same language make the same text. New messages come
# first, then those that wait longest. Whatever shows the right facts is looked at now and then: it may be deleted.
_DUE = text(f"""
WITH RECURSIVE asked AS (
  SELECT p.chat FROM pins p JOIN chats c ON c.id = p.chat
  WHERE p.kind = :kind AND p.error IS NULL AND c.active AND c.platform = :platform
    AND p.chat <> ALL(CAST(:held AS int[])) AND c.chat_id <> ALL(CAST(:full AS bigint[]))
    AND (CAST(:only AS int) IS NULL OR p.chat = :only)
), {TOLD}, facts AS (
  SELECT q.chat, md5(concat_ws('|', CAST(:version AS text), CAST(:zone AS text), c.language, c.timezone,
    string_agg(concat_ws(',', s.id, s.name, st.state, st.power, extract(epoch FROM {SINCE}),
      extract(epoch FROM o.started_lo), under.total, under.off), ';' ORDER BY s.name, s.id))) AS digest
  FROM asked q JOIN chats c ON c.id = q.chat
  LEFT JOIN (telling t JOIN sites s ON s.id = t.id) ON t.chat = q.chat
  LEFT JOIN site_state st ON st.site_id = s.id {CORRECTED}
  LEFT JOIN outages o ON o.site_id = s.id AND o.ended_hi IS NULL AND o.retracted_at IS NULL
  {UNDER}
  GROUP BY q.chat, c.language, c.timezone
)
SELECT p.chat, facts.digest AS wanted FROM facts JOIN pins p ON p.chat = facts.chat AND p.kind = :kind
WHERE p.message_id IS NULL OR p.updated_at <= now() - CAST(:look AS interval)
  OR (p.digest IS DISTINCT FROM facts.digest
    AND (p.digest IS NULL OR p.digest LIKE 'new:%' OR p.updated_at <= now() - CAST(:gap AS interval)))
ORDER BY p.message_id IS NOT NULL, p.updated_at, p.chat LIMIT :room
""")  # noqa: S608 - ours

_CLAIM = text("""
SELECT p.chat, p.message_id, p.digest AS shown, c.chat_id, c.topic_id, c.kind, c.language, c.timezone
FROM pins p JOIN chats c ON c.id = p.chat WHERE p.chat = :chat AND p.kind = :kind
FOR UPDATE OF p SKIP LOCKED
""")

_WRITE = text("""
UPDATE pins SET message_id = :message_id, digest = :digest, error = :error, updated_at = clock_timestamp()
WHERE chat = :chat AND kind = :kind
""")


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A message that is ours until the transaction ends: where it is, and the digests of what it shows and ought to."""

    chat: int
    chat_id: int
    topic_id: int
    kind: str
    language: str
    timezone: str | None
    message_id: int | None
    shown: str | None
    wanted: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """By what a text is made beside the sites: its version and the installation's time zone."""

    version: str
    zone: str
    platform: str = "telegram"
    kind: str = STATUS


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What must not be touched now: our keys of the chats that failed, Telegram's ids of those that are full."""

    held: Collection[int] = ()
    full: Collection[int] = ()


async def due(
    session: AsyncSession, facts: Facts, waiting: Waiting, room: int, *, gap: timedelta, look: timedelta
) -> list[int]:
    """Up to `room` chats whose message does not show what it ought to, and which was not touched within `gap`; also
    those nobody looked at for `look`."""
    values = {**vars(facts), "held": list(waiting.held), "full": list(waiting.full), "room": room, "gap": gap}
    return list((await session.execute(_DUE, {**values, "look": look, "only": None})).scalars())


async def claim(session: AsyncSession, facts: Facts, chat: int, *, gap: timedelta, look: timedelta) -> Claimed | None:
    """Lock a chat's message; None if another process has it, or nothing is to be done with it any more."""
    row = (await session.execute(_CLAIM, {"chat": chat, "kind": facts.kind})).mappings().one_or_none()
    if row is None:
        return None
    values = {**vars(facts), "held": [], "full": [], "room": 1, "gap": gap, "look": look, "only": chat}
    wanted = (await session.execute(_DUE, values)).one_or_none()
    return Claimed(**row, wanted=wanted.wanted) if wanted is not None else None


async def write(
    session: AsyncSession, chat: int, *, message_id: int | None, digest: str | None, error: str | None = None
) -> None:
    """What there is now, and why nothing more happens with it if nothing does."""
    values = {"chat": chat, "kind": STATUS, "message_id": message_id, "digest": digest, "error": error}
    await session.execute(_WRITE, values)


async def wanted(session: AsyncSession, chat: int) -> bool:
    """Whether the chat has asked for such a message."""
    found = await session.execute(
        text("SELECT 1 FROM pins WHERE chat = :chat AND kind = :kind"), {"chat": chat, "kind": STATUS}
    )
    return found.one_or_none() is not None


async def want(session: AsyncSession, chat: int, *, stopped: str | None = None) -> None:
    """Let a chat have such a message; one that had stopped begins again, unless `stopped` says why it cannot yet."""
    await session.execute(
        text("""
INSERT INTO pins (chat, kind, error) VALUES (:chat, :kind, :stopped)
ON CONFLICT (chat, kind) DO UPDATE SET error = excluded.error,
  digest = CASE WHEN pins.error IS NULL THEN pins.digest END
"""),
        {"chat": chat, "kind": STATUS, "stopped": stopped},
    )


async def resume(session: AsyncSession, chat_id: int) -> None:
    """Begin again, in all topics of a chat, what had stopped for want of a right."""
    await session.execute(
        text("""
UPDATE pins p SET error = NULL, digest = NULL FROM chats c
WHERE c.id = p.chat AND c.platform = 'telegram' AND c.chat_id = :chat_id AND p.kind = :kind AND p.error IS NOT NULL
"""),
        {"chat_id": chat_id, "kind": STATUS},
    )


async def forget(session: AsyncSession, chat: int) -> int | None:
    """Let a chat have none any more; returns the id of the message that stays behind."""
    gone: Any = await session.execute(
        text("DELETE FROM pins WHERE chat = :chat AND kind = :kind RETURNING message_id"),
        {"chat": chat, "kind": STATUS},
    )
    row = gone.one_or_none()
    message_id: int | None = row.message_id if row is not None else None
    return message_id
