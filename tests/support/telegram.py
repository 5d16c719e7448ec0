"""A Bot API server of our own, over HTTP: what Telegram would do, and everything it may do wrong.

It knows every method from aiogram's own classes, checks what it is sent as Telegram would, remembers what each chat
saw and when, lets people speak, and can be made to flood-wait, block, migrate, fail, hang or fall silent.

    async with FakeTelegram() as telegram:
        telegram.say(42, "/start", language="uk")
        await telegram.wait_for(42, "Оберіть")
        telegram.press(42, "Шевченка 12")
        telegram.flood(retry_after=1)
        await telegram.wait_for(42, "світла немає")
        assert [seen.text for seen in telegram.messages(42)] == [...]
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Self

from aiogram import methods as api
from aiogram.methods.base import TelegramMethod
from aiogram.types import Message
from aiohttp import web
from pydantic import ValidationError

BOT_ID = 7_000_000_001
BOT_NAME = "svitlo_test_bot"
TOKEN = f"{BOT_ID}:tests-only"

_METHODS: dict[str, type[TelegramMethod[Any]]] = {
    method.__api_method__.lower(): method
    for method in (getattr(api, name) for name in api.__all__)
    if isinstance(getattr(method, "__api_method__", None), str)
}
_TAGS = {"a", "b", "strong", "i", "em", "u", "s", "code", "pre", "blockquote", "tg-spoiler", "tg-time", "tg-emoji"}
_LITERAL = {"text", "caption", "parse_mode", "callback_query_id", "language_code"}
"""Fields that are text whatever they look like."""


@dataclass(frozen=True)
class Call:
    """One request of the bot's: method, decoded parameters, `time.monotonic()` at arrival, and the status it got."""

    method: str
    params: dict[str, Any]
    at: float
    status: int


@dataclass
class Seen:
    """A message as its chat sees it now (edits applied); `at` is `time.monotonic()` of its arrival."""

    message_id: int
    text: str
    at: float
    buttons: list[dict[str, Any]] = field(default_factory=list)
    edits: int = 0

    @property
    def labels(self) -> list[str]:
        return [button["text"] for button in self.buttons]


