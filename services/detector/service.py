"""The detector's shell: socket, timer and transaction round the pure core."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.exc import DBAPIError

from services.detector import store, turn
from services.detector.core.device import DeviceState
from services.detector.core.effects import DeviceChanged, Effect, EventLogged, SiteChanged
from services.detector.core.fleet import Fleet
from services.detector.core.observation import observe
from services.detector.core.place import Place
from services.detector.core.policy import Policy
from services.detector.publisher import HEARD, EventRelay, StatePublisher
from services.detector.writer import Watching, Writer
from svitlo import settings as configuration
from svitlo.bus import Backoff, Firehose, ServiceLink
from svitlo.clock import utc_now
from svitlo.contracts import ContractError, DeviceChannel, decode_device, topics
from svitlo.db.listen import REGISTRY_CHANNEL, Listener
from svitlo.db.session import Database
from svitlo.errors import DatabaseUnavailableError
from svitlo.health import beat
from svitlo.ids import random_word, uuid7

log = logging.getLogger(__name__)

ECHO_EVERY_S = 1.0
ECHOES_KEPT = 30
ECHO_LIMIT_S = 3.5
"""Without an echo for this long we count as blind (a frozen broker keeps its sockets open)."""
STALL_LIMIT = timedelta(seconds=3)
"""If our own loop stood still for longer, messages wait unread in the socket: silence proves nothing."""
CLOCK_SLACK = timedelta(seconds=0.5)
REGISTRY_EVERY_S = 60.0
TICK = timedelta(seconds=1)
PATIENCE_S = 4.0
"""When PostgreSQL was away, a standby lets the active detector, which owes what happened meanwhile, come back first."""


SUBSCRIPTIONS = (
    (topics.device("+", DeviceChannel.HEARTBEAT), 0),
    (topics.device("+", DeviceChannel.STATUS), 1),
    (topics.device("+", DeviceChannel.JOURNAL), 1),
)


def policy_of(settings: configuration.Policy) -> Policy:
    """The core's policy from the settings."""
    return Policy(
        misses=settings.misses,
        grace=timedelta(seconds=settings.grace_s),
        will_hold=timedelta(seconds=settings.will_hold_s),
        birth_hold=timedelta(seconds=settings.birth_hold_s),
        reconnect=timedelta(seconds=settings.reconnect_s),
        confirm_off=timedelta(seconds=settings.confirm_off_s),
        confirm_on=timedelta(seconds=settings.confirm_on_s),
        pause_limit=timedelta(seconds=settings.pause_limit_s),
        area_devices=settings.area_devices,
        area_share=settings.area_share,
        area_window=timedelta(seconds=settings.area_window_s),
        area_wait=timedelta(seconds=settings.area_wait_s),
        flap_changes=settings.flap_changes,
        flap_window=timedelta(seconds=settings.flap_window_s),
        flap_calm=timedelta(seconds=settings.flap_calm_s),
    )


async def run(settings: configuration.Settings) -> None:
    """Detect until cancelled. Waits for the database at the start, and for another detector to end.

    Raises `ConfigurationError` at once when it was not told where the database or the broker is.
    """
    _ = settings.required_database_url, settings.broker
    async with Database(settings.required_database_url, name=f"{turn.CONNECTION} {random_word(8)}") as database:
        backoff = Backoff()
        pause = 0.0
        while True:
            try:
                async with Listener(settings.required_database_url) as listener:
                    await asyncio.sleep(pause)
                    await turn.wait_for_lock(listener, database)
                    await Detector(settings, database).run(listener)
            except DatabaseUnavailableError as error:
                log.warning("%s; trying again", error)
                beat()
            pause = PATIENCE_S
            await backoff.wait()


