"""What aiogram's errors mean to us."""

from __future__ import annotations

import pytest
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    RestartingTelegram,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import SendMessage

from services.notifier.channels.base import (
    ChannelClosedError,
    ChannelError,
    ChatGoneError,
    ChatMovedError,
    FloodError,
    MessageRefusedError,
    TryLaterError,
)
from services.notifier.channels.telegram import make_bot, translate

CALL = SendMessage(chat_id=1, text="x")
TOKEN = "123456:the-secret"


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (TelegramRetryAfter(CALL, "Too Many Requests", 17), FloodError),
        (TelegramMigrateToChat(CALL, "upgraded", -1005), ChatMovedError),
        (TelegramForbiddenError(CALL, "Forbidden: bot was kicked from the group chat"), ChatGoneError),
        (TelegramBadRequest(CALL, "Bad Request: chat not found"), ChatGoneError),
        (TelegramBadRequest(CALL, "Bad Request: message text is empty"), MessageRefusedError),
        (TelegramUnauthorizedError(CALL, "Unauthorized"), ChannelClosedError),
        (TelegramNotFound(CALL, "Not Found"), ChannelClosedError),
        (TelegramNetworkError(CALL, "ClientOSError: reset"), TryLaterError),
        (TelegramServerError(CALL, "Bad Gateway"), TryLaterError),
        (RestartingTelegram(CALL, "restart"), TryLaterError),
        (TelegramConflictError(CALL, "terminated by other getUpdates request"), TryLaterError),
        (TelegramAPIError(CALL, "I'm a teapot"), TryLaterError),
        (ClientDecodeError("Failed to decode object", ValueError("x"), "<html>"), TryLaterError),
        (TimeoutError(), TryLaterError),
    ],
)
def test_each_error_is_one_of_ours(error: AiogramError | TimeoutError, ours: type[ChannelError]) -> None:
    assert type(translate(error, TOKEN)) is ours


def test_the_wait_and_the_new_id_are_kept() -> None:
    flood = translate(TelegramRetryAfter(CALL, "Too Many Requests", 17), TOKEN)
    moved = translate(TelegramMigrateToChat(CALL, "upgraded", -1005), TOKEN)
    assert isinstance(flood, FloodError)
    assert flood.retry_after_s == 17.0
    assert isinstance(moved, ChatMovedError)
    assert moved.chat_id == -1005


def test_the_token_is_in_no_text() -> None:
    url = f"https://example.org/bot{TOKEN}/sendMessage"
    for error in (TelegramNetworkError(CALL, f"InvalidURL: {url}"), TelegramBadRequest(CALL, url)):
        assert TOKEN not in str(translate(error, TOKEN))
        assert "the-secret" not in str(translate(error, TOKEN))
    with pytest.raises(ChannelClosedError) as caught:
        make_bot("malformed-secret", None)
    assert "malformed-secret" not in str(caught.value)
