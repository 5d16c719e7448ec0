"""What the kinds of deliveries say: a table from the kind to the words, made at the moment of sending.

An alert (`event`) is made of all that its chat is owed; the other kinds bear what they need in their payload.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from services.notifier.broadcasts import BROADCAST, broadcast_said
from services.notifier.channels.base import Said
from services.notifier.reminders import reminder
from services.notifier.rules import Held
from services.notifier.store import REMINDER, Claimed
from services.notifier.views import Reader, bundle_text
from services.notifier.views.asking import alert_buttons
from services.notifier.withdrawals import WITHDRAWN, withdrawn
from svitlo.db.session import Database

View = Callable[[Database, Claimed, Mapping[str, Any], Reader], Awaitable[Said | None]]
"""Words for a delivery with this payload; None if there is nothing left to say."""


async def note(database: Database, chat: Claimed, payload: Mapping[str, Any], reader: Reader) -> Said | None:
    """A plain text, payload `{"text": ...}`."""
    return Said(text=reader.escape(str(payload["text"])), silent=chat.silent)


async def week(database: Database, chat: Claimed, payload: Mapping[str, Any], reader: Reader) -> Said | None:
    """The week that ended on a Sunday, payload `{"day": "2026-11-22"}`."""
    # Drawing needs what no other message does.
    from services.notifier import weekly

    said = await weekly.said(database, chat=chat.chat, payload=payload, reader=reader)
    return None if said is None else replace(said, silent=chat.silent)


KINDS: dict[str, View] = {
    REMINDER: reminder,
    "note": note,
    "week": week,
    BROADCAST: broadcast_said,
    WITHDRAWN: withdrawn,
}
"""Without alerts, which have `alert_said`."""


def alert_said(delivery: Claimed, reader: Reader) -> Said | None:
    """The message of an alert and of what else the chat is owed; None if all of it came to nothing."""
    bundle = delivery.bundle
    if bundle is None or not bundle.entries:
        return None
    text = bundle_text(bundle.entries, reader, morning=bundle.held is Held.QUIET)
    buttons = alert_buttons(bundle.site_id, reader.words) if bundle.site_id is not None else ()
    return Said(text=text, silent=delivery.silent, buttons=buttons)
