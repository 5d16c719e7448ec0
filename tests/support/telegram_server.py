"""The fake Bot API's server: HTTP, what the bot may ask and what it is answered, faults, limits."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiogram import methods as api
from aiogram.methods.base import TelegramMethod
from aiogram.types import Message
from aiohttp import web
from pydantic import ValidationError

from tests.support.telegram_checks import (
    buttons,
    check_caption,
    check_markup,
    check_text,
    decode,
    file,
    plain,
)
from tests.support.telegram_rooms import BOT_ID, JOINED, ApiError, Room, Seen, Standing, me, person

TOKEN = f"{BOT_ID}:tests-only"

_METHODS: dict[str, type[TelegramMethod[Any]]] = {
    method.__api_method__.lower(): method
    for method in (getattr(api, name) for name in api.__all__)
    if isinstance(getattr(method, "__api_method__", None), str)
}
SENDING = {"sendmessage": "text", "sendphoto": "photo", "senddocument": "document"}
EDITING = {"editmessagetext", "editmessagecaption", "editmessagemedia", "editmessagereplymarkup"}
PACED = {*SENDING, *EDITING}
"""Methods that count towards the limits; edits do so like messages."""

Limit = tuple[int, float]
"""So many messages in so many seconds."""

STRICT: dict[str, Any] = {"per_second": 30, "per_chat": (3, 3.0), "per_group": (20, 60.0)}
"""Telegram's own limits, for `FakeTelegram(**STRICT)`; of one a second in a chat it takes short bursts."""

FEW = 3
"""So many refusals are no haste of a sender that keeps to them: where a machine stands still and goes on, messages that
lay on their way arrive together (`services.notifier.pacing.Line`). Without a pace, more than these come in a second."""


@dataclass(frozen=True)
class Call:
    """One request of the bot's: method, decoded parameters, `time.monotonic()` at arrival, and the status it got."""

    method: str
    params: dict[str, Any]
    at: float
    status: int


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


