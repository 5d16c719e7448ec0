"""SQL of what a chat may see: public places, and in private those the person's roles reach. Within a transaction.

Nobody but that person reads a private chat, so a role opens nothing in groups: there an invitation does. What was
followed by a role goes with it (`withdrawals`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats, chats_tree, history, people
from services.notifier.chats import Chat, Place
from services.notifier.history import Site
from services.notifier.places import Tree

_REACHED = text("""
SELECT s.id, s.slug, s.name, s.public FROM sites s
WHERE s.removed_at IS NULL AND s.id = ANY(CAST(:reach AS int[])) AND (s.slug = :slug OR s.id = :id)
""")

_VISIBLE = text("""
SELECT s.id, s.slug, s.name, s.public FROM sites s
WHERE s.removed_at IS NULL AND (s.public OR s.id = ANY(CAST(:reach AS int[]))) ORDER BY s.name, s.id
""")

_LOOKED_AT = history.look("s.id = ANY(CAST(:reach AS int[]))")

_TITLES = text("""
SELECT s.id, CASE WHEN p.id IS NULL THEN s.name ELSE p.name || ' › ' || s.name END AS title
FROM sites s LEFT JOIN sites p ON p.id = s.parent_id AND p.public AND p.removed_at IS NULL
WHERE s.id = ANY(CAST(:sites AS int[]))
""")


async def titles(session: AsyncSession, places: Sequence[Place]) -> list[Place]:
    """The places by their titles, in the same order: with the public one above, for `Секція 1` alone tells nothing."""
    rows = await session.execute(_TITLES, {"sites": [place.id for place in places]})
    named = {row.id: row.title for row in rows}
    return [replace(place, name=named.get(place.id, place.name)) for place in places]


async def reach_of(session: AsyncSession, chat: Chat) -> frozenset[int]:
    """The places a chat may see by the roles of its person; none in groups and channels."""
    if chat.kind != "private" or chat.chat_id <= 0:
        return frozenset()
    return (await people.powers(session, chat.chat_id)).seen


async def tree_for(session: AsyncSession, chat: Chat) -> Tree:
    """The places a chat may choose from, with what it follows already."""
    return await chats_tree.public_tree(session, chat.id, await reach_of(session, chat))


async def visible_sites(session: AsyncSession, chat: Chat) -> list[Place]:
    """The places a chat may follow without an invitation, by name."""
    rows = await session.execute(_VISIBLE, {"reach": list(await reach_of(session, chat))})
    return [Place(**row) for row in rows.mappings()]


async def find_place(
    session: AsyncSession,
    chat: Chat,
    *,
    slug: str | None = None,
    invite: str | None = None,
    site_id: int | None = None,
) -> Place | None:
    """A place by slug or key that the chat may see, or any place by its invitation."""
    found = await chats.find_site(session, slug=slug, invite=invite, site_id=site_id)
    if found is not None:
        return found
    values = {"slug": slug or "", "id": site_id or 0, "reach": list(await reach_of(session, chat))}
    row = (await session.execute(_REACHED, values)).mappings().one_or_none()
    return None if row is None else Place(**row)


async def site_for(session: AsyncSession, chat: Chat, key: int) -> Site | None:
    """A place by its key, if the chat may look at its history."""
    found = await history.site_for(session, chat.id, key)
    if found is not None:
        return found
    values = {"site": key, "reach": list(await reach_of(session, chat))}
    row = (await session.execute(_LOOKED_AT, values)).mappings().one_or_none()
    return None if row is None else history.site_of(row)


async def follow(session: AsyncSession, chat: Chat, place: Place) -> dict[int, bool]:
    """Let a chat follow a place, and all below it that it may see; as `chats_tree.follow`."""
    reach = await reach_of(session, chat)
    return await chats_tree.follow(session, chat.id, place.id, reach, invited=place.invited)
