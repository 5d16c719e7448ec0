"""What the world reads: retained power and state of each site, its card for Home Assistant, and the event stream.

State is published as soon as it changes and again, in full, whenever the link is new. Events are relayed from the log,
after their commit, by a position of their own: at least once, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum

from msgspec import UNSET

from services.detector import home_assistant
from services.detector.core.fleet import Fleet
from services.detector.core.site import maintained
from services.detector.store import SiteEntry
from svitlo import __version__
from svitlo.bus import ServiceLink
from svitlo.clock import utc_now
from svitlo.contracts import (
    ContractError,
    OutageRef,
    Planned,
    ServiceStatus,
    SiteChannel,
    SiteState,
    decode_as,
    encode,
    topics,
)
from svitlo.db import log as event_log
from svitlo.db.session import Database
from svitlo.errors import BrokerUnavailableError, DatabaseUnavailableError

log = logging.getLogger(__name__)

CONSUMER = "detector-mqtt"
RELAY_IDLE_S = 30.0
RETRY_S = 1.0
SETTLE_S = 3.0
"""How long Home Assistant may take to drop a device; while it has one, it refuses another with the same entities."""
SPREAD_S = (1.0, 5.0)
"""Home Assistant has much to do when it starts, and asks not to be answered by everybody at once."""
PACE_S = 0.005
"""Between two cards: thousands of them are to flood nobody."""

HEARD = ((topics.HOME_ASSISTANT_STATUS, 0), (topics.service("detector", "+"), 1))
"""What the publisher's link subscribes to, for `StatePublisher.heard`."""


class Duty(IntEnum):
    """What is owed to the broker for a site, the most urgent first."""

    CHANGED = 0
    """Power and state, which are new."""
    GONE = 1
    """Nothing of this slug may stay."""
    AGAIN = 2
    """Power and state, which the broker may have lost."""
    CARD = 3
    """The site's card for Home Assistant."""


