"""A process under the supervisor: whatever moment it is told to end at, nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

from svitlo.stack.child import Child
from tests.support.wait import eventually_async


async def test_what_is_being_started_again_as_the_end_comes_is_ended_too(tmp_path: Path) -> None:
    started, begun, go_on = 0, threading.Event(), threading.Event()

    def prepare() -> None:
        nonlocal started
        started += 1
        if started == 2:
            begun.set()
            go_on.wait(30)

    child = Child(
        "one", lambda: [sys.executable, "-c", "import time; time.sleep(60)"], log_path=tmp_path / "log", prepare=prepare
    )
    await child.start()
    first = child.pid
    assert first is not None
    watching = asyncio.create_task(child.watch(lambda: None))
    os.kill(first, signal.SIGKILL)
    await eventually_async(begun.is_set)

    stopping = asyncio.create_task(child.stop())
    await asyncio.sleep(0.1)
    go_on.set()
    await stopping
    await asyncio.wait_for(watching, 20)

    assert started == 2
    assert child.pid is None


async def test_nothing_is_started_again_after_the_end(tmp_path: Path) -> None:
    child = Child("one", lambda: [sys.executable, "-c", ""], log_path=tmp_path / "log")
    await child.start()
    watching = asyncio.create_task(child.watch(lambda: None))
    await eventually_async(lambda: child.pid is None)

    await child.stop()
    await asyncio.wait_for(watching, 20)

    assert child.pid is None
