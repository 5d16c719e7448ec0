"""SQL of what a chat is told of: the places it follows, and what stands below them. Within the caller's transaction.

The same readers as the planner finds (`owing`): whoever follows a place is told of those below it by the rules of the
nearest place followed, and of a private one only if that was let in to: itself, or a private one above it.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.chats import Place

NEAREST = """
above AS (
  SELECT id, parent_id, public, public AS open, 0 AS steps FROM sites WHERE id = :site AND removed_at IS NULL
  UNION ALL
  SELECT p.id, p.parent_id, p.public, a.open, a.steps + 1 FROM above a JOIN sites p ON p.id = a.parent_id
), nearest AS (
  SELECT a.id FROM above a JOIN subscriptions f ON f.site_id = a.id AND f.chat = :chat
  WHERE a.steps = 0 OR a.open OR NOT a.public ORDER BY a.steps LIMIT 1
)
"""
"""Tables for a query WITH RECURSIVE: `nearest` holds the place by whose rules `:chat` is told of `:site`, if any."""

TOLD = """
told AS (
  SELECT f.chat, s.id, true AS own, NOT s.public AS let_in
  FROM asked q JOIN subscriptions f ON f.chat = q.chat JOIN sites s ON s.id = f.site_id AND s.removed_at IS NULL
  UNION
  SELECT t.chat, k.id, false, t.let_in FROM told t JOIN sites k ON k.parent_id = t.id AND k.removed_at IS NULL
), seen AS (
  SELECT DISTINCT t.chat, s.id, s.parent_id FROM told t JOIN sites s ON s.id = t.id WHERE t.own OR t.let_in OR s.public
), branches AS (
  SELECT DISTINCT chat, parent_id AS id FROM seen
), telling AS (
  SELECT o.chat, o.id FROM seen o LEFT JOIN branches b ON b.chat = o.chat AND b.id = o.id
  WHERE b.id IS NULL OR EXISTS (SELECT FROM site_devices d WHERE d.site_id = o.id)
    OR (SELECT true FROM outages u WHERE u.site_id = o.id LIMIT 1)
)
"""
"""More tables: `telling` (chat, id) holds the places the chats of `asked` (chat) are told of and that make events.

Of a building without a board its sections, not itself. LIMIT has outages looked up by their index, not read whole.
"""

_NEAREST = text(f"WITH RECURSIVE {NEAREST} SELECT id FROM nearest")  # noqa: S608


_TOLD = text(f"""
WITH RECURSIVE asked AS (SELECT CAST(:chat AS int) AS chat), {TOLD}
SELECT s.id, s.slug, s.name, s.public, true AS followed
FROM telling t JOIN sites s ON s.id = t.id ORDER BY s.name, s.id
""")  # noqa: S608


async def told_sites(session: AsyncSession, chat: int) -> list[Place]:
    """The places a chat is told of that make events, by name."""
    return [Place(**row) for row in (await session.execute(_TOLD, {"chat": chat})).mappings()]


async def nearest(session: AsyncSession, chat: int, site: int) -> int | None:
    """The place by whose rules a chat is told of one: that one or the nearest above it; None if it is not told."""
    found: int | None = (await session.execute(_NEAREST, {"chat": chat, "site": site})).scalar_one_or_none()
    return found
