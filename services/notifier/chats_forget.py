"""SQL of forgetting: everything kept of a chat goes. Within the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.chats import TELEGRAM
from services.notifier.people import ACTOR

FORGOTTEN = "forgotten"
"""Stands for a person who wanted to be forgotten, where it is noted who gave a role."""

# A private chat has the id of the person in it.
_KEPT = text("""
SELECT count(*) AS chats,
       coalesce(sum((SELECT count(*) FROM subscriptions f WHERE f.chat = c.id)), 0) AS places,
       coalesce(sum((SELECT count(*) FROM deliveries d WHERE d.chat = c.id)), 0) AS messages,
       (SELECT count(*) FROM people p WHERE p.user_id = :chat_id) AS roles
FROM chats c WHERE c.platform = :platform AND c.chat_id = :chat_id
""")

# A shown password that is to be deleted soon is deleted now: what would do it goes with the chat.
_KEPT_UP = text("""
SELECT p.message_id FROM pins p JOIN chats c ON c.id = p.chat
WHERE c.platform = :platform AND c.chat_id = :chat_id AND p.message_id IS NOT NULL
UNION
SELECT o.message_id FROM chores o JOIN chats c ON c.id = o.chat
WHERE c.platform = :platform AND c.chat_id = :chat_id AND o.kind = 'delete' AND o.message_id IS NOT NULL
""")

# Subscriptions, deliveries and pins go with their chat. Roles that the person gave stay, without saying who did.
_FORGET = (
    text("DELETE FROM people WHERE user_id = :chat_id"),
    text("UPDATE people SET granted_by = :forgotten WHERE granted_by = :actor"),
    text("DELETE FROM invitations WHERE made_by = :actor"),
    text("DELETE FROM broadcasts WHERE author = :chat_id AND state = 'draft'"),
    text("DELETE FROM chats WHERE platform = :platform AND chat_id = :chat_id"),
)


@dataclass(frozen=True)
class Kept:
    """How much is kept of a chat (all its topics): places it follows, messages sent or owed, roles of its person."""

    chats: int
    places: int
    messages: int
    roles: int

    def __bool__(self) -> bool:
        return bool(self.chats or self.roles)


async def kept(session: AsyncSession, chat_id: int) -> Kept:
    """What is kept of a chat of Telegram's."""
    row = (await session.execute(_KEPT, {"platform": TELEGRAM, "chat_id": chat_id})).mappings().one()
    return Kept(**{name: int(count) for name, count in row.items()})


async def kept_up(session: AsyncSession, chat_id: int) -> list[int]:
    """The messages in a chat that the bot keeps up to date, or was going to delete."""
    rows = await session.execute(_KEPT_UP, {"platform": TELEGRAM, "chat_id": chat_id})
    return list(rows.scalars())


async def forget(session: AsyncSession, chat_id: int) -> Kept:
    """Delete all of it; returns what there was."""
    there = await kept(session, chat_id)
    values = {"platform": TELEGRAM, "chat_id": chat_id, "actor": f"{ACTOR}{chat_id}", "forgotten": FORGOTTEN}
    for statement in _FORGET:
        await session.execute(statement, values)
    return there
