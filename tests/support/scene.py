"""A scene: sites with their boards at a real broker, a real database, and detectors that watch them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from services.detector.service import run
from svitlo.contracts import PowerEvent
from svitlo.db.session import Database
from tests.support.boards import Board, boards
from tests.support.broker import Broker
from tests.support.detector import DetectorProcess, Integrator, Record, quick_settings
from tests.support.house import furnish
from tests.support.service import serving
from tests.support.wait import eventually_async


class Scene:
    """Everything a test of the detector needs at hand."""

    def __init__(self, database: Database, broker: Broker, integrator: Integrator) -> None:
        self.database = database
        self.broker = broker
        self.integrator = integrator
        self.record = Record(database)
        self.sites: dict[str, list[str]] = {}

    @classmethod
    @asynccontextmanager
    async def set(cls, broker: Broker, database_url: str) -> AsyncIterator[Scene]:
        """A scene on that broker and database, empty so far."""
        async with Database(database_url) as database, Integrator().reading(broker) as integrator:
            yield cls(database, broker, integrator)

    async def furnish(self, *sites: str, each: int = 1) -> dict[str, Board]:
        """Add sites with so many boards each; the boards by name (`home-1`), not yet alive."""
        added = {site: [f"{site}-{number}" for number in range(1, each + 1)] for site in sites}
        await furnish(self.database, self.broker, added)
        self.sites |= added
        return boards(self.broker, [name for names in added.values() for name in names])

    @asynccontextmanager
    async def detecting(self, **policy: float) -> AsyncIterator[None]:
        """A detector in this process, which sees from the beginning of the block."""
        self.integrator.echoes.clear()
        async with serving(run, quick_settings(self.broker, self.database.url, "1", **policy)):
            await self.sees()
            yield

    def detector(self, instance: str = "1", **policy: float) -> DetectorProcess:
        """A detector as a process of its own, not yet started."""
        self.integrator.echoes.clear()
        return DetectorProcess(self.broker, self.database.url, instance, **policy)

    async def sees(self, instance: str = "1", timeout_s: float = 30) -> None:
        """Wait until a detector's link is proven: an echo of it has come back since the last look."""
        self.integrator.echoes[instance] = 0
        await eventually_async(
            lambda: self.integrator.echoes[instance] >= 2 and self.integrator.online(instance),
            timeout_s,
            f"detector {instance} sees",
        )

    async def all_are(self, power: str, sites: Iterable[str] | None = None, timeout_s: float = 30) -> None:
        """Wait until the retained power of each site is that word."""
        wanted = list(self.sites if sites is None else sites)
        await eventually_async(
            lambda: all(self.integrator.power(site) == power for site in wanted),
            timeout_s,
            f"power is {power} at {wanted}; it is {[self.integrator.power(site) for site in wanted]}",
        )

    async def told(self, count: int, site: str | None = None, timeout_s: float = 30) -> list[PowerEvent]:
        """Wait until the event stream has brought so many events; they, each once, in the order they came."""

        def events() -> list[PowerEvent]:
            each = {(event.id, event.rev): event for event in self.integrator.events}
            return [event for event in each.values() if site is None or event.site == site]

        await eventually_async(lambda: len(events()) >= count, timeout_s, f"{count} events are told")
        return events()

    async def stream_tells_the_log(self) -> None:
        """Wait until every entry of the log, and nothing else, has come on the event stream, at least once each."""

        async def told() -> bool:
            return {(event.id, event.rev) for event in await self.record.log()} == {
                (event.id, event.rev) for event in self.integrator.events
            }

        await eventually_async(told, what="the event stream tells what the log tells")


@asynccontextmanager
async def living(found: Iterable[Board]) -> AsyncIterator[None]:
    """All boards alive; those that did not die meanwhile end with the block."""
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(board) for board in found))
        yield
