"""Who speaks to the bot and where: the chat or topic of an update, and for whom its answers are made."""

from __future__ import annotations

import html
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message, User
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats
from services.notifier.bot.context import Context
from services.notifier.chats import TELEGRAM, Chat
from services.notifier.texts import language_of, words
from services.notifier.views import Reader

ANSWER = 200
"""Characters of a pop-up."""


async def meet(session: AsyncSession, context: Context, message: Message, user: User | None) -> Chat:
    """The chat, or the topic of a forum, in which a message stands; made if it is new, in the user's language."""
    return await chats.meet(
        session,
        TELEGRAM,
        message.chat.id,
        language_of(user.language_code if user else None, context.language),
        topic_id=topic_of(message),
        kind=message.chat.type,
        title=message.chat.title,
    )


def topic_of(message: Message) -> int:
    """The topic of a forum a message stands in; 0 without."""
    return (message.message_thread_id or 0) if message.is_topic_message else 0


def reader_of(context: Context, chat: Chat) -> Reader:
    """For whom texts to a chat are made, now."""
    return Reader(
        words=words(chat.language),
        zone=zone_of(context, chat),
        now=context.clock(),
        escape=lambda text: html.escape(text, quote=False),
    )


def zone_of(context: Context, chat: Chat) -> ZoneInfo:
    """A chat's own time zone, or the installation's."""
    try:
        return ZoneInfo(chat.timezone) if chat.timezone else context.zone
    except (ZoneInfoNotFoundError, ValueError):
        return context.zone


def is_private(message: Message) -> bool:
    """Whether nobody but one person reads along."""
    return message.chat.type == "private"


async def outdated(query: CallbackQuery, context: Context) -> None:
    """Answer a button that can do nothing any more: its message is too old for bots, or what it was about is gone."""
    language = language_of(query.from_user.language_code, context.language)
    await query.answer(words(language).say("stale"), show_alert=True)


async def show(query: CallbackQuery, text: str, markup: InlineKeyboardMarkup | None, notice: str = "") -> None:
    """Answer a button: what stood above it becomes `text`, and `notice` pops up for a moment."""
    await query.answer(notice[:ANSWER] or None)
    if isinstance(query.message, Message):
        await query.message.edit_text(text, reply_markup=markup)
