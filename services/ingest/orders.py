"""The conversation with boards that have something to do: orders out, reports in.

It is slow and rare beside what is recorded, so it has the acknowledged link and a task of its own. Everything that must
survive is in the database; what a restart forgets, the next send of an order finds out again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from msgspec import structs

from services.ingest import order_store as store
from services.ingest.order_rules import SIGNED, Pace, Standing, command, due, holds_place, restarted, step
from services.ingest.updates import Firmware, Updates
from svitlo.accounts.passwords import derive_password
from svitlo.bus import ServiceLink
from svitlo.clock import utc_now
from svitlo.contracts import DeviceChannel, Report, ReportState, encode, topics
from svitlo.db.session import Database
from svitlo.errors import BrokerUnavailableError, DatabaseUnavailableError
from svitlo.firmware import bundle, sign, update_key
from svitlo.registry import OrderDetails, OrderKind, OrderRow, OrderState

log = logging.getLogger(__name__)

REPORTS_PER_ORDER = 8
ORDERS_WAITING = 10_000
"""Of so many orders reports may wait for a database that is away."""
RESEND_LIMIT = 200
"""Orders sent again in one look; the rest follow in the next."""


class Orders:
    """Carries orders out: `take` what boards report, and `run`."""

    def __init__(
        self,
        database: Database,
        link: ServiceLink,
        secret: str,
        on_new_password: Callable[[], None],
        *,
        pace: Pace | None = None,
        firmware: Firmware = bundle,
    ) -> None:
        self._database = database
        self._link = link
        self._secret = secret
        self._on_new_password = on_new_password
        self._pace = pace or Pace()
        self._updates = Updates(link, firmware, self._pace)
        self._wake = asyncio.Event()
        self._open: set[UUID] | None = None
        self._pending: dict[tuple[str, UUID], deque[Report]] = {}
        self._trouble = ""

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def take(self, device: str, report: Report) -> None:
        """A report of a registered device. Never waits, and keeps no more than it can bound."""
        try:
            order = UUID(report.order)
        except ValueError:
            return  # none of ours
        if self._open is not None and order not in self._open:
            return  # unknown, or ended
        if report.state is not ReportState.LOADING:
            self._updates.leave(device)
        elif report.offset is not None:
            self._updates.ask(device, order, report.offset)
        self._keep((device, order), (report,))
        self._wake.set()

    def _keep(self, key: tuple[str, UUID], reports: Iterable[Report]) -> None:
        """Add what was reported later; of several times the same word the last one stays."""
        if key not in self._pending and len(self._pending) >= ORDERS_WAITING:
            return
        kept = self._pending.setdefault(key, deque(maxlen=REPORTS_PER_ORDER))
        for report in reports:
            if kept and kept[-1].state is report.state:
                kept.pop()
            kept.append(report)

    async def run(self) -> None:
        """Carry out until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._updates.run(), name="updates")
            tasks.create_task(self._look_on(), name="orders")

    async def _look_on(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._look()
            except (DatabaseUnavailableError, BrokerUnavailableError) as error:
                if str(error) != self._trouble:
                    log.warning("orders to boards wait: %s", error)
                self._trouble = str(error)
            except Exception:  # recording must not end with it
                log.exception("orders to boards could not be looked after")
            else:
                self._trouble = ""
            await asyncio.sleep(self._pace.rest_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.every_s):
                    await self._wake.wait()

    async def _look(self) -> None:
        await self._note_reports()
        now = utc_now()
        async with self._database.transaction() as session:
            if not await store.any_open(session):
                self._open, self._updates.loading = set(), {}
                return
            expired = await store.expire(session, now)
            flying = await store.in_flight(session, now)
        for order in expired:
            _tell(order, order.state, order.text)
        flying = [standing for standing in flying if not await self._over(standing, now)]
        self._open = {standing.order.id for standing in flying}
        updates = [standing for standing in flying if standing.order.kind is OrderKind.UPDATE]
        self._updates.loading = {standing.order.device_id: standing.order.id for standing in updates}
        if self._link.connected:
            await self._send_others([standing for standing in flying if standing not in updates], now)
            await self._send_updates(updates, now)

    async def _note_reports(self) -> None:
        """Reports go into the database in the order they came; what it cannot take now stays."""
        for key in tuple(self._pending):
            reports = self._pending.pop(key)
            try:
                adopted = await self._note(key, reports)
            except DatabaseUnavailableError:
                later = self._pending.pop(key, ())
                self._keep(key, (*reports, *later))
                raise
            if adopted:
                self._on_new_password()

    async def _note(self, key: tuple[str, UUID], reports: Iterable[Report]) -> bool:
        """Note what a board says of one order; whether it is the new password that it has stored."""
        device, order_id = key
        adopted = False
        news: list[tuple[OrderRow, OrderState, str | None]] = []
        async with self._database.transaction() as session:
            for report in reports:
                order = await store.find(session, order_id, device)
                if order is None or (to := step(order, report, self._pace)) is None:
                    continue
                if order.kind is OrderKind.ROTATE and to.state is OrderState.STORED:
                    adopted = await store.adopt_password(session, order) or adopted
                await store.advance(session, order, to, utc_now())
                if to.state is not order.state or to.setback:
                    news.append((order, to.state, to.text))
        for order, state, text in news:
            _tell(order, state, text)
        return adopted

    async def _over(self, standing: Standing, now: datetime) -> bool:
        """Whether an order that was sent is over by what we know ourselves; then that is noted."""
        order, state, reason = standing.order, OrderState.DONE, "the board has started anew"
        if order.kind is OrderKind.UPDATE and order.state is not OrderState.STORED:
            made = await self._updates.compile()
            if made is None or made.sha256 == order.details.sha256:
                return False
            state = OrderState.CANCELLED
            reason = f"this server has other firmware now ({made.version}); order the update again"
        elif not restarted(standing):
            return False
        async with self._database.transaction() as session:
            await store.end(session, order, state, reason, now)
        _tell(order, state, reason)
        return True

    async def _send_others(self, flying: Iterable[Standing], now: datetime) -> None:
        """Everything but updates: what was not answered again, then what waits and whose board is online."""
        again = [standing for standing in flying if standing.online and due(standing.order, now, self._pace)]
        for standing in again[:RESEND_LIMIT]:
            await self._send(standing)
        async with self._database.transaction() as session:
            fresh = await store.ready(session, now, updates=False)
        for standing in fresh:
            await self._send(standing)

    async def _send_updates(self, flying: Iterable[Standing], now: datetime) -> None:
        """Updates: only so many at a time, and none of a version that does harm."""
        keeping = [standing for standing in flying if holds_place(standing.order, now, self._pace)]
        free = self._pace.slots - len(keeping)
        for standing in flying:
            if standing.online and due(standing.order, now, self._pace):
                if standing not in keeping and standing.order.state is not OrderState.STORED:
                    if free <= 0:
                        continue
                    free -= 1
                await self._send(standing)
        async with self._database.transaction() as session:
            waiting = await store.updates_wait(session)
        if not waiting:
            return
        held = await self._held(now)
        async with self._database.transaction() as session:
            await store.say_held(session, held)
            forced = held is not None
            fresh = await store.ready(session, now, updates=True, forced=forced, limit=max(free, 0))
        if self._updates.bundle is not None:
            for standing in fresh:
                await self._send(standing)

    async def _held(self, now: datetime) -> str | None:
        """Why no more boards get the update, or None."""
        made = await self._updates.compile()
        if made is None:
            return self._updates.trouble
        async with self._database.transaction() as session:
            failed = await store.failures(session, made.sha256, now, self._pace)
        if failed < self._pace.failures:
            return None
        return f"held back: {failed} boards failed with {made.version}, or stored it and have not come back"

    async def _send(self, standing: Standing) -> None:
        """Send an order; it is noted as sent only if the broker took it."""
        order, now = standing.order, utc_now()
        details = self._details(standing, now)
        async with self._database.transaction() as session:
            if order.kind in SIGNED and details.serial is None:
                details = structs.replace(details, serial=await store.next_serial(session, order.device_id, now))
            if not await store.mark_sent(session, order, details, self._remark(order, details), now):
                return
            if self._open is not None:
                self._open.add(order.id)  # its answer may be here before we are
            if order.kind is OrderKind.UPDATE:
                self._updates.loading[order.device_id] = order.id
            topic = topics.device(order.device_id, DeviceChannel.COMMAND)
            await self._link.publish(topic, self._payload(replace(order, details=details)))
        if order.state is OrderState.WAITING:
            _tell(order, OrderState.SENT, None)

    def _details(self, standing: Standing, now: datetime) -> OrderDetails:
        """What is known of an order when it is sent; the first time it gets what is right by now."""
        order = standing.order
        details = structs.replace(order.details, sends=order.details.sends + 1, sent_at=now)
        if order.state is not OrderState.WAITING:
            return details
        made = self._updates.bundle
        if order.kind is OrderKind.UPDATE and made is not None:
            return structs.replace(details, version=made.version, size=len(made.data), sha256=made.sha256)
        if order.kind is OrderKind.ROTATE:
            return structs.replace(details, generation=standing.generation + 1)
        return structs.replace(details, boot=standing.boot)

    def _remark(self, order: OrderRow, details: OrderDetails) -> str | None:
        if order.state is OrderState.SENT and details.sends > self._pace.unanswered:
            return "no answer, though the board is online: its firmware may be too old for orders; write it anew by USB"
        return None if order.state is OrderState.WAITING else order.text

    def _payload(self, order: OrderRow) -> bytes:
        if order.kind not in SIGNED:
            return encode(command(order))
        password = None
        if order.kind is OrderKind.ROTATE and order.details.generation is not None:
            password = derive_password(self._secret, order.device_id, order.details.generation)
        unsigned = command(order, password)
        key = update_key(self._secret, order.device_id)
        return encode(structs.replace(unsigned, mac=sign(key, order.device_id, unsigned)))


def _tell(order: OrderRow, state: OrderState, text: str | None) -> None:
    log.info("%s of %s: %s%s", order.kind.value, order.device_id, state.value, f" ({text})" if text else "")
