"""SQL of the tree of public places, as a chat sees it. Within the caller's transaction."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.places import Spot, Tree
from svitlo.contracts import SiteStateWord

# A private place is left out, and what stands below it moves up to the nearest public one.
_TREE = text("""
WITH RECURSIVE below AS (
  SELECT id, public, CAST(NULL AS int) AS parent FROM sites WHERE parent_id IS NULL AND removed_at IS NULL
  UNION ALL
  SELECT s.id, s.public, CASE WHEN b.public THEN b.id ELSE b.parent END
  FROM below b JOIN sites s ON s.parent_id = b.id AND s.removed_at IS NULL
)
SELECT s.id, s.slug, s.name, b.parent, coalesce(st.state, 'unknown') AS state,
       EXISTS (SELECT 1 FROM subscriptions f WHERE f.chat = :chat AND f.site_id = s.id) AS followed
FROM below b JOIN sites s ON s.id = b.id LEFT JOIN site_state st ON st.site_id = s.id WHERE b.public
""")


async def public_tree(session: AsyncSession, chat: int) -> Tree:
    """All public places, with what the chat follows already."""
    rows = await session.execute(_TREE, {"chat": chat})
    return Tree([Spot(**{**row, "state": SiteStateWord(row["state"])}) for row in rows.mappings()])
