"""Telegram messages that stay and change: posted once, edited, pinned."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Awaitable
from typing import TypeVar

from aiogram.exceptions import AiogramError, TelegramBadRequest

from services.notifier.channels.base import Address, MessageLostError, NoRightError
from services.notifier.channels.cutting import TEXT_UNITS, fit
from services.notifier.channels.telegram import TIMEOUT_S, make_bot, translate

_LOST = (
    "message to edit not found",
    "message to pin not found",
    "message to delete not found",
    "message can't be edited",
    "message can't be deleted",
    "message_id_invalid",
    "there is no text in the message to edit",
)
_NO_RIGHT = ("not enough rights to manage pinned messages", "chat_admin_required", "not enough rights to pin")

_Result = TypeVar("_Result")


class Pinboard:
    """Keeps messages in Telegram chats. Everything raises `ChannelError`."""

    def __init__(self, token: str, api_url: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._token = token
        self._timeout_s = timeout_s
        self._bot = make_bot(token, api_url, timeout_s)

    def escape(self, text: str) -> str:
        """Escape for Telegram's HTML."""
        return html.escape(text, quote=False)

    async def post(self, chat: Address, text: str) -> int:
        """Send a message without a sound; returns its id."""
        call = self._bot.send_message(
            chat.chat_id, fit(text, TEXT_UNITS), message_thread_id=chat.topic_id or None, disable_notification=True
        )
        return (await self._make(call)).message_id

    async def edit(self, chat: Address, message_id: int, text: str) -> None:
        """Let a message say this; that it does already is as good. Raises `MessageLostError` if it is gone."""
        try:
            said = fit(text, TEXT_UNITS)
            await self._make(self._bot.edit_message_text(said, chat_id=chat.chat_id, message_id=message_id))
        except UnchangedError:
            return

    async def pin(self, chat: Address, message_id: int) -> None:
        """Pin a message without a sound; a pinned one stays as it is. Raises `NoRightError`, `MessageLostError`."""
        await self._make(self._bot.pin_chat_message(chat.chat_id, message_id, disable_notification=True))

    async def remove(self, chat: Address, message_id: int) -> None:
        """Delete a message, which unpins it. Raises `MessageLostError` if it is gone or too old for that."""
        await self._make(self._bot.delete_message(chat.chat_id, message_id))

    async def close(self) -> None:
        """Close the connections."""
        await self._bot.session.close()

    async def _make(self, call: Awaitable[_Result]) -> _Result:
        try:
            async with asyncio.timeout(self._timeout_s + 1):
                return await call
        except TelegramBadRequest as error:
            said = error.message.lower()
            if "message is not modified" in said:
                raise UnchangedError from None
            if any(words in said for words in _LOST):
                raise MessageLostError(said[:200]) from None
            if any(words in said for words in _NO_RIGHT):
                raise NoRightError(said[:200]) from None
            raise translate(error, self._token) from None
        except (AiogramError, TimeoutError) as error:
            raise translate(error, self._token) from None  # what it came from may hold the token


class UnchangedError(Exception):
    """The message is as it should be."""
