"""Keeps one chat from using up what Telegram lets the bot say, which the alerts need."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.types import CallbackQuery, Message, TelegramObject

from services.notifier.pacing import Rate, Window
from services.notifier.texts import LANGUAGES, language_of, words

PRIVATE = Rate(60, 60.0)
GROUP = Rate(10, 60.0)
"""Half of the 20 messages a minute Telegram allows in a group; the rest is for alerts."""


class Throttle(BaseMiddleware):
    """Leaves unanswered what a chat asks beyond its rate; outside every handler.

    What the members of a group say to each other is not asked of the bot and does not count.
    """

    def __init__(self, private: Rate = PRIVATE, group: Rate = GROUP) -> None:
        self._private, self._group = private, group
        self._chats: dict[int, Window] = {}

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Handle the event, or not."""
        chat = data["event_chat"].id if data.get("event_chat") else 0
        if isinstance(event, Message) and chat < 0 and not _asks(event):
            return await handler(event, data)
        now = time.monotonic()
        for idle in [key for key, window in self._chats.items() if window.unused(now)]:
            del self._chats[idle]
        window = self._chats.setdefault(chat, Window(self._group if chat < 0 else self._private))
        if window.wait(now) > 0:
            if isinstance(event, CallbackQuery):
                # A pop-up is no message to Telegram; without an answer the button would seem to hang.
                code = event.from_user.language_code
                await event.answer(words(language_of(code, LANGUAGES[0])).say("slow-down"))
            return None
        window.take(now)
        return await handler(event, data)


def _asks(message: Message) -> bool:
    """Whether a message in a group is for a bot: a command, or a reply to one."""
    replied = message.reply_to_message
    answers = replied is not None and replied.from_user is not None and replied.from_user.is_bot
    return answers or (message.text or "").startswith("/")
