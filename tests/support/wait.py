"""Waiting on conditions, never on luck."""

from __future__ import annotations

import asyncio
import inspect
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(condition: Callable[[], T], timeout_s: float = 10.0, what: str = "") -> T:
    """Poll until the condition is truthy and return its value; AssertionError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"did not come true within {timeout_s} s: {what or inspect.getsource(condition).strip()}"
            )
        time.sleep(0.02)


async def eventually_async(condition: Callable[[], Any], timeout_s: float = 10.0, what: str = "") -> Any:
    """The same for conditions that are awaited."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"did not come true within {timeout_s} s: {what or inspect.getsource(condition).strip()}"
            )
        await asyncio.sleep(0.02)
