"""SQL of what a chat is told of: the places it follows, and what stands below them. Within the caller's transaction.

The same readers as the planner finds (`owing`): whoever follows a place is told of those below it by the rules of the
nearest place followed, and of a private one only if that was let in to: itself, or a private one above it.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

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

_NEAREST = text(f"WITH RECURSIVE {NEAREST} SELECT id FROM nearest")  # noqa: S608


async def nearest(session: AsyncSession, chat: int, site: int) -> int | None:
    """The place by whose rules a chat is told of one: that one or the nearest above it; None if it is not told."""
    found: int | None = (await session.execute(_NEAREST, {"chat": chat, "site": site})).scalar_one_or_none()
    return found
