"""Our own services in processes of their own, with a gauge on what they have taken so far."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any

from services.detector.service import Detector
from services.detector.turn import ACTIVE_LOCK
from services.ingest.service import Ingest
from svitlo import log
from svitlo.db.listen import Listener
from svitlo.db.session import Database
from svitlo.settings import Settings

SAMPLE_EVERY_S = 0.05


@dataclass(frozen=True)
class Sample:
    """Messages taken and not kept, and rows that wait, at `mono` (`time.monotonic()`), after so much processor time."""

    mono: float
    spent_s: float
    taken: float
    lost: float
    waiting: float


class Running:
    """A service that runs; `sample` is never older than its event loop lets it be."""

    def __init__(self, process: Any, gauge: Any) -> None:
        self._process, self._gauge = process, gauge

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def sample(self) -> Sample:
        """Raises `RuntimeError` when the service has ended."""
        if not self._process.is_alive():
            raise RuntimeError(f"the service ended by itself (exit code {self._process.exitcode})")
        return self.last()

    def last(self) -> Sample:
        """The last sample there is, also of a service that has ended."""
        return Sample(*self._gauge[:])


@contextmanager
def serving(serve: Callable[..., None], settings: Settings) -> Iterator[Running]:
    """One of the functions below with `settings`, until the end of the block; it is let finish its work."""
    context = multiprocessing.get_context("spawn")
    stop, gauge = context.Event(), context.Array("d", 5)
    process = context.Process(target=serve, args=(settings, stop, gauge), name=serve.__name__, daemon=True)
    process.start()
    try:
        yield Running(process, gauge)
    finally:
        stop.set()
        process.join(20)
        if process.is_alive():
            process.terminate()
            process.join(10)


def detector(settings: Settings, stop: Event, gauge: Any) -> None:
    """The real detector, from the socket to the `state` topic and the database."""

    async def work() -> None:
        url = settings.required_database_url
        async with Database(url) as database, Listener(url) as listener:
            await listener.try_lock(ACTIVE_LOCK)
            service = Detector(settings, database)
            await _until(stop, gauge, service.run(listener), lambda: (service.fleet.tally.observed, 0, 0))

    log.configure("error")
    asyncio.run(work())


def ingest(settings: Settings, stop: Event, gauge: Any) -> None:
    """The real ingest, from the socket to the database."""

    def counts(service: Ingest) -> tuple[int, int, int]:
        return service.taken, service.buffer.lost.total(), len(service.buffer)

    async def work() -> None:
        async with Database(settings.required_database_url) as database:
            service = Ingest(settings, database)
            await _until(stop, gauge, service.run(), lambda: counts(service))

    log.configure("error")
    asyncio.run(work())


async def _until(
    stop: Event, gauge: Any, service: Coroutine[Any, Any, None], counts: Callable[[], tuple[int, int, int]]
) -> None:
    task = asyncio.create_task(service, name="service")
    while not stop.is_set() and not task.done():
        gauge[:] = [time.monotonic(), time.process_time(), *counts()]
        await asyncio.sleep(SAMPLE_EVERY_S)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    gauge[:] = [time.monotonic(), time.process_time(), *counts()]
