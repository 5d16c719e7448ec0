"""Broadcasts: a text of an admin's to all chats that follow a place, or something below it, or what is above it (or
anything).

They are deliveries like the alerts, which go before them. Within the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.channels.base import Said
from services.notifier.chats import CONSOLE
from services.notifier.rules import Quiet
from services.notifier.store import Claimed
from services.notifier.views import Reader
from services.notifier.views.admins import Progress, broadcast_text
from svitlo.db.session import Database
from svitlo.ids import uuid7
from svitlo.registry.trail import audit

BROADCAST = "broadcast"
LONGEST = 3500
"""Characters of a text, below Telegram's 4096."""

_REACHED = """
WITH RECURSIVE below (id) AS (
  SELECT id FROM sites WHERE removed_at IS NULL AND (CAST(:site AS int) IS NULL OR id = :site)
  UNION
  SELECT s.id FROM below b JOIN sites s ON s.parent_id = b.id AND s.removed_at IS NULL
), above AS (
  SELECT id, parent_id, public, public AS open FROM sites WHERE id = :site AND removed_at IS NULL
  UNION ALL
  SELECT p.id, p.parent_id, p.public, a.open FROM above a JOIN sites p ON p.id = a.parent_id
), told AS (
  SELECT id FROM below UNION SELECT id FROM above WHERE open OR NOT public
), reached AS (
  SELECT c.id FROM chats c WHERE c.active AND c.platform <> :console
    AND EXISTS (SELECT FROM subscriptions f JOIN told t ON t.id = f.site_id WHERE f.chat = c.id)
)
"""

_REACH = text(f"{_REACHED} SELECT count(*) FROM reached")  # noqa: S608

_OWE = text(f"""{_REACHED}
INSERT INTO deliveries (kind, chat, payload, dedupe_key, state, attempts)
SELECT '{BROADCAST}', id, CAST(:payload AS jsonb), :key, 'pending', 0 FROM reached ORDER BY id
ON CONFLICT (chat, dedupe_key) DO NOTHING
""")  # noqa: S608

_PROGRESS = text(f"""
SELECT b.state, count(d.id) AS total, count(*) FILTER (WHERE d.state = 'sent') AS sent,
  count(*) FILTER (WHERE d.state = 'failed') AS failed, count(*) FILTER (WHERE d.state = 'dropped') AS dropped
FROM broadcasts b LEFT JOIN deliveries d ON d.kind = '{BROADCAST}' AND d.dedupe_key = :key
WHERE b.id = :id GROUP BY b.state
""")  # noqa: S608

_READ = text("""
SELECT b.text, b.state, coalesce(c.muted_until > now(), false) AS muted, coalesce(
  (SELECT array_agg(ARRAY[f.quiet_from, f.quiet_to]) FROM subscriptions f
   WHERE f.chat = c.id AND f.quiet_from IS NOT NULL AND f.quiet_to IS NOT NULL), '{}') AS quiet
FROM broadcasts b JOIN chats c ON c.id = :chat WHERE b.id = :id
""")


async def reach(session: AsyncSession, site_id: int | None) -> int:
    """How many chats a broadcast would go to now."""
    found: int = (await session.execute(_REACH, {"site": site_id, "console": CONSOLE})).scalar_one()
    return found


async def draft(session: AsyncSession, author: int, site_id: int | None, said: str, now: datetime) -> UUID:
    """Keep a text that may be sent; drafts nobody sent within a day are forgotten."""
    await session.execute(
        text("DELETE FROM broadcasts WHERE state = 'draft' AND created_at < now() - interval '1 day'")
    )
    made = uuid7(now)
    await session.execute(
        text("INSERT INTO broadcasts (id, author, site_id, text) VALUES (:id, :author, :site_id, :text)"),
        {"id": made, "author": author, "site_id": site_id, "text": said},
    )
    return made


