"""What the fake Telegram asks of a request before it takes it: lengths, markup, buttons, files."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from typing import Any

from tests.support.telegram_rooms import ApiError

_TAGS = {"a", "b", "strong", "i", "em", "u", "s", "code", "pre", "blockquote", "tg-spoiler", "tg-time", "tg-emoji"}
_LITERAL = {"text", "caption", "parse_mode", "callback_query_id", "language_code", "photo", "document", "title"}
"""Fields that are text whatever they look like."""


def decode(key: str, value: str) -> Any:
    """A form field as the value it stands for: JSON where it is not plain text."""
    if key in _LITERAL:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def buttons(markup: Any) -> list[dict[str, Any]]:
    if not isinstance(markup, dict):
        return []
    return [button for row in markup.get("inline_keyboard", []) for button in row]


def file(named: str, files: dict[str, Any]) -> tuple[bytes | None, str]:
    """The bytes and the name of what was uploaded; of a file sent by its id there are none."""
    if not named.startswith("attach://"):
        return None, ""
    part = files.get(named.removeprefix("attach://"))
    if part is None:
        raise ApiError(400, "Bad Request: there is no file in the request")
    data: bytes = part.file.read()
    if not data:
        raise ApiError(400, "Bad Request: file must be non-empty")
    return data, str(part.filename)


def check_text(params: dict[str, Any]) -> None:
    if not params["text"].strip():
        raise ApiError(400, "Bad Request: message text is empty")
    if _length(plain(params)) > 4096:
        raise ApiError(400, "Bad Request: message is too long")
    _check_html(params, params["text"])


def check_caption(params: dict[str, Any]) -> None:
    if "caption" in params:
        if _length(plain(params)) > 1024:
            raise ApiError(400, "Bad Request: message caption is too long")
        _check_html(params, params["caption"])


def _check_html(params: dict[str, Any], said: str) -> None:
    if params.get("parse_mode") == "HTML":
        checker = _Markup()
        checker.feed(said)
        checker.close()
        if re.search(r"<(?![a-z/])", said):
            raise ApiError(400, "Bad Request: can't parse entities: unexpected '<'")


def check_markup(markup: Any, chat_id: Any) -> None:
    for button in buttons(markup):
        if not button.get("text", "").strip():
            raise ApiError(400, "Bad Request: inline keyboard button text can't be empty")
        if not 0 < len(button.get("callback_data", "x").encode()) <= 64:
            raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")
        if not set(button) - {"text", "style", "icon_custom_emoji_id"}:
            raise ApiError(400, "Bad Request: text buttons are unallowed in the inline keyboard")
    if isinstance(markup, dict) and isinstance(chat_id, int) and chat_id < 0:
        keys = [key for row in markup.get("keyboard", []) for key in row if isinstance(key, dict)]
        if any("request_chat" in key or "request_users" in key for key in keys):
            raise ApiError(400, "Bad Request: chats can be requested in private chats only")


def _length(text: str) -> int:
    """In UTF-16 units, as Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def plain(params: dict[str, Any]) -> str:
    """The text or caption as a reader sees it."""
    text = str(params.get("text") or params.get("caption") or "")
    return html.unescape(re.sub(r"<[^>]*>", "", text)) if params.get("parse_mode") == "HTML" else text


class _Markup(HTMLParser):
    """Refuses tags Telegram does not know."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            raise ApiError(400, f'Bad Request: can\'t parse entities: Unsupported start tag "{tag}"')
