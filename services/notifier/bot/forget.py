"""`/forget`: all that is kept of a chat goes, once it was asked for twice; the last owner is asked once more."""

from __future__ import annotations

import contextlib

from aiogram import Bot, F, Router
from aiogram.exceptions import TelegramAPIError
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message, User
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats, chats_forget, people
from services.notifier.bot.context import Context
from services.notifier.bot.meeting import is_private, reader_of, show, topic_of
from services.notifier.bot.menus import drop_menu
from services.notifier.bot.permission import Permission
from services.notifier.bot.rules_boards import Whole, whole_board
from services.notifier.chats import TELEGRAM, Chat
from services.notifier.texts import language_of, words
from services.notifier.views import Reader
from services.notifier.views.settings import forget_text

COMMANDS: tuple[str, ...] = ()

SURE = ("yes", "owner")
"""Answers that mean it; `owner` also where nobody is left to own the bot."""


def make(context: Context) -> Router:
    """A router of these handlers."""
    return Forget(context).router()


class Forget:
    """The handlers. They meet nobody: that would be to remember."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._permission = Permission()

    def router(self) -> Router:
        """A router of these handlers."""
        router = Router(name="forget")
        for observer in (router.message, router.channel_post):
            observer.register(self.ask, Command("forget"))
        router.callback_query.register(self.press, Whole.filter(F.what == "forget"))
        return router

    async def ask(self, message: Message) -> None:
        """`/forget`: say what would go, and ask."""
        allowed = await self._permission.of(message)
        async with self._context.database.transaction() as session:
            kept = await chats_forget.kept(session, message.chat.id)
            last_owner = await people.is_last_owner(session, message.chat.id)
            reader = await self._reader(session, message, message.from_user)
        say = reader.words.say
        if not allowed:
            await message.answer(say("group-admins-only"))
        elif not kept:
            await message.answer(say("forget-nothing"))
        else:
            board = whole_board("forget", [("yes", say("forget-yes")), ("no", say("forget-no"))])
            text = forget_text(kept, reader, group=not is_private(message), done=False, last_owner=last_owner)
            await message.answer(text, reply_markup=board)

    async def press(self, query: CallbackQuery, callback_data: Whole, bot: Bot) -> None:
        """The answer."""
        message = query.message
        own = words(language_of(query.from_user.language_code, self._context.language))
        if not isinstance(message, Message):
            await query.answer(own.say("stale"), show_alert=True)
            return
        if not await self._permission.of(query):
            await query.answer(own.say("group-admins-only"), show_alert=True)
            return
        async with self._context.database.transaction() as session:
            reader = await self._reader(session, message, query.from_user)
            # Two owners who go at once must both be asked.
            last_owner = await people.is_last_owner(session, message.chat.id, settled=True)
            asked_again = last_owner and callback_data.value == "yes"
            sure = callback_data.value in SURE and not asked_again
            pinned = await chats_forget.kept_up(session, message.chat.id) if sure else []
            gone = await chats_forget.forget(session, message.chat.id) if sure else None
        if asked_again:
            say = reader.words.say
            board = whole_board("forget", [("owner", say("forget-owner-yes")), ("no", say("forget-no"))])
            await show(query, say("forget-owner-sure"), board)
            return
        if gone is None:
            text = reader.words.say("forget-kept")
        elif not gone:
            text = reader.words.say("forget-nothing")
        else:
            text = forget_text(gone, reader, group=not is_private(message), done=True, last_owner=last_owner)
        await show(query, text, None)
        if gone is not None:
            await drop_menu(bot, message.chat.id)
        for message_id in pinned:
            await _take_down(bot, message.chat.id, message_id)

    async def _reader(self, session: AsyncSession, message: Message, user: User | None) -> Reader:
        chat = await chats.known(session, TELEGRAM, message.chat.id, topic_of(message))
        if chat is not None:
            return reader_of(self._context, chat)
        language = language_of(user.language_code if user else None, self._context.language)
        return reader_of(self._context, Chat(id=0, chat_id=message.chat.id, language=language, active=True))


async def _take_down(bot: Bot, chat_id: int, message_id: int) -> None:
    """Delete what nobody will keep up to date any more; where Telegram does not let us, at least unpin it."""
    for call in (bot.delete_message, bot.unpin_chat_message):
        with contextlib.suppress(TelegramAPIError):
            await call(chat_id, message_id=message_id)
            return
