"""SQL of conversations in several steps, and of the bot's chores; so a restart loses neither."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

PATIENCE = timedelta(minutes=30)
"""How long the bot waits for the next step."""

LEASE = timedelta(seconds=30)
"""How long a chore is one process's; longer than any call takes."""

_BEGIN = text("""
INSERT INTO conversations (chat, kind, data, expires_at)
VALUES (:chat, :kind, CAST(:data AS jsonb), CAST(:now AS timestamptz) + :lasts)
ON CONFLICT (chat) DO UPDATE SET kind = excluded.kind, data = excluded.data, expires_at = excluded.expires_at
""")

_CHORE = text("""
INSERT INTO chores (kind, chat, message_id, data, due_at, ends_at)
VALUES (:kind, :chat, :message_id, CAST(:data AS jsonb), :due_at, :ends_at)
""")

_CLAIM = text("""
WITH due AS (
  SELECT id FROM chores WHERE due_at <= :now ORDER BY due_at, id LIMIT :room FOR UPDATE SKIP LOCKED
), mine AS (
  UPDATE chores SET due_at = CAST(:now AS timestamptz) + :lease FROM due WHERE chores.id = due.id RETURNING chores.*
)
SELECT m.id, m.kind, m.chat, c.chat_id, c.language, c.timezone, m.message_id, m.data, m.ends_at
FROM mine m JOIN chats c ON c.id = m.chat ORDER BY m.id
""")


@dataclass(frozen=True)
class Conversation:
    """Where a chat stands: what it is about, and what was said so far."""

    chat: int
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Chore:
    """Something to do with a message of ours; `ends_at` is UTC."""

    id: int
    kind: str
    chat: int
    chat_id: int
    language: str
    timezone: str | None
    message_id: int
    data: dict[str, Any]
    ends_at: datetime


async def begin(session: AsyncSession, chat: int, kind: str, now: datetime, **data: Any) -> None:
    """Begin a conversation, or take its next step; another one of the chat ends by it."""
    values = {"chat": chat, "kind": kind, "data": json.dumps(data), "now": now, "lasts": PATIENCE}
    await session.execute(_BEGIN, values)


async def current(session: AsyncSession, chat: int, now: datetime, kind: str | None = None) -> Conversation | None:
    """The conversation a chat is in (of this kind), locked until the transaction ends."""
    row = (
        await session.execute(
            text(
                "SELECT chat, kind, data FROM conversations WHERE chat = :chat AND expires_at > :now "
                "AND (CAST(:kind AS text) IS NULL OR kind = :kind) FOR UPDATE"
            ),
            {"chat": chat, "now": now, "kind": kind},
        )
    ).one_or_none()
    return None if row is None else Conversation(row.chat, row.kind, row.data)


async def end(session: AsyncSession, chat: int) -> None:
    """End the chat's conversation, and forget those nobody went on with."""
    await session.execute(
        text("DELETE FROM conversations WHERE chat = :chat OR expires_at < now() - interval '1 day'"), {"chat": chat}
    )


async def add_chore(
    session: AsyncSession,
    kind: str,
    chat: int,
    message_id: int,
    *,
    due_at: datetime,
    ends_at: datetime,
    **data: Any,
) -> None:
    """Take on a chore."""
    values = {"kind": kind, "chat": chat, "message_id": message_id, "data": json.dumps(data)}
    await session.execute(_CHORE, values | {"due_at": due_at, "ends_at": ends_at})


async def has_chore(session: AsyncSession, kind: str, **data: str) -> bool:
    """Whether there is such a chore that bears this."""
    found = await session.execute(
        text("SELECT EXISTS (SELECT 1 FROM chores WHERE kind = :kind AND data @> CAST(:data AS jsonb))"),
        {"kind": kind, "data": json.dumps(data)},
    )
    known: bool = found.scalar_one()
    return known


async def claim_chores(session: AsyncSession, now: datetime, room: int = 20) -> list[Chore]:
    """The chores that are due, ours for a while: several processes never do the same at once."""
    rows = await session.execute(_CLAIM, {"now": now, "room": room, "lease": LEASE})
    return [Chore(**row) for row in rows.mappings()]


async def put_off(session: AsyncSession, chore: int, due_at: datetime, **data: Any) -> None:
    """Look at a chore again at `due_at`, with what has to be remembered."""
    await session.execute(
        text("UPDATE chores SET due_at = :due_at, data = CAST(:data AS jsonb) WHERE id = :id"),
        {"id": chore, "due_at": due_at, "data": json.dumps(data)},
    )


async def drop_chore(session: AsyncSession, chore: int) -> None:
    """The chore is done."""
    await session.execute(text("DELETE FROM chores WHERE id = :id"), {"id": chore})
