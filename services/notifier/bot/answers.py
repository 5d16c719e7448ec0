"""How the bot's own answers meet Telegram's moods: a middleware round each of its calls."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import TelegramBadRequest, TelegramRetryAfter
from aiogram.methods import (
    EditMessageCaption,
    EditMessageMedia,
    EditMessageReplyMarkup,
    EditMessageText,
    SendDocument,
    SendMessage,
    SendPhoto,
    TelegramMethod,
)

from services.notifier.chats import TELEGRAM
from services.notifier.pacing import Pace
from services.notifier.workers import tell_flood
from svitlo.db.session import Database

_HARMLESS = (
    "message is not modified",
    "query is too old",
    "query id is invalid",
    "message to edit not found",
    "message can't be edited",
)
"""Words of a 400 after which there is nothing left to do: the message is as it should be, or nobody waits for it."""


PACED = (
    SendMessage,
    SendPhoto,
    SendDocument,
    EditMessageText,
    EditMessageCaption,
    EditMessageMedia,
    EditMessageReplyMarkup,
)
"""What Telegram counts."""


class Answers(BaseRequestMiddleware):
    """Keeps the bot's answers within the rate, before the alerts, who wait longer; tries once again after a short wait.

    A wait of the whole bot is told to the other processes by the database.
    """

    def __init__(self, pace: Pace, database: Database | None = None, *, longest_wait_s: float = 10.0) -> None:
        self._pace = pace
        self._database = database
        self._longest_wait_s = longest_wait_s

    async def __call__(
        self, make_request: NextRequestMiddlewareType[Any], bot: Bot, method: TelegramMethod[Any]
    ) -> Any:
        """Make the call."""
        try:
            return await self._call(make_request, bot, method)
        except TelegramBadRequest as error:
            if any(words in error.message.lower() for words in _HARMLESS):
                return True
            raise
        except TelegramRetryAfter as error:
            if not self._asked_too_much(method):
                self._pace.flood(time.monotonic(), error.retry_after)
                if self._database is not None:
                    await tell_flood(self._database, TELEGRAM, error.retry_after)
            if error.retry_after > self._longest_wait_s:
                raise
            await asyncio.sleep(error.retry_after)
            return await self._call(make_request, bot, method)

    async def _call(self, make_request: NextRequestMiddlewareType[Any], bot: Bot, method: TelegramMethod[Any]) -> Any:
        if not isinstance(method, PACED):
            return await make_request(bot, method)
        await self._turn()
        sending = self._pace.begin(_chat(method), now=time.monotonic())
        try:
            return await make_request(bot, method)
        finally:
            sending.end(time.monotonic())

    async def _turn(self) -> None:
        """Wait for room, though not for ever: somebody pressed a button."""
        deadline = time.monotonic() + self._longest_wait_s
        with self._pace.going_first():
            # The pace tells no event of its own.
            while (  # noqa: ASYNC110
                (now := time.monotonic()) < deadline and self._pace.room(now, first=True) <= 0
            ):
                await asyncio.sleep(min(deadline - now, self._pace.next_change(now) or 0.05))

    def _asked_too_much(self, method: TelegramMethod[Any]) -> bool:
        """Whether the wait is a chat's own: a group has a limit of its own, and so has one who presses too fast.

        It must not silence the alerts of all.
        """
        chat_id = _chat(method)
        return chat_id < 0 or chat_id in self._pace.full_chats(time.monotonic())


def _chat(method: TelegramMethod[Any]) -> int:
    chat_id = getattr(method, "chat_id", None)
    return chat_id if isinstance(chat_id, int) else 0
