"""The bot's chores: messages of its own that it deletes, or keeps up to date, also after a restart."""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from aiogram import Bot
from aiogram.exceptions import AiogramError, TelegramNetworkError, TelegramRetryAfter, TelegramServerError
from aiogram.types import InlineKeyboardMarkup
from sqlalchemy import text

from services.notifier import broadcasts, conversations
from services.notifier.bot.admins_broadcasts import stop_key
from services.notifier.bot.admins_devices import BEAT, DELETE, SHOWN_FOR
from services.notifier.bot.answers import Answers
from services.notifier.bot.context import Context
from services.notifier.bot.meeting import zone_of
from services.notifier.broadcasts import BROADCAST
from services.notifier.channels.telegram import TIMEOUT_S
from services.notifier.chats import Chat
from services.notifier.conversations import Chore
from services.notifier.pacing import Pace
from services.notifier.texts import words
from services.notifier.views import Reader
from services.notifier.views.admins import beat_text, progress_text

log = logging.getLogger(__name__)

AGAIN = timedelta(seconds=3)
"""Between two looks at something that goes on."""
SHOWN = timedelta(seconds=60)
"""How long the first beat of a board is kept up to date."""
PASSING = (TelegramNetworkError, TelegramServerError, TelegramRetryAfter)

Work = Callable[[Chore], Awaitable[None]]


class Chores:
    """Does what is due, looking every `poll_s`; each chore is done by one process at a time."""

    def __init__(
        self, context: Context, bot: Bot, pace: Pace, *, poll_s: float = 1.0, again: timedelta = AGAIN
    ) -> None:
        self._context = context
        self._bot = bot
        self._bot.session.middleware(Answers(pace, context.database))
        self._poll_s = poll_s
        self._again = again
        self._works: dict[str, Work] = {DELETE: self._delete, BEAT: self._beat, BROADCAST: self._broadcast}

    async def run(self) -> None:
        """Work until cancelled. Raises `DatabaseUnavailableError`; running again goes on."""
        while True:
            async with self._context.database.transaction() as session:
                due = await conversations.claim_chores(session, self._context.clock())
            for chore in due:
                await self._do(chore)
            await asyncio.sleep(self._poll_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._bot.session.close()

    async def _do(self, chore: Chore) -> None:
        """One chore; what Telegram cannot do now is tried again, what it refuses is over."""
        try:
            async with asyncio.timeout(2 * TIMEOUT_S):
                await self._works[chore.kind](chore)
        except (*PASSING, TimeoutError):
            if self._context.clock() < chore.ends_at + timedelta(hours=1):
                return  # it falls due again when its lease ends
            await self._drop(chore)
        except AiogramError as error:
            log.info("chore %d (%s) is over: %s", chore.id, chore.kind, type(error).__name__)
            await self._drop(chore)

    async def _delete(self, chore: Chore) -> None:
        await self._bot.delete_message(chore.chat_id, chore.message_id)
        await self._drop(chore)

    async def _beat(self, chore: Chore) -> None:
        now, reader = self._context.clock(), self._reader(chore)
        async with self._context.database.transaction() as session:
            row = (
                await session.execute(
                    text("SELECT last_seen_at, rssi FROM devices WHERE id = :id AND removed_at IS NULL"),
                    {"id": chore.data["device"]},
                )
            ).one_or_none()
        if row is None:
            await self._drop(chore)
            return
        began = chore.ends_at - SHOWN_FOR
        seen = row.last_seen_at
        if seen is None and now >= chore.ends_at:
            values = {"device": chore.data["device"], "broker": chore.data["broker"]}
            await self._edit(chore, reader.words.say("beat-none", **values))
            await self._drop(chore)
            return
        said = beat_text(chore.data["device"], now - began, seen, row.rssi if seen else None, reader)
        await self._edit(chore, said)
        first = chore.data.get("first") or (now.timestamp() if seen is not None else None)
        if first is not None and now.timestamp() - first >= SHOWN.total_seconds():
            await self._drop(chore)
            return
        await self._later(chore, first=first)

    async def _broadcast(self, chore: Chore) -> None:
        broadcast, reader = chore.data["broadcast"], self._reader(chore)
        async with self._context.database.transaction() as session:
            found = await broadcasts.progress(session, UUID(broadcast))
        if found is None:
            await self._drop(chore)
            return
        over = found.state != "sending" or not found.left
        # What was under way when it was stopped still counts.
        settled = not found.left or self._context.clock() >= chore.ends_at
        await self._edit(chore, progress_text(found, reader), None if over else stop_key(broadcast, reader.words))
        if over and settled:
            await self._drop(chore)
        else:
            await self._later(chore)

    async def _edit(self, chore: Chore, said: str, markup: InlineKeyboardMarkup | None = None) -> None:
        await self._bot.edit_message_text(said, chat_id=chore.chat_id, message_id=chore.message_id, reply_markup=markup)

    async def _later(self, chore: Chore, **more: float | None) -> None:
        data = {**chore.data, **more}
        async with self._context.database.transaction() as session:
            await conversations.put_off(session, chore.id, self._context.clock() + self._again, **data)

    async def _drop(self, chore: Chore) -> None:
        async with self._context.database.transaction() as session:
            await conversations.drop_chore(session, chore.id)

    def _reader(self, chore: Chore) -> Reader:
        chat = Chat(chore.chat, chore.chat_id, chore.language, True, timezone=chore.timezone)
        return Reader(
            words=words(chore.language),
            zone=zone_of(self._context, chat),
            now=self._context.clock(),
            escape=lambda said: html.escape(said, quote=False),
        )