class Server:
    """A Bot API server on 127.0.0.1. With limits it refuses what comes faster, as Telegram does."""

    def __init__(
        self,
        *,
        token: str = TOKEN,
        port: int = 0,
        per_second: int | None = None,
        per_chat: Limit | None = None,
        per_group: Limit | None = None,
    ) -> None:
        self.token = token
        self.per_second = per_second
        self.per_chat = per_chat
        self.per_group = per_group
        self.calls: list[Call] = []
        self.answers: list[str] = []
        self.commands: dict[str, list[str]] = {}
        self._port = port
        self._rooms: dict[int, Room] = {}
        self._blocked: dict[int, str] = {}
        self._migrated: dict[int, int] = {}
        self._faults: list[Fault] = []
        self._taken: dict[tuple[str, int], deque[float]] = defaultdict(deque)
        self._updates: deque[dict[str, Any]] = deque()
        self._next = {"update": 1000, "message": 1, "query": 1, "topic": 100}
        self._poll = 0
        self._changed = asyncio.Condition()
        self._closing = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=12 * 1024**2)
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

    async def wait_until(self, condition: Callable[[], Any], timeout_s: float = 20.0, what: str = "") -> Any:
        """Wait until a condition on this server holds (looked at after each request) and return its value."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                while not (value := condition()):
                    await self._changed.wait()
                return value
        except TimeoutError:
            if value := condition():  # where this process stood still, the time was over before it could look
                return value
            raise AssertionError(f"not within {timeout_s} s: {what or condition}") from None

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        at = time.monotonic()
        name = request.match_info["method"].lower()
        if request.match_info["token"] != self.token:
            return self._answer(ApiError(401, "Unauthorized"))
        if name not in _METHODS:
            return self._answer(ApiError(404, "Not Found: method not found"))
        method = _METHODS[name]
        fields = {**request.query, **await request.post()}
        files = {key: value for key, value in fields.items() if isinstance(value, web.FileField)}
        params = {key: decode(key, str(value)) for key, value in fields.items() if key not in files}
        status = 0
        try:
            self._resolve(params)
            fault = self._matching_fault(name, params)
            if fault is not None and fault.kind in ("drop", "garble", "hang"):
                return await self._misbehave(request, fault)
            self._check(method, name, params, at, fault)
            result = await self._result(method, name, params, files, at)
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
        if name == "answercallbackquery" and len(params.get("text", "")) > 200:
            raise ApiError(400, "Bad Request: MESSAGE_TOO_LONG")
        if "text" in params and name != "answercallbackquery":
            check_text(params)
        check_caption(params)
        if isinstance(params.get("media"), dict):
            check_caption(params["media"])
        check_markup(params.get("reply_markup"), chat_id)
        if name in PACED and isinstance(chat_id, int):
            self._keep_limits(chat_id, at)

    def _keep_limits(self, chat_id: int, at: float) -> None:
        """Refuse what comes too fast; what is refused does not count."""
        limits: list[tuple[tuple[str, int], Limit | None]] = [
            (("all", 0), (self.per_second, 1.0) if self.per_second is not None else None),
            (("chat", chat_id), self.per_chat),
            (("group", chat_id), self.per_group if chat_id < 0 else None),
        ]
        for key, limit in limits:
            if limit is None:
                continue
            taken, (most, seconds) = self._taken[key], limit
            while taken and taken[0] <= at - seconds:
                taken.popleft()
            if len(taken) >= most:
                wait = max(1, math.ceil(taken[0] + seconds - at))
                raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        for key, limit in limits:
            if limit is not None:
                self._taken[key].append(at)

    async def _result(
        self, method: type[TelegramMethod[Any]], name: str, params: dict[str, Any], files: dict[str, Any], at: float
    ) -> Any:
        if name == "getme":
            return me()
        if name == "getupdates":
            return await self._get_updates(params)
        if name in SENDING:
            return self._send(name, params, files, at)
        if name in EDITING:
            return self._edit(name, params, files)
        match name:
            case "answercallbackquery":
                self.answers.append(params.get("text", ""))
            case "setmycommands":
                scope = params.get("scope", {}).get("type", "default")
                key = params.get("language_code", "")
                commands = [item["command"] for item in params["commands"]]
                self.commands[key if scope == "default" else f"{scope}:{key}"] = commands
            case "deletemessage":
                self._room(params["chat_id"]).delete(params["message_id"])
            case "deletemessages":
                for message_id in params["message_ids"]:
                    with contextlib.suppress(ApiError):
                        self._room(params["chat_id"]).delete(message_id)
            case "pinchatmessage":
                silent = bool(params.get("disable_notification"))
                self._room(params["chat_id"]).pin(params["message_id"], silent=silent)
            case "unpinchatmessage":
                self._room(params["chat_id"]).unpin(params.get("message_id"))
            case "leavechat":
                self._room(params["chat_id"]).me = Standing("left")
            case "getchat" | "getchatmember" | "getchatadministrators" | "getchatmembercount":
                return self._look(name, params)
        if method.__returning__ is bool:
            return True
        raise ApiError(501, f"Not Implemented: {method.__api_method__} ({method.__returning__ is Message})")

    def _look(self, name: str, params: dict[str, Any]) -> Any:
        """What the bot may know of a chat and the people in it."""
        room = self._room(params["chat_id"])
        joined = room.kind == "private" or room.me.status in JOINED
        if not joined and not (name == "getchat" and room.username):
            room.check_joined()
        if name == "getchat":
            return room.full
        channel = room.kind == "channel"
        if name == "getchatmember":
            user_id = params["user_id"]
            user = me() if user_id == BOT_ID else person(user_id, None)
            standing = room.standing(user_id)
            if not room.known and room.kind != "private" and user_id not in room.people and user_id != BOT_ID:
                standing = Standing()
            return standing.told(user, channel=channel)
        if name == "getchatadministrators":
            everyone = {BOT_ID: room.me, **room.people}
            return [
                standing.told(me() if user_id == BOT_ID else person(user_id, None), channel=channel)
                for user_id, standing in everyone.items()
                if standing.status in ("creator", "administrator")
            ]
        return 1 + len(room.people)

    def _send(self, name: str, params: dict[str, Any], files: dict[str, Any], at: float) -> dict[str, Any]:
        room, what = self._room(params["chat_id"]), SENDING[name]
        topic = int(params.get("message_thread_id", 0))
        room.check_sending(topic)
        reply = params.get("reply_parameters") or {}
        reply_to = int(reply.get("message_id", 0))
        markup = params.get("reply_markup")
        seen = Seen(
            self._count("message"),
            plain(params),
            at,
            buttons(markup),
            silent=bool(params.get("disable_notification")),
            topic=topic,
            markup=markup if isinstance(markup, dict) else {},
            kind=what,
            html=str(params.get("text") or params.get("caption") or ""),
            reply_to=reply_to,
        )
        if what != "text":
            seen.file, seen.file_name = file(str(params[what]), files)
        room.add(seen)
        return room.told(seen)

    def _edit(self, name: str, params: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
        room = self._room(params["chat_id"])
        seen = room.find(params["message_id"], "edit")
        markup = params.get("reply_markup")
        changes: dict[str, Any] = {
            "buttons": buttons(markup),
            "markup": markup if isinstance(markup, dict) else {},
        }
        match name:
            case "editmessagetext":
                if seen.kind != "text":
                    raise ApiError(400, "Bad Request: there is no text in the message to edit")
                changes |= {"text": plain(params), "html": str(params["text"])}
            case "editmessagecaption":
                if seen.kind == "text":
                    raise ApiError(400, "Bad Request: there is no caption in the message to edit")
                changes |= {"text": plain(params), "html": str(params.get("caption") or "")}
            case "editmessagemedia":
                media = params["media"]
                data, file_name = file(str(media["media"]), files)
                changes |= {"text": plain(media), "html": str(media.get("caption") or ""), "kind": media["type"]}
                changes |= {"file": data, "file_name": file_name}
        return room.told(room.edit(seen.message_id, changes))

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
            about = fault.method == name or (fault.method == "*" and "chat_id" in params)
            if about and fault.chat_id in (None, params.get("chat_id")):
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
        message = {
            "message_id": message_id or self._count("message"),
            "date": int(time.time()),
            "chat": self._chat(chat_id),
            "text": text,
        }
        if text.startswith("/"):
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
        return message

    def _chat(self, chat_id: int) -> dict[str, Any]:
        return self._room(chat_id).chat

    def _room(self, chat_id: int) -> Room:
        if chat_id not in self._rooms:
            kind = "private" if chat_id > 0 else "supergroup"
            self._rooms[chat_id] = Room(chat_id, kind, f"House {-chat_id}")
        return self._rooms[chat_id]

    def _resolve(self, params: dict[str, Any]) -> None:
        """Put a chat's id in place of its public name."""
        name = params.get("chat_id")
        if isinstance(name, str):
            found = [room.id for room in self._rooms.values() if room.username and f"@{room.username}" == name]
            if not found:
                raise ApiError(400, "Bad Request: chat not found")
            params["chat_id"] = found[0]

    def _count(self, what: str) -> int:
        self._next[what] += 1
        return self._next[what]
