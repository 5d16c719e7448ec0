"""Ingest's shell: from the firehose into PostgreSQL, a batch a second."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from datetime import timedelta
from functools import lru_cache

from sqlalchemy.exc import DBAPIError

from services.ingest import order_store, store
from services.ingest.accounts import AccountKeeper
from services.ingest.buffer import Batch, Buffer
from services.ingest.order_rules import Pace
from services.ingest.orders import Orders
from services.ingest.updates import Firmware
from svitlo.bus import Backoff, Firehose, ServiceLink
from svitlo.clock import utc_now
from svitlo.contracts import (
    ContractError,
    DeviceChannel,
    DeviceStatus,
    Heartbeat,
    Journal,
    Report,
    decode_device,
    topics,
)
from svitlo.db.listen import ORDERS_CHANNEL, REGISTRY_CHANNEL, Listener
from svitlo.db.session import Database
from svitlo.errors import DatabaseUnavailableError
from svitlo.firmware import bundle
from svitlo.health import beat
from svitlo.settings import Settings

log = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0
LAST_WRITE_S = 4.0
SAY_EVERY_S = 60.0
REGISTRY_EVERY_S = 60.0
UPKEEP_EVERY_S = 3600.0
DAYS_AHEAD = 2

SUBSCRIPTIONS = (
    (topics.device("+", DeviceChannel.HEARTBEAT), 0),
    (topics.device("+", DeviceChannel.STATUS), 1),
    (topics.device("+", DeviceChannel.JOURNAL), 1),
)

REPORTS = ((topics.device("+", DeviceChannel.REPORT), 1),)
"""Answers to orders come over the link that sent them."""

_parse_topic = lru_cache(maxsize=65_536)(topics.parse_device)
"""The same boards speak again and again."""


async def run(settings: Settings) -> None:
    """Record until cancelled."""
    async with Database(settings.required_database_url) as database:
        await Ingest(settings, database).run()


class Ingest:
    """One recorder."""

    def __init__(
        self, settings: Settings, database: Database, *, pace: Pace | None = None, firmware: Firmware = bundle
    ) -> None:
        self._settings = settings
        self._database = database
        self.buffer = Buffer()
        self._devices: frozenset[str] = frozenset()
        self._refused_said: set[str] = set()
        self._partitions: set[str] = set()
        self._partitioning = asyncio.Lock()
        self._registry_changed = asyncio.Event()
        self._away = False
        self._losses_said = 0
        self._losses_said_at = -SAY_EVERY_S
        self.taken = 0
        """Messages so far; what is not in `refused`, of strangers or in `buffer.lost` is written or waits."""
        self.refused = 0
        self._accounts = AccountKeeper(database, settings.broker, settings.required_secret)
        self._firehose = Firehose(
            settings.broker,
            f"svitlo.ingest.{settings.instance}",
            SUBSCRIPTIONS,
            self._on_message,
            on_up=self._accounts.wake,
        )
        self._link = ServiceLink(
            settings.broker,
            "ingest",
            settings.instance,
            subscriptions=REPORTS,
            on_message=self._on_message,
            on_up=lambda: self._orders.wake(),
        )
        self._orders = Orders(
            database, self._link, settings.required_secret, self._accounts.wake, pace=pace, firmware=firmware
        )

    async def run(self) -> None:
        """Record until cancelled; what is buffered then is written once more."""
        await self._first_registry()
        gc.freeze()  # what is here by now will stay; to look through it again and again took a quarter of our time
        try:
            await self._work()
        finally:
            await self._write_last()  # when nothing comes any more

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._firehose.run(), name="firehose")
            tasks.create_task(self._link.run(), name="link")
            tasks.create_task(self._accounts.run(), name="accounts")
            tasks.create_task(self._orders.run(), name="orders")
            tasks.create_task(self._keep_registry(), name="registry")
            tasks.create_task(self._listen(), name="listen")
            tasks.create_task(self._upkeep(), name="upkeep")
            tasks.create_task(self._write_on(), name="writer")

    async def _first_registry(self) -> None:
        """Without the registry every device would be a stranger."""
        backoff = Backoff()
        while True:
            try:
                async with self._database.transaction() as session:
                    self._devices = await store.load_devices(session)
                log.info("recording %d devices", len(self._devices))
                return
            except DatabaseUnavailableError as error:
                log.warning("%s; trying again", error)
                beat()
                await backoff.wait()

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        if retained or not payload:
            return  # memory, not news; an empty payload clears a retained message
        self.taken += 1
        now = utc_now()
        device: str | None = None
        try:
            device, channel = _parse_topic(topic)
            decoded = decode_device(channel, payload)
        except ContractError as error:
            self._refuse(topic, device, error, payload)
            return
        if device not in self._devices:
            self.buffer.add_stranger(device, now)
        elif isinstance(decoded, Heartbeat):
            self.buffer.add_heartbeat(device, decoded, now)
        elif isinstance(decoded, DeviceStatus):
            self.buffer.add_status(device, decoded, now)
        elif isinstance(decoded, Journal):
            self.buffer.add_journal(device, decoded, now)
        elif isinstance(decoded, Report):
            self._orders.take(device, decoded)

    def _refuse(self, topic: str, device: str | None, error: ContractError, payload: bytes) -> None:
        self.refused += 1
        self.buffer.add_refused(topic, error.reason.value, error.detail, payload, device, utc_now())
        name = device or topic[:80]
        if name not in self._refused_said and len(self._refused_said) < 10_000:
            self._refused_said.add(name)
            log.warning("%s sends what the contract does not allow (%s); kept in quarantine", name, error)

    async def _write_on(self) -> None:
        """Write a batch a second until cancelled; a write that is under way then is let finish."""
        backoff = Backoff()
        writing: asyncio.Task[bool] | None = None
        try:
            while True:
                await asyncio.sleep(WRITE_EVERY_S)
                beat()
                self._say_losses()
                if not (batch := self.buffer.take()):
                    continue
                writing = asyncio.create_task(self._keep(batch), name="write")
                if await asyncio.shield(writing):
                    backoff.reset()
                else:
                    await backoff.wait()
        except asyncio.CancelledError:
            if writing is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_WRITE_S):
                        await writing
            raise

    async def _write_last(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WRITE_S):
                await self._keep(self.buffer.take())
        self._say_losses(0)
        if self.buffer:
            log.warning("%d readings and journals could not be written any more", len(self.buffer))

    async def _keep(self, batch: Batch) -> bool:
        """Write a batch or put it back; False when the database is away."""
        try:
            await self._write(batch)
        except DatabaseUnavailableError as error:
            self.buffer.put_back(batch)
            if not self._away:
                log.warning("%s; readings wait in memory", error)
            self._away = True
            return False
        except DBAPIError:
            # A batch the database refuses for what it says would come back for ever; it is told in full.
            log.exception("the database refused a batch of %d readings; it is left out", len(batch.readings))
            self.buffer.give_up(batch)
        except asyncio.CancelledError:
            self.buffer.put_back(batch)
            raise
        if self._away:
            log.info("PostgreSQL is back")
        self._away = False
        return True

    def _say_losses(self, every_s: float = SAY_EVERY_S) -> None:
        """Say what was not kept, if it has become more and was not said within `every_s`."""
        losses, now = self.buffer.lost.total(), time.monotonic()
        if losses == self._losses_said or now - self._losses_said_at < every_s:
            return
        self._losses_said, self._losses_said_at = losses, now
        log.warning("not kept so far: %s", ", ".join(f"{n} {why}" for why, n in sorted(self.buffer.lost.items()) if n))

    async def _write(self, batch: Batch) -> None:
        days = {reading[0].date() for reading in batch.readings}
        missing = {day for day in days if store.partition_name(day) not in self._partitions}
        if missing:
            async with self._partitioning, self._database.transaction() as session:
                await store.create_partitions(session, missing)
                self._partitions = await store.partitions(session)
        async with self._database.transaction() as session:
            await store.write(session, batch)

    async def _upkeep(self) -> None:
        """Make the next days' partitions ahead of midnight, drop what is past its time."""
        while True:
            today = utc_now().date()
            try:
                async with self._partitioning, self._database.transaction() as session:
                    await store.create_partitions(session, [today + timedelta(days=n) for n in range(DAYS_AHEAD + 1)])
                    first = today - timedelta(days=self._settings.readings_days)
                    dropped = await store.drop_partitions(session, first)
                    await store.delete_journals(session, first)
                    await store.delete_rejected(session, first)
                    await order_store.delete_ended(session, first)
                    self._partitions = await store.partitions(session)
                if dropped:
                    log.info("dropped readings older than %d days: %s", self._settings.readings_days, dropped)
            except DatabaseUnavailableError:
                await asyncio.sleep(30)
                continue
            await asyncio.sleep(UPKEEP_EVERY_S)

    async def _listen(self) -> None:
        backoff = Backoff()
        while True:
            try:
                async with Listener(self._settings.required_database_url) as listener:
                    await listener.listen(REGISTRY_CHANNEL, self._registry_changed.set)
                    await listener.listen(ORDERS_CHANNEL, self._orders.wake)
                    self._registry_changed.set()
                    self._orders.wake()
                    backoff.reset()
                    await listener.watch()
            except DatabaseUnavailableError:
                pass
            await backoff.wait()

    async def _keep_registry(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REGISTRY_EVERY_S):
                    await self._registry_changed.wait()
            self._registry_changed.clear()
            with contextlib.suppress(DatabaseUnavailableError):
                async with self._database.transaction() as session:
                    devices = await store.load_devices(session)
                if devices != self._devices:
                    self._devices = devices
                    self._accounts.wake()
