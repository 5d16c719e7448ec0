"""SQL of what a chat is told of: the places it follows, and what stands below them. Within the caller's transaction.

Who is told of what is said in `reach`; here it is asked the other way round, of which places one chat is told.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import reach
from services.notifier.chats import Place

TOLD = f"""
told AS (
  SELECT f.chat, s.id, true AS own, NOT s.public AS let_in
  FROM asked q JOIN subscriptions f ON f.chat = q.chat JOIN sites s ON s.id = f.site_id AND s.removed_at IS NULL
  JOIN chats c ON c.id = f.chat WHERE NOT f.by_role OR s.public OR {reach.reached("c.chat_id", "s.id")}
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
"""  # noqa: S608 - a condition of ours
"""Tables for a query WITH RECURSIVE: `telling` (chat, id) holds what the chats of `asked` (chat) are told of, as far
as it makes events.

Of a building without a board its sections, not itself. LIMIT has outages looked up by their index, not read whole.
"""

_NEAREST = text(f"SELECT n.site_id FROM {reach.nearest(':chat', ':site')} n")  # noqa: S608 - ours

_ABOVE = text(f"""
SELECT s.name FROM {reach.nearest(":chat", ":site", above=True)} n JOIN sites s ON s.id = n.site_id
""")  # noqa: S608 - ours

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


async def above(session: AsyncSession, chat: int, site: int) -> str | None:
    """The name of the place above by which a chat is told of one, or would be if it did not follow that itself."""
    found: str | None = (await session.execute(_ABOVE, {"chat": chat, "site": site})).scalar_one_or_none()
    return found
