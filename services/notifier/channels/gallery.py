"""Telegram pictures that stay and change: posted once, redrawn, pinned and unpinned."""

from __future__ import annotations

import contextlib

from aiogram.types import BufferedInputFile, InputMediaPhoto

from services.notifier.channels.base import Address, MessageLostError, MessageRefusedError
from services.notifier.channels.pinboard import Pinboard, UnchangedError

_NAME = "week.png"


class Gallery(Pinboard):
    """Keeps pictures in Telegram chats. Everything raises `ChannelError`."""

    async def hang(self, chat: Address, photo: bytes, caption: str) -> int:
        """Send a picture (PNG) without a sound; returns the message's id."""
        call = self._bot.send_photo(
            chat.chat_id,
            BufferedInputFile(photo, _NAME),
            caption=caption,
            message_thread_id=chat.topic_id or None,
            disable_notification=True,
        )
        return (await self._make(call)).message_id

    async def redraw(self, chat: Address, message_id: int, photo: bytes, caption: str) -> None:
        """Put another picture and caption in place of those. Raises `MessageLostError` if the message is gone."""
        media = InputMediaPhoto(media=BufferedInputFile(photo, _NAME), caption=caption, parse_mode="HTML")
        call = self._bot.edit_message_media(media, chat_id=chat.chat_id, message_id=message_id)
        with contextlib.suppress(UnchangedError):
            await self._make(call)

    async def unpin(self, chat: Address, message_id: int) -> None:
        """Unpin a message; one that is gone or not pinned is as good. Raises `NoRightError`."""
        with contextlib.suppress(MessageLostError, MessageRefusedError, UnchangedError):
            await self._make(self._bot.unpin_chat_message(chat.chat_id, message_id=message_id))
