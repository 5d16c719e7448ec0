"""New boards: made, their credentials shown once in the private chat, and the first heartbeat waited for."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta

from aiogram import Bot
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import conversations
from services.notifier.board_secrets import BoardSecret
from services.notifier.bot.admins_desk import Act, Desk, Press, Reply, Step, Visit
from services.notifier.bot.admins_places import look_for, offer, search
from services.notifier.people import Realm
from services.notifier.views.admins import beat_text
from svitlo import registry
from svitlo.registry import DeviceRow

SHOWN_FOR = timedelta(minutes=10)
"""How long credentials stay in the chat, and how long the first heartbeat is waited for."""

DELETE, BEAT = "delete", "beat"
LONGEST_SLUG = 40


class Devices:
    """The handlers of `/newdevice`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.steps: dict[str, Step] = {"device-where": search(desk, "device")}
        self.presses: dict[str, Press] = {"device": self.chosen, "devices": self.places}

    async def begin(self, session: AsyncSession, visit: Visit, slug: str) -> Reply:
        """`/newdevice`, `/newdevice <site>`; what is no short name is looked for."""
        if not visit.powers.changes:
            return Reply(visit.say("viewer-only" if visit.powers.any else "admins-only"))
        realms = await self._desk.admin_realms(session, visit)
        if not realms:
            return Reply(visit.say("no-places"))
        found = next((realm for realm in realms if realm.slug == slug.lower()), None)
        if found is not None:
            return await self._make(session, visit, found)
        await self._desk.begin(session, visit, "device-where")
        if slug and (fitting := await look_for(visit, realms, slug, "device")):
            return fitting
        return offer(visit, realms, "device-unknown-site" if slug else "device-where", "device")

    async def places(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Another page of places."""
        if await self._desk.current(session, visit, "device-where") is None:
            return None
        realms = await self._desk.admin_realms(session, visit)
        return offer(visit, realms, "device-where", "device", act.page)

    async def chosen(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """The place; pressed twice it makes one board."""
        talk = await self._desk.current(session, visit, "device-where")
        realm = await self._desk.realm(session, visit, act.what)
        if talk is None or realm is None:
            return None
        await conversations.end(session, visit.chat.id)
        return await self._make(session, visit, realm)

    async def _make(self, session: AsyncSession, visit: Visit, realm: Realm) -> Reply:
        # Telegram tells us again what we had not confirmed when we ended; that must not make another board.
        name = f"{realm.slug[:LONGEST_SLUG]}-{_word(visit.chat.chat_id, visit.message_id)}"
        known = await registry.list_devices(session, name)
        device = known[0] if known else await registry.add_device(session, realm.slug, name, actor=visit.actor)

        async def then(bot: Bot) -> None:
            if not known or not await self._was_shown(device):
                await self._show(bot, visit, device)

        return Reply(visit.say("device-made", device=device.id, place=realm.name), then=then)

    async def _show(self, bot: Bot, visit: Visit, device: DeviceRow) -> None:
        """The credentials, then the line that tells of the first heartbeat; both remembered as chores at once."""
        find, now = self._desk.context.secrets, self._desk.context.clock()
        secret = await find(device) if find is not None else None
        shown = await bot.send_message(
            visit.chat.chat_id, _told(visit, device, secret), protect_content=secret is not None
        )
        if secret is not None:
            await self._chore(DELETE, visit, shown.message_id, due=now + SHOWN_FOR)
        waiting = await bot.send_message(
            visit.chat.chat_id, beat_text(device.id, timedelta(0), None, None, visit.reader)
        )
        broker = secret.broker if secret is not None else "MQTT"
        await self._chore(BEAT, visit, waiting.message_id, due=now, device=device.id, broker=broker)

    async def _was_shown(self, device: DeviceRow) -> bool:
        async with self._desk.context.database.transaction() as session:
            return await conversations.has_chore(session, BEAT, device=device.id)

    async def _chore(self, kind: str, visit: Visit, message: int, *, due: datetime, **data: str) -> None:
        now = self._desk.context.clock()
        async with self._desk.context.database.transaction() as session:
            await conversations.add_chore(
                session, kind, visit.chat.id, message, due_at=due, ends_at=now + SHOWN_FOR, **data
            )


def _word(chat: int, message: int) -> str:
    """Six letters that are always the same for one message, and of another message others."""
    digest = hashlib.sha256(f"svitlo new board\n{chat}\n{message}".encode()).digest()
    return base64.b32encode(digest)[:6].decode().lower()


def _told(visit: Visit, device: DeviceRow, secret: BoardSecret | None) -> str:
    if secret is None:
        return visit.say("device-no-secret", device=device.id)
    values = {"device": device.id, "broker": secret.broker, "password": secret.password}
    if secret.code is None:
        return visit.say("device-secret-only", **values)
    return visit.say("device-secret", **values, code=secret.code)
