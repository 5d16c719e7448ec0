"""Reminders that a place is still without power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from services.notifier.channels.base import Said
from services.notifier.store import Claimed
from services.notifier.views import Reader
from services.notifier.views.alerts import reminder_text
from services.notifier.views.asking import alert_buttons
from svitlo.db.session import Database

_STILL_OFF = text("""
SELECT s.name, o.started_lo FROM outages o JOIN sites s ON s.id = o.site_id AND s.removed_at IS NULL
JOIN subscriptions f ON f.site_id = s.id AND f.chat = :chat
WHERE o.id = CAST(:outage AS uuid) AND o.ended_hi IS NULL AND o.retracted_at IS NULL
""")


async def reminder(database: Database, chat: Claimed, payload: Mapping[str, Any], reader: Reader) -> Said | None:
    """It is still off, payload `{"site": key, "outage": id}`; nothing if it came back or nobody follows it any more."""
    async with database.transaction() as session:
        row = (await session.execute(_STILL_OFF, {"outage": payload["outage"], "chat": chat.chat})).one_or_none()
    if row is None:
        return None
    said = reminder_text(row.name, row.started_lo, reader)
    return Said(text=said, silent=chat.silent, buttons=alert_buttons(int(payload["site"]), reader.words))
