"""Waiting on conditions, never on luck."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import os
import random
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

POLL_S = 0.02

# Below what the system gives to outgoing connections (32768 on Linux, 49152 on macOS): one of those could take the port
# before its listener does, or while that is away. A block for each worker.
_BLOCK = 1400
_FIRST = 10_000 + _BLOCK * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16)
_PORTS = itertools.cycle(random.SystemRandom().sample(range(_FIRST, _FIRST + _BLOCK), _BLOCK))


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that is free now, and that nobody else is told of soon."""
    for port in itertools.islice(_PORTS, _BLOCK):
        with contextlib.suppress(OSError), socket.socket(type=kind) as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


class _Deadline:
    """The end of a wait. While this process stood still it does not come nearer: the others had no time either."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._at = time.monotonic() + timeout_s
        self._woken = 0.0

    def check(self, condition: Callable[[], Any], what: str) -> None:
        """Before each pause. Raises AssertionError if it has come."""
        if time.monotonic() > self._at:
            what = what or inspect.getsource(condition).strip()
            raise AssertionError(f"did not come true within {self._timeout_s} s: {what}")
        self._woken = time.monotonic() + POLL_S

    def woke(self) -> None:
        """After each pause."""
        self._at += time.monotonic() - self._woken


def eventually(condition: Callable[[], T], timeout_s: float = 20.0, what: str = "") -> T:
    """Poll until the condition is truthy and return its value; AssertionError after `timeout_s`."""
    deadline = _Deadline(timeout_s)
    while True:
        value = condition()
        if value:
            return value
        deadline.check(condition, what)
        time.sleep(POLL_S)
        deadline.woke()


async def eventually_async(condition: Callable[[], Any], timeout_s: float = 20.0, what: str = "") -> Any:
    """The same for conditions that are awaited."""
    deadline = _Deadline(timeout_s)
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        deadline.check(condition, what)
        await asyncio.sleep(POLL_S)
        deadline.woke()
