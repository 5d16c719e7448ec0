"""The menu of commands of one chat, in the language it chose. The poller sets those for everybody else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import BotCommand, BotCommandScopeChat

from services.notifier.bot.context import Context
from services.notifier.chats import Chat
from services.notifier.texts import words

CHANNEL = "channel"


def commands(names: Iterable[str], language: str) -> list[BotCommand]:
    """These commands and what they do, in a language."""
    say = words(language).say
    return [BotCommand(command=name, description=say(f"command-{name}")) for name in names]


async def show_menu(bot: Bot, context: Context, chat: Chat) -> None:
    """Let a chat's menu speak its language. A channel has no menu, and topics share that of their group, which its
    general topic decides."""
    if chat.kind == CHANNEL or chat.topic_id:
        return
    menu = commands(context.menu, chat.language)
    with contextlib.suppress(TelegramAPIError):  # the menu is a comfort: the language is set all the same
        await bot.set_my_commands(menu, scope=BotCommandScopeChat(chat_id=chat.chat_id))


async def drop_menu(bot: Bot, chat_id: int) -> None:
    """Let a chat have the menu of everybody again."""
    with contextlib.suppress(TelegramAPIError):
        await bot.delete_my_commands(scope=BotCommandScopeChat(chat_id=chat_id))
