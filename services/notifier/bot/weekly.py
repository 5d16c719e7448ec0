"""`/weekly`: the picture of the week by itself, on Sundays, and as a living diagram that is pinned."""

from __future__ import annotations

import contextlib

from aiogram import Bot, Router
from aiogram.exceptions import TelegramAPIError
from aiogram.filters import Command, CommandObject
from aiogram.types import Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats_told, diagram, history
from services.notifier.bot.context import Context
from services.notifier.bot.meeting import meet, reader_of
from services.notifier.bot.permission import Permission

COMMANDS = ("weekly",)


def make(context: Context) -> Router:
    """A router of its handler."""
    return Weekly(context).router()


class Weekly:
    """The handler; a change is committed before the answer."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._permission = Permission()

    def router(self) -> Router:
        """A router of the handler."""
        router = Router(name="weekly")
        for observer in (router.message, router.channel_post):
            observer.register(self.weekly, Command("weekly"))
        return router

    async def weekly(self, message: Message, command: CommandObject, bot: Bot) -> None:
        """`/weekly`, `/weekly on`, `/weekly off`, `/weekly pin`, `/weekly unpin`."""
        wish = (command.args or "").strip().lower()
        changes = wish in ("on", "off", "pin", "unpin")
        allowed = not changes or await self._permission.of(message)
        left: int | None = None
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            if not allowed:
                key = "muted-not-allowed"
            elif wish in ("on", "off"):
                await history.set_weekly(session, chat.id, wish == "on")
                key = f"weekly-{wish}"
            elif wish == "pin":
                key = await _pin(session, chat.id)
            elif wish == "unpin":
                left = await diagram.give_up(session, chat.id)
                key = "weekly-unpinned"
            else:
                key = "weekly-is-on" if await history.wants_weekly(session, chat.id) else "weekly-is-off"
        if left is not None:
            # It may be unpinned or deleted already, or the bot may have lost the right.
            with contextlib.suppress(TelegramAPIError):
                await bot.unpin_chat_message(message.chat.id, message_id=left)
        await message.answer(reader_of(self._context, chat).words.say(key))


async def _pin(session: AsyncSession, chat: int) -> str:
    if len(await chats_told.told_sites(session, chat)) != 1:
        return "weekly-pin-one"
    await diagram.want(session, chat)
    return "weekly-pinned"
