"""SQL of the tree of places, as a chat sees it. Within the caller's transaction."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.places import Spot, Tree
from svitlo.contracts import SiteStateWord

# A private place out of reach is left out, and what stands below it moves up to the nearest one that is not.
_TREE = text("""
WITH RECURSIVE below AS (
  SELECT id, public OR id = ANY(CAST(:reach AS int[])) AS open, CAST(NULL AS int) AS parent
  FROM sites WHERE parent_id IS NULL AND removed_at IS NULL
  UNION ALL
  SELECT s.id, s.public OR s.id = ANY(CAST(:reach AS int[])), CASE WHEN b.open THEN b.id ELSE b.parent END
  FROM below b JOIN sites s ON s.parent_id = b.id AND s.removed_at IS NULL
)
SELECT s.id, s.slug, s.name, b.parent, coalesce(st.state, 'unknown') AS state,
       EXISTS (SELECT 1 FROM subscriptions f WHERE f.chat = :chat AND f.site_id = s.id) AS followed,
       NOT s.public AS private
FROM below b JOIN sites s ON s.id = b.id LEFT JOIN site_state st ON st.site_id = s.id WHERE b.open
""")


# A place without boards makes no events of its own: whoever follows it follows what lies below. A private place below
# has an invitation of its own, unless it is within reach of a role.
_FOLLOW = text("""
WITH RECURSIVE below AS (
  SELECT id, public FROM sites WHERE id = :site AND removed_at IS NULL
  UNION ALL
  SELECT s.id, s.public FROM below b JOIN sites s ON s.parent_id = b.id AND s.removed_at IS NULL
), telling AS (
  SELECT b.id FROM below b WHERE (b.public OR b.id = :site OR b.id = ANY(CAST(:reach AS int[])))
    AND (EXISTS (SELECT 1 FROM site_devices d JOIN devices v ON v.id = d.device_id AND v.removed_at IS NULL
        WHERE d.site_id = b.id)
      OR NOT EXISTS (SELECT 1 FROM sites k WHERE k.parent_id = b.id AND k.removed_at IS NULL))
), wanted AS (
  SELECT id FROM telling UNION SELECT :site WHERE NOT EXISTS (SELECT 1 FROM telling)
), added AS (
  INSERT INTO subscriptions (chat, site_id) SELECT :chat, id FROM wanted ON CONFLICT DO NOTHING RETURNING site_id
)
SELECT w.id, EXISTS (SELECT 1 FROM added a WHERE a.site_id = w.id) AS new FROM wanted w ORDER BY w.id
""")


async def follow(session: AsyncSession, chat: int, site: int, reach: frozenset[int] = frozenset()) -> dict[int, bool]:
    """Let a chat follow a place, and where that has places below, those of them that tell of themselves.

    `reach` are private places it may see. Returns the keys of what is followed by that, and whether each is new.
    """
    rows = await session.execute(_FOLLOW, {"chat": chat, "site": site, "reach": list(reach)})
    return {row.id: row.new for row in rows}


async def public_tree(session: AsyncSession, chat: int, reach: frozenset[int] = frozenset()) -> Tree:
    """All public places and those within `reach`, with what the chat follows already."""
    rows = await session.execute(_TREE, {"chat": chat, "reach": list(reach)})
    return Tree([Spot(**{**row, "state": SiteStateWord(row["state"])}) for row in rows.mappings()])