class Detector:
    """One active detector."""

    def __init__(self, settings: configuration.Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._registry: dict[str, store.SiteEntry] = {}
        self._registry_changed = asyncio.Event()
        self._unsaved: dict[str, DeviceState] = {}
        self._malformed = 0
        self._echo_topic = topics.echo(settings.instance)
        self._echo_at: float | None = None
        self._echo_number = 0
        self._echoes: dict[int, datetime] = {}
        self._timer = asyncio.Event()
        self._wakes_at = utc_now()
        self._plans = 0
        self.fleet = Fleet(policy_of(settings.policy), uuid7)
        self._firehose = Firehose(
            settings.broker,
            f"svitlo.detector.{settings.instance}",
            (*SUBSCRIPTIONS, (self._echo_topic, 0)),
            self._on_message,
            on_up=self._on_up,
            on_down=self._on_down,
        )
        self._link = ServiceLink(
            settings.broker,
            "detector",
            settings.instance,
            subscriptions=HEARD,
            on_message=lambda topic, payload, retained: self._states.heard(topic, payload, retained),
            on_up=self._on_link,
        )
        self._states = StatePublisher(
            self.fleet, self._link, lambda: self._registry, instance=settings.instance, language=settings.language
        )
        self._relay = EventRelay(database, self._link)
        self._writer = Writer(database, self._site_id, self._unsaved, self._watching, self._relay.wake)

    async def run(self, listener: Listener) -> None:
        """Load what was known, then watch; ends when another detector has taken over.

        Raises `DatabaseUnavailableError`, but only while loading.
        """
        await listener.listen(REGISTRY_CHANNEL, self._registry_changed.set)
        async with self._database.transaction() as session:
            self._writer.turn = await turn.take_turn(session)
        await self._load()
        try:
            await self._watch(listener)
        except* turn.TurnLostError:
            log.warning("another detector took over while our connection to PostgreSQL was broken; standing by")

    async def _watch(self, listener: Listener) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hold_turn(listener), name="turn")
            tasks.create_task(self._firehose.run(), name="firehose")
            tasks.create_task(self._link.run(), name="link")
            tasks.create_task(self._states.run(), name="states")
            tasks.create_task(self._relay.run(), name="relay")
            tasks.create_task(self._writer.run(), name="writer")
            tasks.create_task(self._keep_registry(), name="registry")
            tasks.create_task(self._echo(), name="echo")
            tasks.create_task(self._keep_time(), name="timer")
            tasks.create_task(self._report(), name="report")

    async def _hold_turn(self, listener: Listener) -> None:
        """Keep lock and notifications over a break of their connection; detection itself goes on meanwhile."""
        await listener.watch()
        backoff = Backoff(limit_s=1.0)
        while True:
            try:
                async with Listener(self._settings.required_database_url) as again:
                    await turn.take_lock_again(again)
                    async with self._database.transaction() as session:
                        await turn.hold_turn(session, self._writer.turn)
                    await again.listen(REGISTRY_CHANNEL, self._registry_changed.set)
                    self._registry_changed.set()
                    backoff.reset()
                    await again.watch()
            except DatabaseUnavailableError:
                await backoff.wait()

    async def _load(self) -> None:
        async with self._database.transaction() as session:
            self._registry = await store.load_registry(session)
            devices = await store.load_devices(session)
            sites = await store.load_sites(session)
            tick = await store.load_tick(session)
            self._states.removed = await store.load_removed(session)
        if tick is None:
            self.fleet.restore(devices, sites, None)
        else:
            self.fleet.restore(devices, sites, tick.at, tick.since, tick.blind_since)
        self._apply(self.fleet.rewind(utc_now()))
        self._unsaved.update({name: state for name, state in self.fleet.devices.items() if state.quiet})
        self._apply(self.fleet.set_registry(self._mapping(), utc_now()))
        log.info("watching %d sites with %d devices", len(self._registry), len(self.fleet.devices))

    def _mapping(self) -> dict[str, Place]:
        now = utc_now()
        return {slug: entry.at(now) for slug, entry in self._registry.items()}

    def _watching(self) -> Watching:
        details = {
            "instance": self._settings.instance,
            "policy": self._settings.policy.model_dump(),
            "watching_since": self.fleet.watch.since,
            "proven_at": self.fleet.watch.proven_at,
            "blind_since": self.fleet.blind_since,
            "holding_alerts_until": self.fleet.guard.until,
        }
        return Watching(self.fleet.watch.since, self.fleet.deadline_of, msgspec.json.encode(details))

    def _site_id(self, slug: str) -> int | None:
        entry = self._registry.get(slug)
        return entry.id if entry is not None else None

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic == self._echo_topic:
            self._on_echo(payload)
            return
        try:
            device, channel = topics.parse_device(topic)
            decoded = decode_device(channel, payload)
        except ContractError:
            # Ingest keeps and reports the message itself; an empty payload only clears a retained one.
            self._malformed += bool(payload)
            return
        observation = observe(device, decoded, utc_now(), retained=retained)
        if observation is None:
            return
        if effects := self.fleet.observe(observation):
            self._apply(effects)
        if (state := self.fleet.devices.get(device)) is not None:
            self._unsaved[device] = state
        if self.fleet.plans != self._plans:
            self._plans = self.fleet.plans
            if (due := self.fleet.next_deadline()) is not None and due < self._wakes_at:
                self._timer.set()

    def _on_up(self) -> None:
        self._echo_at = time.monotonic()
        self._see()

    def _see(self) -> None:
        if self._firehose.connected and self.fleet.watch.since is None:
            self._apply(self.fleet.link_up(utc_now()))
            self._send_echo()  # at once: until it is back, what arrives is not known to be news
            self._timer.set()

    def _send_echo(self) -> None:
        self._echo_number += 1
        self._echoes[self._echo_number] = utc_now()
        while len(self._echoes) > ECHOES_KEPT:
            del self._echoes[next(iter(self._echoes))]
        self._firehose.publish(self._echo_topic, b"%d" % self._echo_number)

    def _on_echo(self, payload: bytes) -> None:
        sent_at = self._echoes.pop(int(payload), None) if payload.isdigit() else None
        if sent_at is None:
            return  # another detector's, or one we gave up
        self._echo_at = time.monotonic()
        self._see()
        self._apply(self.fleet.link_proven(sent_at, utc_now()))

    def _on_down(self) -> None:
        self.fleet.link_down(utc_now())

    def _on_link(self) -> None:
        self._states.mark_all()
        self._relay.wake()

    def _apply(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SiteChanged):
                self._states.mark(effect.site)
            elif isinstance(effect, DeviceChanged):
                self._unsaved[effect.device] = effect.state
            elif isinstance(effect, EventLogged):
                log.info(
                    "%s at %s between %s and %s",
                    effect.event.kind.value,
                    effect.site,
                    effect.event.occurred_lo.isoformat(timespec="seconds"),
                    effect.event.occurred_hi.isoformat(timespec="seconds"),
                )
        self._writer.add(effects)

    async def _echo(self) -> None:
        """Send ourselves an echo through the broker and notice when it stops coming."""
        while True:
            self._send_echo()
            await asyncio.sleep(ECHO_EVERY_S)
            beat()
            silent = time.monotonic() - (self._echo_at or 0.0)
            if self.fleet.watch.since is not None and silent > ECHO_LIMIT_S:
                log.warning("no echo through the broker for %.1f s; silence proves nothing until it returns", silent)
                self.fleet.link_down(utc_now() - timedelta(seconds=silent))

    async def _keep_time(self) -> None:
        """Wake the core at its next deadline, and notice when we ourselves stood still."""
        last = utc_now()
        while True:
            now = utc_now()
            if now - last > STALL_LIMIT and self.fleet.watch.since is not None:
                log.warning("stood still for %.1f s; silence in that time proves nothing", (now - last).total_seconds())
                self.fleet.link_down(last, "stall")
                self._apply(self.fleet.link_up(now))
                self._send_echo()
            if now < last - CLOCK_SLACK:
                log.warning("the clock was set back by %.1f s", (last - now).total_seconds())
                self.fleet.link_down(now, "clock")
                self._apply(self.fleet.rewind(now))
                self._echoes.clear()  # they bear times of the old clock
                if self._firehose.connected:
                    self._apply(self.fleet.link_up(now))
                    self._send_echo()
            last = now
            self._apply(self.fleet.tick(now))
            if self.fleet.wants_proof:
                self._send_echo()  # its answer decides, in a moment or once the broker is back
            await self._sleep_until(self.fleet.next_deadline())

    async def _sleep_until(self, deadline: datetime | None) -> None:
        self._timer.clear()
        now = utc_now()
        self._wakes_at = now + TICK if deadline is None else min(deadline, now + TICK)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max((self._wakes_at - now).total_seconds(), 0.0)):
                await self._timer.wait()

    async def _keep_registry(self) -> None:
        """Follow changes of sites and devices: told by the database, and looked at now and then."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REGISTRY_EVERY_S):
                    await self._registry_changed.wait()
            self._registry_changed.clear()
            try:
                async with self._database.transaction() as session:
                    registry = await store.load_registry(session)
            except DatabaseUnavailableError:
                continue
            except DBAPIError:
                log.exception("the registry could not be read; the one we have stays in force")
                continue
            self._take_registry(registry)

    def _take_registry(self, registry: dict[str, store.SiteEntry]) -> None:
        before, self._registry = self._registry, registry
        slugs = {entry.id: slug for slug, entry in registry.items()}
        moved = {slug: slugs[entry.id] for slug, entry in before.items() if slugs.get(entry.id, slug) != slug}
        if moved:
            self.fleet.rename(moved)
        replaced = {slug for slug, entry in registry.items() if slug in before and before[slug].id != entry.id}
        self.fleet.forget(replaced - set(moved.values()))
        self._apply(self.fleet.set_registry(self._mapping(), utc_now()))
        for slug in before.keys() - registry.keys():
            self._states.forget(slug)
        for slug, entry in registry.items():
            if before.get(slug) != entry:
                self._states.mark(slug)

    async def _report(self) -> None:
        """Say once a minute what was not taken at face value, if anything."""
        said = (0, 0, 0)
        while True:
            await asyncio.sleep(60)
            counts = (self._malformed, self.fleet.tally.unknown_device, self.fleet.tally.stale_wills)
            if counts != said:
                log.info("so far: %d malformed messages, %d of unknown devices, %d stale wills", *counts)
                said = counts