@dataclass
class Fault:
    """An answer, a closed connection or silence in place of the next `times` matching calls."""

    kind: str
    times: int
    chat_id: int | None = None
    method: str = "sendmessage"
    status: int = 0
    description: str = ""
    parameters: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class ApiError(Exception):
    """An answer that is not ok."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status, self.description, self.parameters = status, description, parameters


class FakeTelegram:
    """A Bot API server on 127.0.0.1. With `per_second` it refuses what comes faster, as Telegram does."""

    def __init__(self, *, token: str = TOKEN, port: int = 0, per_second: int | None = None) -> None:
        self.token = token
        self.per_second = per_second
        self.calls: list[Call] = []
        self.answers: list[str] = []
        self.commands: dict[str, list[str]] = {}
        self._port = port
        self._chats: dict[int, list[Seen]] = defaultdict(list)
        self._blocked: dict[int, str] = {}
        self._migrated: dict[int, int] = {}
        self._faults: list[Fault] = []
        self._updates: deque[dict[str, Any]] = deque()
        self._next = {"update": 1000, "message": 1, "query": 1}
        self._poll = 0
        self._changed = asyncio.Condition()
        self._closing = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._notify()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # What people do.

    def say(self, chat_id: int, text: str, *, language: str | None = "uk", user_id: int | None = None) -> None:
        """Somebody writes in a chat. In a private chat that also lifts a block."""
        if chat_id > 0:
            self._blocked.pop(chat_id, None)
        message = self._message(chat_id, text) | {"from": self._user(user_id or abs(chat_id), language)}
        if text.startswith("/"):
            length = len(text.split()[0])
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        self._push(message=message)

    def press(self, chat_id: int, label: str, *, language: str | None = "uk", user_id: int | None = None) -> None:
        """Somebody presses the newest button whose label contains `label`."""
        for seen in reversed(self._chats[chat_id]):
            for button in seen.buttons:
                if label in button["text"]:
                    self.press_data(
                        chat_id, button["callback_data"], seen.message_id, language=language, user_id=user_id
                    )
                    return
        raise AssertionError(f"chat {chat_id} has no button {label!r}")

    def press_data(
        self, chat_id: int, data: str, message_id: int, *, language: str | None = "uk", user_id: int | None = None
    ) -> None:
        """A callback with any data, also such as no button of ours carries."""
        message = self._message(chat_id, "…", message_id) | {"from": self._me()}
        self._push(
            callback_query={
                "id": str(self._count("query")),
                "from": self._user(user_id or abs(chat_id), language),
                "message": message,
                "chat_instance": "1",
                "data": data,
            }
        )

    def member(self, chat_id: int, status: str, *, language: str | None = "uk") -> None:
        """The bot's standing in a chat becomes `member`, `administrator`, `left` or `kicked` (blocked)."""

        def standing(word: str) -> dict[str, Any]:
            return {"status": word, "user": self._me()} | ({"until_date": 0} if word == "kicked" else {})

        if status in ("kicked", "left"):
            self.block(chat_id)
        else:
            self._blocked.pop(chat_id, None)
        self._push(
            my_chat_member={
                "chat": self._chat(chat_id),
                "from": self._user(abs(chat_id), language),
                "date": int(time.time()),
                "old_chat_member": standing("member"),
                "new_chat_member": standing(status),
            }
        )

    # What may go wrong.

    def block(self, chat_id: int, description: str = "Forbidden: bot was blocked by the user") -> None:
        """Refuse everything to a chat (403) until somebody there writes again; other texts as 400."""
        self._blocked[chat_id] = description

    def unblock(self, chat_id: int) -> None:
        """Take the chat's messages again."""
        self._blocked.pop(chat_id, None)

    def migrate(self, chat_id: int, new_chat_id: int) -> None:
        """A group lives on under another id."""
        self._migrated[chat_id] = new_chat_id

    def flood(self, retry_after: int = 1, *, times: int = 1, chat_id: int | None = None) -> None:
        """Answer 429."""
        description = f"Too Many Requests: retry after {retry_after}"
        parameters = {"retry_after": retry_after}
        self._fault("answer", times, chat_id, status=429, description=description, parameters=parameters)

    def fail(
        self,
        status: int = 502,
        description: str = "Bad Gateway",
        *,
        times: int = 1,
        chat_id: int | None = None,
        method: str = "sendMessage",
    ) -> None:
        """Answer with an error."""
        self._fault("answer", times, chat_id, method, status=status, description=description)

    def drop(self, *, times: int = 1, chat_id: int | None = None) -> None:
        """Close the connection without an answer (the message is not delivered)."""
        self._fault("drop", times, chat_id)

    def hang(self, *, times: int = 1, chat_id: int | None = None) -> None:
        """Take the request and never answer (the message is not delivered)."""
        self._fault("hang", times, chat_id)

    def slow(self, seconds: float, *, times: int = 1, chat_id: int | None = None) -> None:
        """Deliver the message and answer late."""
        self._fault("slow", times, chat_id, seconds=seconds)

    def garble(self, *, times: int = 1, chat_id: int | None = None) -> None:
        """Answer like a broken proxy, with a page of HTML."""
        self._fault("garble", times, chat_id)

    # What chats saw.

    def messages(self, chat_id: int) -> list[Seen]:
        """The messages in a chat, oldest first."""
        return list(self._chats[chat_id])

    def texts(self, chat_id: int) -> list[str]:
        return [seen.text for seen in self._chats[chat_id]]

    def calls_to(self, method: str, chat_id: int | None = None) -> list[Call]:
        """The bot's requests of one method, refused ones too."""
        return [
            call
            for call in self.calls
            if call.method.lower() == method.lower() and (chat_id is None or call.params.get("chat_id") == chat_id)
        ]

    async def wait_for(self, chat_id: int, what: str | Callable[[Seen], bool], timeout_s: float = 10.0) -> Seen:
        """The first message in the chat that contains the words or fulfils the condition, now or later."""

        def found() -> Seen | None:
            fits = what if callable(what) else lambda seen: what in seen.text
            return next((seen for seen in self._chats[chat_id] if fits(seen)), None)

        try:
            seen: Seen = await self.wait_until(found, timeout_s)
        except AssertionError:
            raise AssertionError(
                f"chat {chat_id} did not see {what!r} within {timeout_s} s, but {self.texts(chat_id)}"
            ) from None
        return seen

    async def wait_until(self, condition: Callable[[], Any], timeout_s: float = 10.0, what: str = "") -> Any:
        """Wait until a condition on this server holds (looked at after each request) and return its value."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                while not (value := condition()):
                    await self._changed.wait()
                return value
        except TimeoutError:
            raise AssertionError(f"not within {timeout_s} s: {what or condition}") from None

    # Inside.

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        at = time.monotonic()
        name = request.match_info["method"].lower()
        if request.match_info["token"] != self.token:
            return self._answer(ApiError(401, "Unauthorized"))
        if name not in _METHODS:
            return self._answer(ApiError(404, "Not Found: method not found"))
        method = _METHODS[name]
        params = {key: _decode(key, str(value)) for key, value in {**request.query, **await request.post()}.items()}
        status = 0
        try:
            fault = self._matching_fault(name, params)
            if fault is not None and fault.kind in ("drop", "garble", "hang"):
                return await self._misbehave(request, fault)
            self._check(method, name, params, at, fault)
            result = await self._result(method, name, params, at)
            if fault is not None:
                await self._notify()
                await asyncio.sleep(fault.seconds)
            status = 200
            return web.json_response({"ok": True, "result": result})
        except ApiError as error:
            status = error.status
            return self._answer(error)
        finally:
            self.calls.append(Call(method.__api_method__, params, at, status))
            await self._notify()

    def _check(
        self, method: type[TelegramMethod[Any]], name: str, params: dict[str, Any], at: float, fault: Fault | None
    ) -> None:
        """Refuse what Telegram would refuse, and what it was told to."""
        if fault is not None and fault.kind == "answer":
            raise ApiError(fault.status, fault.description, **fault.parameters)
        try:
            method.model_validate(params)
        except ValidationError as error:
            raise ApiError(400, f"Bad Request: {error.errors()[0]['loc']} {error.errors()[0]['msg']}") from error
        chat_id = params.get("chat_id")
        if isinstance(chat_id, int):
            if chat_id in self._migrated:
                to = self._migrated[chat_id]
                description = "Bad Request: group chat was upgraded to a supergroup chat"
                raise ApiError(400, description, migrate_to_chat_id=to)
            if chat_id in self._blocked:
                description = self._blocked[chat_id]
                raise ApiError(403 if description.startswith("Forbidden") else 400, description)
        if "text" in params and name != "answercallbackquery":
            _check_text(params)
        for button in _buttons(params.get("reply_markup")):
            if len(button.get("callback_data", "").encode()) > 64:
                raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")
        if self.per_second is not None and name == "sendmessage":
            recent = [call for call in self.calls_to("sendMessage") if call.status == 200 and call.at > at - 1]
            if len(recent) >= self.per_second:
                raise ApiError(429, "Too Many Requests: retry after 1", retry_after=1)

    async def _result(self, method: type[TelegramMethod[Any]], name: str, params: dict[str, Any], at: float) -> Any:
        if name == "getme":
            return self._me()
        if name == "getupdates":
            return await self._get_updates(params)
        if name == "sendmessage":
            message = self._message(params["chat_id"], _plain(params)) | {"from": self._me()}
            self._chats[params["chat_id"]].append(
                Seen(message["message_id"], message["text"], at, _buttons(params.get("reply_markup")))
            )
            return message
        if name == "editmessagetext":
            return self._edit(params)
        if name == "answercallbackquery":
            self.answers.append(params.get("text", ""))
        elif name == "setmycommands":
            self.commands[params.get("language_code", "")] = [item["command"] for item in params["commands"]]
        if method.__returning__ is bool:
            return True
        raise ApiError(501, f"Not Implemented: {method.__api_method__} ({method.__returning__ is Message})")

    def _edit(self, params: dict[str, Any]) -> dict[str, Any]:
        seen = next((s for s in self._chats[params["chat_id"]] if s.message_id == params["message_id"]), None)
        if seen is None:
            raise ApiError(400, "Bad Request: message to edit not found")
        text, buttons = _plain(params), _buttons(params.get("reply_markup"))
        if (seen.text, seen.buttons) == (text, buttons):
            raise ApiError(400, "Bad Request: message is not modified")
        seen.text, seen.buttons, seen.edits = text, buttons, seen.edits + 1
        return self._message(params["chat_id"], text, seen.message_id) | {"from": self._me()}

    async def _get_updates(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        """Long polling; what lies below `offset` is confirmed and forgotten, a second poller ends the first."""
        self._poll += 1
        mine = self._poll
        await self._notify()
        while self._updates and self._updates[0]["update_id"] < params.get("offset", 0):
            self._updates.popleft()
        allowed = params.get("allowed_updates")
        deadline = time.monotonic() + params.get("timeout", 0)
        while True:
            ready = [item for item in self._updates if not allowed or any(kind in item for kind in allowed)]
            if mine != self._poll:
                raise ApiError(409, "Conflict: terminated by other getUpdates request")
            left = deadline - time.monotonic()
            if ready or left <= 0 or self._closing.is_set():
                return ready[: params.get("limit", 100)]
            async with self._changed:
                try:
                    async with asyncio.timeout(left):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    def _matching_fault(self, name: str, params: dict[str, Any]) -> Fault | None:
        for fault in self._faults:
            if fault.method == name and fault.chat_id in (None, params.get("chat_id")):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    async def _misbehave(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "garble":
            return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
        if fault.kind == "hang":
            await self._closing.wait()
        if request.transport is not None:
            request.transport.close()
        return web.Response(status=500)

    def _answer(self, error: ApiError) -> web.Response:
        body: dict[str, Any] = {"ok": False, "error_code": error.status, "description": error.description}
        if error.parameters:
            body["parameters"] = error.parameters
        return web.json_response(body, status=error.status)

    def _fault(self, kind: str, times: int, chat_id: int | None, method: str = "sendMessage", **details: Any) -> None:
        self._faults.append(Fault(kind, times, chat_id, method.lower(), **details))

    def _push(self, **update: dict[str, Any]) -> None:
        self._updates.append({"update_id": self._count("update"), **update})
        task = asyncio.get_running_loop().create_task(self._notify())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _message(self, chat_id: int, text: str, message_id: int | None = None) -> dict[str, Any]:
        return {
            "message_id": message_id or self._count("message"),
            "date": int(time.time()),
            "chat": self._chat(chat_id),
            "text": text,
        }

    def _chat(self, chat_id: int) -> dict[str, Any]:
        if chat_id > 0:
            return {"id": chat_id, "type": "private", "first_name": f"Person {chat_id}"}
        return {"id": chat_id, "type": "supergroup", "title": f"House {-chat_id}"}

    def _user(self, user_id: int, language: str | None) -> dict[str, Any]:
        user = {"id": user_id, "is_bot": False, "first_name": f"Person {user_id}"}
        return user | ({"language_code": language} if language else {})

    def _me(self) -> dict[str, Any]:
        return {"id": BOT_ID, "is_bot": True, "first_name": "Svitlo", "username": BOT_NAME}

    def _count(self, what: str) -> int:
        self._next[what] += 1
        return self._next[what]


def _decode(key: str, value: str) -> Any:
    """A form field as the value it stands for: JSON where it is not plain text."""
    if key in _LITERAL:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _buttons(markup: Any) -> list[dict[str, Any]]:
    if not isinstance(markup, dict):
        return []
    return [button for row in markup.get("inline_keyboard", []) for button in row]


def _check_text(params: dict[str, Any]) -> None:
    if not params["text"].strip():
        raise ApiError(400, "Bad Request: message text is empty")
    if len(_plain(params)) > 4096:
        raise ApiError(400, "Bad Request: message is too long")
    if params.get("parse_mode") == "HTML":
        checker = _Markup()
        checker.feed(params["text"])
        checker.close()
        if re.search(r"<(?![a-z/])", params["text"]):
            raise ApiError(400, "Bad Request: can't parse entities: unexpected '<'")


def _plain(params: dict[str, Any]) -> str:
    """The text as a reader sees it."""
    text = str(params["text"])
    return html.unescape(re.sub(r"<[^>]*>", "", text)) if params.get("parse_mode") == "HTML" else text


class _Markup(HTMLParser):
    """Refuses tags Telegram does not know."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            raise ApiError(400, f'Bad Request: can\'t parse entities: Unsupported start tag "{tag}"')
