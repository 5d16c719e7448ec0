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


# Whoever follows a place is told of those below it, whenever they are added, but of private ones below a public one
# only if those are followed too: so are the topmost that are within reach of a role. Others have their invitations.
# What a role reaches is followed by that role; by an invitation, before or afterwards, it is followed for good.
_FOLLOW = text("""
WITH RECURSIVE below AS (
  SELECT id, public AS passed FROM sites WHERE id = :site AND removed_at IS NULL
  UNION ALL
  SELECT s.id, s.public OR s.id <> ALL(CAST(:reach AS int[]))
  FROM below b JOIN sites s ON s.parent_id = b.id AND s.removed_at IS NULL WHERE b.passed
), wanted AS (
  SELECT id, id = ANY(CAST(:reach AS int[])) AND NOT (id = :site AND :invited) AS by_role
  FROM below WHERE id = :site OR NOT passed
), known AS (
  SELECT f.site_id FROM subscriptions f WHERE f.chat = :chat
), added AS (
  INSERT INTO subscriptions (chat, site_id, by_role) SELECT :chat, id, by_role FROM wanted
  ON CONFLICT (chat, site_id) DO UPDATE SET by_role = false WHERE subscriptions.by_role AND NOT excluded.by_role
)
SELECT w.id, NOT EXISTS (SELECT 1 FROM known k WHERE k.site_id = w.id) AS new FROM wanted w ORDER BY w.id
""")


async def follow(
    session: AsyncSession, chat: int, site: int, reach: frozenset[int] = frozenset(), *, invited: bool = False
) -> dict[int, bool]:
    """Let a chat follow a place, and with that all below it; private places there only if they are within `reach`.

    What is within reach is followed for as long as it is, unless the chat was `invited` there. Returns the keys of what
    is followed by that, and whether each is new.
    """
    values = {"chat": chat, "site": site, "reach": list(reach), "invited": invited}
    rows = await session.execute(_FOLLOW, values)
    return {row.id: row.new for row in rows}


async def public_tree(session: AsyncSession, chat: int, reach: frozenset[int] = frozenset()) -> Tree:
    """All public places and those within `reach`, with what the chat follows already."""
    rows = await session.execute(_TREE, {"chat": chat, "reach": list(reach)})
    return Tree([Spot(**{**row, "state": SiteStateWord(row["state"])}) for row in rows.mappings()])
