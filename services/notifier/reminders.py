"""Reminders that places are still without power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from services.notifier.channels.base import Said
from services.notifier.owing import rule_of
from services.notifier.reach import followers
from services.notifier.rules import remind
from services.notifier.store import Claimed
from services.notifier.views import Reader, StillOff, reminders_text
from services.notifier.views.asking import alert_buttons
from svitlo.db.session import Database

_STILL_OFF = text(f"""
WITH RECURSIVE off AS (
  SELECT o.id AS outage, o.site_id, o.started_lo
  FROM outages o JOIN sites i ON i.id = o.site_id AND i.removed_at IS NULL
  WHERE o.id = ANY(CAST(:outages AS uuid[])) AND o.ended_hi IS NULL AND o.retracted_at IS NULL
), {followers("off", "outage", of="s.chat = :chat")}
SELECT f.*, o.site_id AS site, s.name AS place, p.name AS parent, o.started_lo AS started
FROM off o JOIN followers f ON f.outage = o.outage AND f.remind_minutes > 0 JOIN sites s ON s.id = o.site_id
LEFT JOIN sites p ON p.id = s.parent_id
  AND (p.public OR EXISTS (SELECT 1 FROM subscriptions u WHERE u.chat = :chat AND u.site_id = p.id))
ORDER BY o.started_lo, s.name, s.id
""")  # noqa: S608 - the only things put in are names of this package's


async def reminder(database: Database, chat: Claimed, payload: Mapping[str, Any], reader: Reader) -> Said | None:
    """What is still off, payload `{"outages": [id, ...]}`; nothing if all came back or is not followed any more.

    It follows the mutes and quiet hours of this moment: it may have been owed before they began, or within them.
    """
    async with database.transaction() as session:
        values = {"outages": payload["outages"], "chat": chat.chat}
        found = (await session.execute(_STILL_OFF, values)).mappings().all()
    sounds = [(row, remind(rule_of(row), reader.zone, reader.now)) for row in found]
    rows = [row for row, silent in sounds if silent is not None]
    if not rows:
        return None
    said = reminders_text([StillOff(row["place"], row["started"], row["parent"]) for row in rows], reader)
    buttons = alert_buttons(rows[0]["site"], reader.words) if len(rows) == 1 else ()
    return Said(text=said, silent=all(silent is not False for _, silent in sounds), buttons=buttons)