class StatePublisher:
    """Publishes the retained topics of sites, the newest state only."""

    def __init__(
        self,
        fleet: Fleet,
        link: ServiceLink,
        registry: Callable[[], Mapping[str, SiteEntry]],
        *,
        instance: str,
        language: str,
    ) -> None:
        self._fleet = fleet
        self._link = link
        self._registry = registry
        self._instance = instance
        self._language = language
        self._owed: dict[Duty, dict[str, None]] = {duty: {} for duty in Duty}
        self._works = {
            Duty.CHANGED: self._say_state,
            Duty.GONE: self._clear,
            Duty.AGAIN: self._say_state,
            Duty.CARD: self._say_card,
        }
        self._cards: dict[str, tuple[int, str]] = {}
        """Number and name of the site on each card that is out, or on its way."""
        self._greet_at: float | None = None
        self._settled_at = 0.0
        self._wake = asyncio.Event()
        self.removed: set[str] = set()
        """Slugs that sites once bore, whose topics a broker may still keep."""

    def mark(self, site: str) -> None:
        """A site is new, or something of it changed: its state, its name, which site it is."""
        self._owed[Duty.CHANGED][site] = None
        if (entry := self._registry().get(site)) is not None:
            card = (entry.id, entry.name)
            before = self._cards.get(site, card)
            if before[0] != entry.id:
                self._owed[Duty.GONE][site] = None  # first goes the card of the site that bore this slug before
            if self._cards.get(site) != card:
                self._cards[site] = card
                self._owed[Duty.CARD][site] = None
        self._wake.set()

    def mark_all(self) -> None:
        """The link is new, or somebody else spoke for us: what the broker keeps may be old."""
        live = self._registry()
        self._owed[Duty.GONE].update(dict.fromkeys(self.removed - live.keys()))
        self._say_again(live)

    def forget(self, site: str) -> None:
        """A slug left the registry: its retained topics go."""
        self.removed.add(site)
        self._cards.pop(site, None)
        self._owed[Duty.GONE][site] = None
        self._wake.set()

    def heard(self, topic: str, payload: bytes, retained: bool) -> None:
        """Take in what others say: Home Assistant that it starts, another detector that it goes."""
        if retained:
            return
        if topic == topics.HOME_ASSISTANT_STATUS:
            if payload == home_assistant.BIRTH and self._greet_at is None:
                self._greet_at = _now() + random.uniform(*SPREAD_S)  # noqa: S311 - a moment, not a secret
                self._wake.set()
        elif topic != topics.service("detector", self._instance) and _says_offline(payload):
            # While database and broker were both away it may have thought that it was its turn, and have spoken last:
            # then every card names its status, and Home Assistant would wait for it for ever.
            self.mark_all()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self._flush()
                pause = self._pause()
            except BrokerUnavailableError:  # all is marked again when the link returns
                pause = RETRY_S if self._link.connected else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _flush(self) -> None:
        while (found := self._next()) is not None:
            duty, site = found
            del self._owed[duty][site]
            try:
                await self._works[duty](site)
            except BrokerUnavailableError:
                self._owed[duty].setdefault(site)
                raise

    def _next(self) -> tuple[Duty, str] | None:
        if self._greet_at is not None and _now() >= self._greet_at:
            self._greet_at = None
            self._say_again(self._registry())
        for duty, sites in self._owed.items():
            if sites and not (duty is Duty.CARD and _now() < self._settled_at):
                return duty, next(iter(sites))
        return None

    def _pause(self) -> float | None:
        """Seconds until something is due by itself; None if nothing is."""
        due = [self._greet_at] if self._greet_at is not None else []
        if self._owed[Duty.CARD]:
            due.append(self._settled_at)
        return max(min(due) - _now(), 0.0) if due else None

    def _say_again(self, sites: Iterable[str]) -> None:
        for site in sites:
            self._owed[Duty.AGAIN][site] = None
            self._owed[Duty.CARD][site] = None
        self._wake.set()

    async def _say_state(self, site: str) -> None:
        state = self.state_of(site)
        if state is None:
            return
        power = self._fleet.sites[site].power.value.encode()
        await self._link.publish(topics.site(site, SiteChannel.POWER), power, retain=True)
        await self._link.publish(topics.site(site, SiteChannel.STATE), encode(state), retain=True)
        self._owed[Duty.AGAIN].pop(site, None)

    async def _clear(self, site: str) -> None:
        """The card first: with it go the entities that would wonder about an empty state."""
        await self._link.publish(topics.home_assistant_config(site), b"", retain=True)
        self._settled_at = _now() + SETTLE_S
        for channel in (SiteChannel.POWER, SiteChannel.STATE):
            if site not in self._registry():
                await self._link.publish(topics.site(site, channel), b"", retain=True)

    async def _say_card(self, site: str) -> None:
        entry = self._registry().get(site)
        if entry is None:
            return
        self._cards[site] = (entry.id, entry.name)
        card = home_assistant.discovery(
            site, entry.id, entry.name, instance=self._instance, language=self._language, version=__version__
        )
        await self._link.publish(topics.home_assistant_config(site), card, retain=True)
        await asyncio.sleep(PACE_S)

    def state_of(self, slug: str) -> SiteState | None:
        """The full public state of a site; None if it is not (or no longer) there."""
        entry, site = self._registry().get(slug), self._fleet.sites.get(slug)
        if entry is None or site is None:
            return None
        outage, window = site.outage, maintained(self._fleet.places[slug], utc_now())
        return SiteState(
            site=slug,
            name=entry.name,
            state=site.state,
            since=site.since,
            cause=outage.cause if outage else None,
            devices=self._fleet.tally_of(slug),
            outage=OutageRef(id=outage.id, started_lo=outage.started_lo, started_hi=outage.started_hi)
            if outage
            else None,
            planned=Planned(starts_at=window[0], ends_at=window[1]) if window else None,
            children=site.children if site.children is not None else UNSET,
            unstable=True if site.unstable is not None else UNSET,
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


def _now() -> float:
    return asyncio.get_running_loop().time()


def _says_offline(payload: bytes) -> bool:
    try:
        return decode_as(ServiceStatus, payload).state == "offline"
    except ContractError:
        return False  # cleared, or not ours
