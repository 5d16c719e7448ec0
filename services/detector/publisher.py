"""What the world reads: retained power and state of each site, and the event stream.

State is published as soon as it changes and again, in full, whenever the link is new. Events are relayed from the log,
after their commit, by a position of their own: at least once, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

from services.detector.core.fleet import Fleet
from services.detector.store import SiteEntry
from svitlo.bus import ServiceLink
from svitlo.clock import utc_now
from svitlo.contracts import Cause, OutageRef, SiteChannel, SiteState, encode, topics
from svitlo.db import log as event_log
from svitlo.db.session import Database
from svitlo.errors import BrokerUnavailableError, DatabaseUnavailableError

log = logging.getLogger(__name__)

CONSUMER = "detector-mqtt"
RELAY_IDLE_S = 30.0


class StatePublisher:
    """Publishes the retained topics of sites that changed, the newest state only."""

    def __init__(self, fleet: Fleet, link: ServiceLink, registry: Callable[[], Mapping[str, SiteEntry]]) -> None:
        self._fleet = fleet
        self._link = link
        self._registry = registry
        self._dirty: dict[str, None] = {}
        self._gone: dict[str, None] = {}
        self._wake = asyncio.Event()
        self.removed: set[str] = set()
        """Sites removed at some time, whose topics a broker may still keep."""

    def mark(self, site: str) -> None:
        """A site changed."""
        self._dirty[site] = None
        self._wake.set()

    def mark_all(self) -> None:
        """The link is new: what the broker keeps may be old."""
        self._dirty.update(dict.fromkeys(self._fleet.sites))
        self._gone.update(dict.fromkeys(self.removed - self._fleet.sites.keys()))
        self._wake.set()

    def forget(self, site: str) -> None:
        """A site left the registry: its retained topics go."""
        self.removed.add(site)
        self._gone[site] = None
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            with contextlib.suppress(BrokerUnavailableError):  # all is marked again when the link returns
                await self._flush()

    async def _flush(self) -> None:
        while self._gone:
            site = next(iter(self._gone))
            for channel in (SiteChannel.POWER, SiteChannel.STATE):
                await self._link.publish(topics.site(site, channel), b"", retain=True)
            self._gone.pop(site, None)
        while self._dirty:
            site = next(iter(self._dirty))
            del self._dirty[site]
            state = self.state_of(site)
            if state is None:
                continue
            power = self._fleet.sites[site].power.value.encode()
            try:
                await self._link.publish(topics.site(site, SiteChannel.POWER), power, retain=True)
                await self._link.publish(topics.site(site, SiteChannel.STATE), encode(state), retain=True)
            except BrokerUnavailableError:
                self._dirty[site] = None
                raise

    def state_of(self, slug: str) -> SiteState | None:
        """The full public state of a site; None if it is not (or no longer) there."""
        entry, site = self._registry().get(slug), self._fleet.sites.get(slug)
        if entry is None or site is None:
            return None
        outage = site.outage
        return SiteState(
            site=slug,
            name=entry.name,
            state=site.state,
            since=site.since,
            cause=Cause.PRESUMED if outage else None,
            devices=self._fleet.tally_of(slug),
            outage=OutageRef(id=outage.id, started_lo=outage.started_lo, started_hi=outage.started_hi)
            if outage
            else None,
            updated_at=utc_now(),
        )


class EventRelay:
    """Publishes the event log on `svitlo/sites/{site}/event`."""

    def __init__(self, database: Database, link: ServiceLink) -> None:
        self._database = database
        self._link = link
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """The log grew, or the link is back."""
        self._wake.set()

    async def run(self) -> None:
        """Relay until cancelled."""
        while True:
            self._wake.clear()
            try:
                while await self._relay():
                    pass
            except (BrokerUnavailableError, DatabaseUnavailableError):
                await asyncio.sleep(1)
                if self._link.connected:
                    continue
            try:
                async with asyncio.timeout(RELAY_IDLE_S):
                    await self._wake.wait()
            except TimeoutError:
                continue  # look at the log now and then even if nobody called

    async def _relay(self) -> bool:
        if not self._link.connected:
            return False
        async with self._database.transaction() as session:
            after = await event_log.offset(session, CONSUMER)
            entries = await event_log.read(session, after)
        for entry in entries:
            await self._link.publish(topics.site(entry.event.site, SiteChannel.EVENT), encode(entry.event))
        if entries:
            async with self._database.transaction() as session:
                await event_log.advance(session, CONSUMER, entries[-1].seq)
        return bool(entries)
