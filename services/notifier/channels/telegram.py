"""Telegram as a channel: one call, and aiogram's errors translated once."""

from __future__ import annotations

import html
from dataclasses import replace

from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import BufferedInputFile, InlineKeyboardButton, InlineKeyboardMarkup, Message
from aiogram.utils.token import TokenValidationError

from services.notifier.channels.base import (
    Address,
    ChannelClosedError,
    ChannelError,
    ChatGoneError,
    ChatMovedError,
    FloodError,
    MessageRefusedError,
    Said,
    TryLaterError,
)
from services.notifier.channels.cutting import CAPTION_UNITS, TEXT_UNITS, fit
from svitlo.contracts import EventKind

TIMEOUT_S = 10.0

_GONE = (
    "chat not found",
    "peer_id_invalid",
    "user is deactivated",
    "have no rights to send a message",
    "not enough rights to send",
    "chat_write_forbidden",
    "chat_restricted",
    "need administrator rights in the channel chat",
    "message thread not found",
    "topic_closed",
    "topic_deleted",
)
"""Words of a 400 that mean the chat or the topic is closed to us, whatever the message."""


_UNSENT = ("ClientConnector", "ClientProxyConnection")
"""How the names of aiohttp's errors begin that mean that there was no connection, and so nothing was said."""


def make_bot(token: str, api_url: str | None, timeout_s: float = TIMEOUT_S) -> Bot:
    """A bot of aiogram's on Telegram's server or another one. Raises `ChannelClosedError` for a malformed token."""
    server = TelegramAPIServer.from_base(api_url) if api_url else PRODUCTION
    try:
        return Bot(
            token,
            session=AiohttpSession(api=server, timeout=timeout_s),
            default=DefaultBotProperties(parse_mode="HTML", link_preview_is_disabled=True),
        )
    except TokenValidationError:
        raise ChannelClosedError("SVITLO_TELEGRAM_TOKEN does not look like a bot's token") from None


def translate(error: AiogramError | TimeoutError, token: str) -> ChannelError:
    """Our error for one of aiogram's; the token, which is part of every address, is taken out of its text."""
    text = str(getattr(error, "message", error)).replace(token, "<token>").partition("\n")[0][:200]
    match error:
        case TelegramRetryAfter():
            return FloodError(f"Telegram asks to wait {error.retry_after} s", float(error.retry_after))
        case TelegramMigrateToChat():
            return ChatMovedError(f"moved to {error.migrate_to_chat_id}", error.migrate_to_chat_id)
        case TelegramForbiddenError():
            return ChatGoneError(text)
        case TelegramUnauthorizedError() | TelegramNotFound():
            # Telegram says "not found" of a method's address whose token it does not know.
            return ChannelClosedError(f"Telegram does not accept SVITLO_TELEGRAM_TOKEN: {text}")
        case TelegramBadRequest():
            # "Not enough rights to send photos": words are still welcome.
            gone = not words_only(error) and any(words in text.lower() for words in _GONE)
            return ChatGoneError(text) if gone else MessageRefusedError(text)
        case TimeoutError():
            return TryLaterError("Telegram did not answer in time", maybe_told=True)
        case TelegramNetworkError():
            unsent = type(error.__cause__).__name__.startswith(_UNSENT)
            return TryLaterError(text, maybe_told=not unsent)
        case TelegramServerError():
            return TryLaterError(text, maybe_told=True)
    # A proxy's error page, an answer that cannot be read, a code nobody knows: passing until proved otherwise.
    return TryLaterError(f"Telegram answered strangely: {text}", maybe_told=True)


class TelegramChannel:
    """Sends alerts as a Telegram bot."""

    platform = "telegram"

    def __init__(self, token: str, api_url: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._token = token
        self._bot = make_bot(token, api_url, timeout_s)

    def escape(self, text: str) -> str:
        """Escape for Telegram's HTML."""
        return html.escape(text, quote=False)

    async def send(self, chat: Address, said: Said, kind: EventKind | None = None) -> int | None:
        """Send one message, cut to what Telegram takes; returns its id. Raises `ChannelError`."""
        try:
            message = await self._call(chat, said)
        except ClientDecodeError as error:
            # Telegram took it, and shows it as something this aiogram does not know.
            if isinstance(error.data, dict) and error.data.get("ok"):
                result = error.data.get("result")
                return result.get("message_id") if isinstance(result, dict) else None
            raise translate(error, self._token) from None
        except (AiogramError, TimeoutError) as error:
            raise translate(error, self._token) from None  # what it came from may hold the token
        return message.message_id

    async def _call(self, chat: Address, said: Said) -> Message:
        topic, markup = chat.topic_id or None, _keyboard(said)
        if said.photo is None:
            return await self._bot.send_message(
                chat.chat_id,
                fit(said.text, TEXT_UNITS),
                message_thread_id=topic,
                disable_notification=said.silent,
                reply_markup=markup,
            )
        try:
            return await self._bot.send_photo(
                chat.chat_id,
                BufferedInputFile(said.photo, "svitlo.png"),
                caption=fit(said.text, CAPTION_UNITS),
                message_thread_id=topic,
                disable_notification=said.silent,
                reply_markup=markup,
            )
        except TelegramBadRequest as error:
            if not words_only(error):
                raise
        return await self._call(chat, replace(said, photo=None))

    async def close(self) -> None:
        """Close the connections."""
        await self._bot.session.close()


def words_only(error: TelegramBadRequest) -> bool:
    """Whether a chat refused a picture because it lets its members send nothing but words."""
    return "photos" in error.message.lower()


def _keyboard(said: Said) -> InlineKeyboardMarkup | None:
    if not said.buttons:
        return None
    rows = [
        [InlineKeyboardButton(text=button.label, callback_data=button.data) for button in row] for row in said.buttons
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows)