async def discard(session: AsyncSession, broadcast: UUID, author: int) -> bool:
    """Forget the author's draft; False if it is none (any more)."""
    result: Any = await session.execute(
        text("DELETE FROM broadcasts WHERE id = :id AND author = :author AND state = 'draft'"),
        {"id": broadcast, "author": author},
    )
    return bool(result.rowcount)


async def scope(session: AsyncSession, broadcast: UUID, author: int) -> tuple[int | None] | None:
    """The place of the author's draft (within a tuple, for None is all places); None if it is no draft any more."""
    row = (
        await session.execute(
            text("SELECT site_id FROM broadcasts WHERE id = :id AND author = :author AND state = 'draft' FOR UPDATE"),
            {"id": broadcast, "author": author},
        )
    ).one_or_none()
    return None if row is None else (row.site_id,)


async def send(session: AsyncSession, broadcast: UUID, site_id: int | None, *, actor: str) -> int:
    """Send a draft that `scope` has just locked; returns to how many chats."""
    await session.execute(text("UPDATE broadcasts SET state = 'sending' WHERE id = :id"), {"id": broadcast})
    payload = f'{{"broadcast": "{broadcast}"}}'
    values = {"site": site_id, "console": CONSOLE, "payload": payload, "key": _key(broadcast)}
    result: Any = await session.execute(_OWE, values)
    count = int(result.rowcount)
    await audit(session, actor, "broadcast.send", str(broadcast), chats=count, site_id=site_id)
    return count


async def cancel(session: AsyncSession, broadcast: UUID, *, actor: str) -> bool:
    """Stop a broadcast; what is under way this moment still arrives. False if it was over."""
    result: Any = await session.execute(
        text("UPDATE broadcasts SET state = 'cancelled', finished_at = now() WHERE id = :id AND state = 'sending'"),
        {"id": broadcast},
    )
    if not result.rowcount:
        return False
    await session.execute(
        text(
            "UPDATE deliveries SET state = 'dropped', claimed_until = NULL, error = 'the broadcast was stopped' "
            "WHERE kind = :kind AND dedupe_key = :key AND state = 'pending' "
            "AND (claimed_until IS NULL OR claimed_until < now())"
        ),
        {"kind": BROADCAST, "key": _key(broadcast)},
    )
    await audit(session, actor, "broadcast.cancel", str(broadcast))
    return True


async def progress(session: AsyncSession, broadcast: UUID) -> Progress | None:
    """How far it has come; once nothing is left it is done."""
    row = (await session.execute(_PROGRESS, {"id": broadcast, "key": _key(broadcast)})).mappings().one_or_none()
    if row is None:
        return None
    found = Progress(**row)
    if found.state == "sending" and not found.left:
        await session.execute(
            text("UPDATE broadcasts SET state = 'done', finished_at = now() WHERE id = :id AND state = 'sending'"),
            {"id": broadcast},
        )
    return found


async def author(session: AsyncSession, broadcast: UUID) -> int | None:
    """Whose it is."""
    found = await session.execute(text("SELECT author FROM broadcasts WHERE id = :id"), {"id": broadcast})
    number: int | None = found.scalar_one_or_none()
    return number


async def broadcast_said(database: Database, chat: Claimed, payload: Mapping[str, Any], reader: Reader) -> Said | None:
    """Words for a delivery, payload `{"broadcast": id}`; nothing if it was stopped. In quiet hours without a sound."""
    async with database.transaction() as session:
        values = {"id": UUID(payload["broadcast"]), "chat": chat.chat}
        row = (await session.execute(_READ, values)).one_or_none()
    if row is None or row.state == "cancelled":
        return None
    quiet = any(Quiet(start, end).until(reader.now, reader.zone) for start, end in row.quiet)
    return Said(text=broadcast_text(row.text, reader), silent=chat.silent or row.muted or quiet)


def _key(broadcast: UUID) -> str:
    return f"{BROADCAST}:{broadcast}"
