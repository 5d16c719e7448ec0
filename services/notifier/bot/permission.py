"""Who may change what a chat follows: in a private chat the person, in a group its admins."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiogram import Bot
from aiogram.enums import ChatMemberStatus
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.types import CallbackQuery, Message

ADMINS = (ChatMemberStatus.CREATOR, ChatMemberStatus.ADMINISTRATOR)
REMEMBERED_S = 60.0
MOST = 1000
"""Answers kept at once; beyond that Telegram is asked again."""


class Permission:
    """Asks Telegram who is an admin of a group, and remembers it for a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[int, int], tuple[float, bool]] = {}

    async def of(self, event: Message | CallbackQuery) -> bool:
        """Whether who wrote or pressed may change the settings of the chat."""
        message = event.message if isinstance(event, CallbackQuery) else event
        if message is None or event.bot is None:
            return False
        if message.chat.type == "private":
            return True
        if isinstance(event, Message) and event.chat.type == "channel":
            return True  # only admins write there; anybody may press
        if isinstance(event, Message) and event.sender_chat is not None and event.sender_chat.id == event.chat.id:
            return True  # an admin who writes in the name of the group
        if event.from_user is None:
            return False
        return await self.is_admin(event.bot, message.chat.id, event.from_user.id)

    async def is_admin(self, bot: Bot, chat: int, user: int) -> bool:
        """Whether somebody is an admin of a group or channel, by Telegram's ids; False where the bot may not ask."""
        now = self._clock()
        until, allowed = self._known.get((chat, user), (0.0, False))
        if now < until:
            return allowed
        try:
            member = await bot.get_chat_member(chat, user)
        except (TelegramBadRequest, TelegramForbiddenError):
            return False
        allowed = member.status in ADMINS
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[chat, user] = (now + REMEMBERED_S, allowed)
        return allowed
