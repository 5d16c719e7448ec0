"""Other ways out by Apprise: e-mail, ntfy, Discord, webhooks and a hundred more, each an address of its own.

Apprise blocks and says only yes or no; why not stands in its log, which may hold secrets. So each call has a thread of
its own and a listener to that log: nothing of it reaches our log, and all that is kept is the status code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
from typing import Any

from services.notifier.channels.base import (
    Address,
    ChannelError,
    ChatGoneError,
    MessageRefusedError,
    Said,
    TryLaterError,
)
from svitlo.contracts import EventKind

TIMEOUT_S = 9.0
"""For the whole of a call, a little less than the sender waits."""

_SOCKET_S = 4.0
_STATUS = re.compile(r"error=(\d{3})\b")
_GONE = (401, 403, 404, 410)
"""Status codes that blame the target: wrong key, no such webhook or topic. It is switched off until it is tested."""
_REFUSED = (400, 406, 413, 414, 415, 422)
"""Status codes that blame this message."""


class AppriseChannel:
    """Sends to Apprise's addresses (`Address.target`)."""

    platform = "apprise"

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        _listen()

    def escape(self, text: str) -> str:
        """What is sent is plain text."""
        return text

    async def send(self, chat: Address, said: Said, kind: EventKind | None = None) -> int | None:
        """Deliver one message. Raises `ChannelError`; after a time-out the message may still arrive."""
        target = chat.target
        if target is None:
            raise ChatGoneError("this target has no address")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: BaseException | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def work() -> None:
            error: BaseException | None = None
            try:
                deliver(target, said)
            except ChannelError as found:
                error = found
            except Exception as found:
                # A plugin's own fault. Its words may hold the address, so only its kind is told.
                error = TryLaterError(f"the plugin failed ({type(found).__name__})")
            with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
                loop.call_soon_threadsafe(settle, error)

        # A daemon, unlike the threads of a pool: one that hangs does not keep the service from ending.
        threading.Thread(target=work, name="apprise", daemon=True).start()
        try:
            async with asyncio.timeout(self._timeout_s):
                await done
        except TimeoutError:
            raise TryLaterError(f"no answer within {self._timeout_s:g} s", maybe_told=True) from None
        return None

    async def close(self) -> None:
        """Nothing to let go of."""


def deliver(target: str, said: Said) -> None:
    """Send one message and wait for it. Raises `ChannelError`, whose text holds nothing of the address."""
    from apprise import AppriseAttachment
    from apprise.attachment.memory import AttachMemory

    plugin = _plugin(target)
    if plugin is None:
        raise ChatGoneError("the address is none that Apprise understands")
    headline, _, rest = said.text.partition("\n")
    # Apprise wants a body. Where there is but one line a letter still needs its subject.
    alone = not rest and not target.startswith("mailto")
    values: dict[str, Any] = {"title": "" if alone else headline, "body": rest or headline}
    if said.photo is not None and plugin.attachment_support:
        picture = AttachMemory(content=said.photo, name="svitlo.png", mimetype="image/png")  # type: ignore[no-untyped-call]
        values["attach"] = AppriseAttachment([picture])
    _heard.lines = []
    if plugin.notify(**values):
        return
    codes = [int(code) for line in _heard.lines for code in _STATUS.findall(line)]
    raise _error(codes[-1] if codes else None)


def scheme(target: str) -> str | None:
    """Which service an address belongs to, such as `ntfy`; None if Apprise does not understand it."""
    plugin = _plugin(target)
    if plugin is None:
        return None
    names = plugin.secure_protocol or plugin.protocol
    return str(names if isinstance(names, str) else names[0])


def masked(target: str) -> str:
    """An address with all hidden but its service: the rest is a password as often as not."""
    found, separator, _ = target.partition("://")
    return f"{found}://…" if separator else "…"


def _plugin(target: str) -> Any:
    from apprise import Apprise, AppriseAsset

    _listen()
    asset = AppriseAsset(app_id="Svitlo", app_desc="Svitlo", app_url="", async_mode=False)
    plugin = Apprise.instantiate(target, asset=asset, suppress_exceptions=True)
    if plugin is not None:
        plugin.socket_connect_timeout = plugin.socket_read_timeout = _SOCKET_S
    return plugin


def _error(status: int | None) -> ChannelError:
    if status is None:
        return TryLaterError("the target cannot be reached, or did not say what is wrong")
    if status in _GONE:
        return ChatGoneError(f"the target answered {status}")
    if status in _REFUSED:
        return MessageRefusedError(f"the target answered {status}")
    return TryLaterError(f"the target answered {status}")


class _Ear(logging.Handler):
    """Keeps what Apprise says in this thread, for this call."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if (lines := getattr(_heard, "lines", None)) is not None:
            lines.append(record.getMessage())


_heard = threading.local()
_ear = _Ear(logging.WARNING)


def _listen() -> None:
    """Let Apprise's log reach us alone: it holds addresses, and those hold secrets."""
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    if _ear not in logger.handlers:
        logger.addHandler(_ear)
    # At the level debug it logs the path of every address.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
