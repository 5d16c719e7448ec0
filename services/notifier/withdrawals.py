"""The end of what was followed by a role that reaches it no longer. SQL within the caller's transaction.

The role was taken, or the place was moved out of its reach or made private. From that moment nothing is told of it
(`reach` sees to that); here it goes from the chat's list, with what is owed, and the person learns of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats
from services.notifier.channels.base import Said
from services.notifier.chats import TELEGRAM, Chat
from services.notifier.reach import reached
from services.notifier.store import Claimed
from services.notifier.views import Reader
from services.notifier.views.admins import withdrawn_text
from svitlo.db.session import Database

WITHDRAWN = "withdrawn"
"""The kind of the message that says so."""

_UNREACHED = text(f"""
SELECT f.chat, s.id AS site, CASE WHEN p.id IS NULL THEN s.name ELSE p.name || ' › ' || s.name END AS place
FROM subscriptions f JOIN chats c ON c.id = f.chat JOIN sites s ON s.id = f.site_id AND s.removed_at IS NULL
LEFT JOIN sites p ON p.id = s.parent_id AND p.public AND p.removed_at IS NULL
WHERE f.by_role AND NOT s.public AND NOT {reached("c.chat_id", "s.id")}
  AND (CAST(:chat AS int) IS NULL OR f.chat = :chat)
ORDER BY f.chat, s.name, s.id
""")  # noqa: S608 - a condition of ours

# Without a sound: it may be night there, and nothing has to be done.
_TELL = text(f"""
INSERT INTO deliveries (kind, chat, payload, silent, state, attempts)
SELECT '{WITHDRAWN}', c.id, CAST(:payload AS jsonb), true, 'pending', 0 FROM chats c WHERE c.id = :chat AND c.active
""")  # noqa: S608 - a constant of ours


async def withdraw(session: AsyncSession, user_id: int) -> tuple[Chat | None, list[str]]:
    """End what a person's chat follows out of reach; returns the chat, if we know it, and the names of those places."""
    chat = await chats.known(session, TELEGRAM, user_id)
    return chat, [] if chat is None else [place for _, place in await _end(session, chat.id)]


async def withdraw_all(session: AsyncSession) -> int:
    """The same in all chats, and owe each a message that says so; returns how many."""
    count = 0
    for chat, ended in groupby(await _end(session, None), key=itemgetter(0)):
        payload = msgspec.json.encode({"places": [place for _, place in ended]}).decode()
        told: Any = await session.execute(_TELL, {"chat": chat, "payload": payload})
        count += told.rowcount
    return count


async def withdrawn(database: Database, chat: Claimed, payload: Mapping[str, Any], reader: Reader) -> Said | None:
    """What is followed no longer, payload `{"places": [name, ...]}`."""
    return Said(text=withdrawn_text(payload["places"], reader, taken=False), silent=chat.silent)


async def _end(session: AsyncSession, chat: int | None) -> list[tuple[int, str]]:
    """By chat (None: any) the names of what it follows no longer; of what another process ended, nothing."""
    rows = (await session.execute(_UNREACHED, {"chat": chat})).all()
    return [(row.chat, row.place) for row in rows if await chats.unsubscribe(session, row.chat, row.site)]
