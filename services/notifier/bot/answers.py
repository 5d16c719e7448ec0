"""How the bot's own answers meet Telegram's moods: a middleware round each of its calls."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import TelegramBadRequest, TelegramRetryAfter
from aiogram.methods import SendMessage, TelegramMethod

from services.notifier.pacing import Pace

_HARMLESS = (
    "message is not modified",
    "query is too old",
    "query id is invalid",
    "message to edit not found",
    "message can't be edited",
)
"""Words of a 400 after which there is nothing left to do: the message is as it should be, or nobody waits for it."""


class Answers(BaseRequestMiddleware):
    """Shares the flood wait with the alerts, tries once again after a short one, and lets pass what does not matter."""

    def __init__(self, pace: Pace, longest_wait_s: float = 10.0) -> None:
        self._pace = pace
        self._longest_wait_s = longest_wait_s

    async def __call__(
        self, make_request: NextRequestMiddlewareType[Any], bot: Bot, method: TelegramMethod[Any]
    ) -> Any:
        """Make the call."""
        if isinstance(method, SendMessage) and (wait_s := self._pace.flooded(time.monotonic())):
            await asyncio.sleep(min(wait_s, self._longest_wait_s))
        try:
            return await make_request(bot, method)
        except TelegramBadRequest as error:
            if any(words in error.message.lower() for words in _HARMLESS):
                return True
            raise
        except TelegramRetryAfter as error:
            chat_id = getattr(method, "chat_id", None)
            if not (isinstance(chat_id, int) and chat_id < 0):
                # A group has a limit of its own: one that is asked too much must not silence the alerts of all.
                self._pace.flood(time.monotonic(), error.retry_after)
            if error.retry_after > self._longest_wait_s:
                raise
            await asyncio.sleep(error.retry_after)
            return await make_request(bot, method)
