"""Apprise as a channel, against servers of our own: a webhook, ntfy, e-mail."""

from __future__ import annotations

import asyncio
import email
import email.policy
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import pytest
from aiohttp import web

from services.notifier.channels.apprise import AppriseChannel, masked, scheme
from services.notifier.channels.base import Address, ChatGoneError, MessageRefusedError, Said, TryLaterError

SAID = Said(text="🔌 Дім — світла немає з 14:05\nДо того світло було 3 год")
SECRET = "s3cr3t-w0rd"


@dataclass
class Hook:
    """A web server that takes notifications, or answers with `status`, or late."""

    port: int = 0
    status: int = 200
    pause_s: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def address(self, kind: str = "json") -> Address:
        return Address(chat_id=1, target=f"{kind}://user:{SECRET}@127.0.0.1:{self.port}/{SECRET}")

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        await asyncio.sleep(self.pause_s)
        if self.status == 200:
            self.bodies.append(body)
        return web.json_response({}, status=self.status)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


@pytest.fixture
def said() -> Iterator[StringIO]:
    """What a service that logs everything would log."""
    stream = StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


async def test_a_webhook_gets_the_headline_and_the_rest(hook: Hook) -> None:
    assert await AppriseChannel().send(hook.address(), SAID) is None
    (body,) = hook.bodies
    assert (body["title"], body["message"]) == ("🔌 Дім — світла немає з 14:05", "До того світло було 3 год")


async def test_a_message_of_one_line_is_taken_too(hook: Hook) -> None:
    await AppriseChannel().send(hook.address(), Said(text="💡 Дім — світло є"))
    assert (hook.bodies[0]["title"], hook.bodies[0]["message"]) == ("", "💡 Дім — світло є")


async def test_a_picture_goes_where_pictures_are_taken(hook: Hook) -> None:
    await AppriseChannel().send(hook.address(), Said(text="Тиждень", photo=b"\x89PNG\r\n\x1a\n" + bytes(30)))
    assert [item["mimetype"] for item in hook.bodies[0]["attachments"]] == ["image/png"]


async def test_ntfy_gets_it_too(hook: Hook) -> None:
    await AppriseChannel().send(hook.address("ntfy"), SAID)
    assert hook.bodies[0]["topic"] == SECRET
    assert "світла немає" in hook.bodies[0]["title"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, ChatGoneError),
        (404, ChatGoneError),
        (410, ChatGoneError),
        (400, MessageRefusedError),
        (413, MessageRefusedError),
        (429, TryLaterError),
        (500, TryLaterError),
        (503, TryLaterError),
    ],
)
async def test_refusals_are_told_apart_and_nothing_secret_is_said(
    hook: Hook, status: int, error: type[Exception], said: StringIO
) -> None:
    hook.status = status
    for kind in ("json", "ntfy"):
        with pytest.raises(error) as raised:
            await AppriseChannel().send(hook.address(kind), SAID)
        assert type(raised.value) is error
        assert str(raised.value) == f"the target answered {status}"
    assert SECRET not in said.getvalue()
    assert "127.0.0.1" not in said.getvalue()


async def test_what_cannot_be_reached_is_tried_later(said: StringIO) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        target = f"json://user:{SECRET}@127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(TryLaterError, match="cannot be reached"):
            await AppriseChannel().send(Address(chat_id=1, target=target), SAID)
    assert SECRET not in said.getvalue()


async def test_a_target_that_hangs_holds_up_nobody(hook: Hook) -> None:
    hook.pause_s = 30.0
    began = time.monotonic()
    with pytest.raises(TryLaterError, match=r"within 0\.3 s"):
        await AppriseChannel(timeout_s=0.3).send(hook.address(), SAID)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("target", [None, "nothing://x", "no address at all", "json://"])
async def test_an_address_that_is_none_is_given_up(target: str | None) -> None:
    with pytest.raises(ChatGoneError):
        await AppriseChannel().send(Address(chat_id=1, target=target), SAID)


async def test_a_mail_has_the_headline_as_its_subject() -> None:
    async with mailbox() as (port, letters):
        target = f"mailto://127.0.0.1:{port}?from=svitlo@example.org&to=you@example.org&format=text"
        await AppriseChannel().send(Address(chat_id=1, target=target), SAID)
    (letter,) = letters
    found = email.message_from_bytes(letter, policy=email.policy.default)
    assert found["Subject"] == "🔌 Дім — світла немає з 14:05"
    body = found.get_body(("plain",))
    assert body is not None
    assert "До того світло було 3 год" in body.get_content()


def test_of_an_address_only_the_service_is_shown() -> None:
    assert masked(f"ntfy://{SECRET}") == "ntfy://…"
    assert masked(SECRET) == "…"


def test_services_are_known_by_name() -> None:
    assert scheme(f"ntfys://{SECRET}") in ("ntfy", "ntfys")
    assert scheme("mailto://user:pass@example.org") in ("mailto", "mailtos")
    assert scheme("carrier-pigeon://loft") is None


@asynccontextmanager
async def mailbox() -> AsyncIterator[tuple[int, list[bytes]]]:
    """An SMTP server that takes every letter (RFC 5321, the least of it)."""
    letters: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")

        say("220 ready")
        while line := await reader.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                say("354 go on")
                letter = b""
                while (part := await reader.readline()) != b".\r\n":
                    letter += part
                letters.append(letter)
            say("221 bye" if word == b"QUIT" else "250 fine")
            await writer.drain()
            if word == b"QUIT":
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], letters
