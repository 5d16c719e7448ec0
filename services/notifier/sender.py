"""Makes the deliveries: claims what is due, keeps the pace, and writes down what came of each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats, store, workers
from services.notifier.channels.base import (
    Channel,
    ChannelClosedError,
    ChatGoneError,
    ChatMovedError,
    FloodError,
    MessageRefusedError,
    Said,
    TryLaterError,
)
from services.notifier.faults import trace
from services.notifier.kinds import KINDS, alert_said
from services.notifier.owing import zone_of
from services.notifier.pacing import Pace, Retries, Sending
from services.notifier.store import EVENT, GATHER_S, Claimed
from services.notifier.texts import words
from services.notifier.views import Reader
from svitlo.bus import Backoff
from svitlo.clock import utc_now
from svitlo.db.session import Database
from svitlo.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

SHORTEST_PAUSE_S = 0.05
"""Between two looks for what is overdue but cannot be claimed (another sender holds it)."""

AWAY = 3
"""So many calls in a row that nobody answered: the other side is away, and its first answer is news."""

TOGETHER_S = 5.0
"""Two groups that are refused within so long are refused for what both have in common."""

AHEAD = 14
"""Deliveries claimed before their turn, half a second's worth: so the claims cost no time between two portions."""

Outcome = Callable[[AsyncSession], Awaitable[None]]
"""What to write down about a delivery."""


@dataclass(frozen=True)
class Patience:
    """How long the sender waits for what; seconds but `at_once`, the number of calls under way together."""

    call_s: float = 10.0
    poll_s: float = 2.0
    closed_s: float = 60.0
    drain_s: float = 4.0
    gather_s: float = GATHER_S
    at_once: int = 24
    retries: Retries = field(default_factory=Retries)

    @property
    def lease_s(self) -> float:
        """How long a claim holds: the call, and time to write down its outcome."""
        return 2 * self.call_s


class Sender:
    """Delivers over one channel until cancelled; `wake` says that something new is owed."""

    def __init__(
        self,
        database: Database,
        channel: Channel,
        pace: Pace,
        zone: ZoneInfo,
        *,
        patience: Patience | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._channel = channel
        self._pace = pace
        self._zone = zone
        self._patience = patience or Patience()
        self._clock = clock
        self._wake = asyncio.Event()
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._ready: list[tuple[float, Claimed]] = []
        self._closed_said = ""
        self._unanswered = 0
        self._refused = (-math.inf, 0)

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled. Raises `DatabaseUnavailableError`; running again goes on."""
        while True:
            self._wake.clear()
            pause = await self._round()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def drain(self) -> None:
        """Let the calls under way end, and be written down, before the rest is given up."""
        with contextlib.suppress(DatabaseUnavailableError):
            await self._give_back(math.inf)
        if self._busy:
            await asyncio.wait(self._busy.values(), timeout=self._patience.drain_s)
        for task in list(self._busy.values()):
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def _round(self) -> float:
        """Start what may be sent now, and claim what comes next; returns the seconds until there may be more."""
        now = time.monotonic()
        # What waits for its turn must not outlast its claim, and leaves it to others while nothing may be sent.
        await self._give_back(math.inf if self._pace.flooded(now) else now - self._patience.call_s)
        self._start_ready()
        room = 0 if self._pace.flooded(now) else self._sendable(now) + AHEAD - len(self._ready)
        waits = [self._patience.poll_s]
        if room > AHEAD // 2:
            claimed = await self._claim(room, waits)
            self._start_ready()
            now = time.monotonic()
            if claimed == room and self._sendable(now):
                return 0.0
        if (change := self._pace.next_change(time.monotonic())) is not None:
            waits.append(change)
        return max(0.0, min(waits))

    def _sendable(self, now: float) -> int:
        return max(0, min(self._patience.at_once - len(self._busy), self._pace.room(now)))

    async def _claim(self, room: int, waits: list[float]) -> int:
        """Claim up to `room`; if there are fewer, `waits` learns when the next one falls due."""
        now, patience = time.monotonic(), self._patience
        held = [*self._busy, *(delivery.chat for _, delivery in self._ready)]
        reach = store.Reach(self._channel.platform, held, self._pace.full_chats(now), patience.gather_s)
        async with self._database.transaction() as session:
            self._pace.flood(now, await workers.flood_left(session, self._channel.platform))
            if self._pace.flooded(now):
                return 0
            claimed = await store.claim(session, reach, room, patience.lease_s)
            if len(claimed) < room and (due := await store.next_due(session, reach)) is not None:
                waits.append(max(due, SHORTEST_PAUSE_S))
        self._ready += [(now, delivery) for delivery in claimed]
        return len(claimed)

    def _start_ready(self) -> None:
        now = time.monotonic()
        sendable, full = self._sendable(now), self._pace.full_chats(now)
        waiting: list[tuple[float, Claimed]] = []
        for claimed_at, delivery in self._ready:
            if sendable > 0 and delivery.address.chat_id not in full:
                self._start(delivery)
                sendable -= 1
                full = self._pace.full_chats(now)
            else:
                waiting.append((claimed_at, delivery))
        self._ready = waiting

    async def _give_back(self, claimed_before: float) -> None:
        """Let go of what was claimed before a moment and not begun."""
        late = [delivery.id for claimed_at, delivery in self._ready if claimed_at < claimed_before]
        if late:
            self._ready = [item for item in self._ready if item[0] >= claimed_before]
            async with self._database.transaction() as session:
                await store.give_back(session, late)

    def _start(self, delivery: Claimed) -> None:
        chat_id = delivery.address.chat_id  # the topics of a group share its rate
        sending = self._pace.begin(chat_id, now=time.monotonic())
        task = asyncio.create_task(self._deliver(delivery, sending), name=f"delivery {delivery.id}")
        self._busy[delivery.chat] = task
        task.add_done_callback(partial(self._ended, delivery, sending))

    def _ended(self, delivery: Claimed, sending: Sending, task: asyncio.Task[None]) -> None:
        sending.end(time.monotonic())
        del self._busy[delivery.chat]
        self.wake()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The claim runs out by itself, and the delivery is tried again.
            log.error("delivery %d went wrong: %s", delivery.id, trace(error))

    async def _deliver(self, delivery: Claimed, sending: Sending) -> None:
        outcome = await self._attempt(delivery)
        sending.end(time.monotonic())
        backoff = Backoff()
        while True:
            try:
                async with self._database.transaction() as session:
                    await outcome(session)
            except DatabaseUnavailableError as error:
                # Made but not written down, it would be made again: so this does not give up.
                log.warning("what came of delivery %d cannot be written down yet: %s", delivery.id, error)
                await backoff.wait()
            else:
                return

    async def _answers_again(self) -> None:
        if self._unanswered >= AWAY:
            log.info("%s answers again", self._channel.platform)
            await store.hurry(self._database, self._channel.platform)
        self._unanswered = 0

    async def _attempt(self, delivery: Claimed) -> Outcome:
        said: Said | None = None
        try:
            said = await self._say(delivery)
            if said is None:
                return partial(store.drop, delivery=delivery, reason="nothing is left to tell")
            if delivery.chat_kind == "channel":
                # What one reader asks there all of them would be told.
                said = replace(said, buttons=())
            kind = delivery.bundle.kind if delivery.bundle else None
            async with asyncio.timeout(self._patience.call_s):
                message_id = await self._channel.send(delivery.address, said, kind)
        except TimeoutError:
            self._unanswered += 1
            return self._later(delivery, f"no answer within {self._patience.call_s:g} s", maybe_told=True)
        except FloodError as error:
            if self._groups_own(delivery.address.chat_id):
                log.warning("%s; nothing is sent to this group until then", error)
                return self._later(delivery, str(error), error.retry_after_s)
            log.warning("%s; nothing is sent until then", error)
            self._pace.flood(time.monotonic(), error.retry_after_s)
            return self._flooded(delivery, error)
        except TryLaterError as error:
            self._unanswered += 1
            return self._later(delivery, str(error), maybe_told=error.maybe_told)
        except ChannelClosedError as error:
            self._say_closed(str(error))
            self._pace.flood(time.monotonic(), self._patience.closed_s)
            return self._later(delivery, str(error), self._patience.closed_s)
        except ChatGoneError as error:
            log.info("chat %d is closed to us: %s", delivery.chat, error)
            return partial(chats.close_chat, chat=delivery.chat, reason=str(error))
        except ChatMovedError as error:
            return partial(chats.move_chat, chat=delivery.chat, chat_id=error.chat_id)
        except MessageRefusedError as error:
            log.warning("delivery %d was refused: %s", delivery.id, error)
            return partial(store.fail, delivery=delivery.id, error=str(error))
        except Exception as error:
            # Nobody foresaw it, and it may pass: a claim that only ran out would be made anew for ever.
            log.error("delivery %d went wrong: %s", delivery.id, trace(error))  # noqa: TRY400
            return self._later(delivery, f"it went wrong ({type(error).__name__})")
        self._closed_said = ""
        await self._answers_again()
        return partial(store.mark_sent, delivery=delivery, message_id=message_id, said=said.text)

    async def _say(self, delivery: Claimed) -> Said | None:
        """What the delivery says now. Raises `MessageRefusedError` for a kind nobody knows."""
        zone = zone_of(delivery.timezone, self._zone)
        reader = Reader(words=words(delivery.language), zone=zone, now=self._clock(), escape=self._channel.escape)
        if delivery.kind == EVENT:
            return alert_said(delivery, reader)
        if (view := KINDS.get(delivery.kind)) is None:
            raise MessageRefusedError(f"nothing says {delivery.kind!r}")
        try:
            return await view(self._database, delivery, delivery.payload, reader)
        except (KeyError, ValueError) as error:
            raise MessageRefusedError(f"its payload cannot be told ({type(error).__name__})") from error
        except DatabaseUnavailableError as error:
            raise TryLaterError(str(error)) from error

    def _groups_own(self, chat_id: int) -> bool:
        """Whether a wait is that of one group, whose limit of its own must not silence the alerts of all others.

        When another group is refused at the same time it is the whole bot's.
        """
        now, (at, group) = time.monotonic(), self._refused
        if chat_id >= 0:
            return False
        self._refused = (now, chat_id)
        return chat_id == group or now - at > TOGETHER_S

    def _flooded(self, delivery: Claimed, error: FloodError) -> Outcome:
        """All processes wait, and none counts this as the message's own fault."""
        later = self._later(delivery, str(error), error.retry_after_s)

        async def outcome(session: AsyncSession) -> None:
            await workers.flood(session, self._channel.platform, error.retry_after_s)
            await later(session)

        return outcome

    def _later(
        self, delivery: Claimed, reason: str, delay_s: float | None = None, *, maybe_told: bool = False
    ) -> Outcome:
        retries = self._patience.retries
        delay = retries.delay(delivery.attempts) if delay_s is None else delay_s
        if delivery.age_s + delay > retries.give_up_s:
            log.error("delivery %d is given up: %s", delivery.id, reason)
            return partial(store.fail, delivery=delivery.id, error=reason)
        return partial(store.retry, delivery=delivery.id, delay_s=delay, error=reason, maybe_told=maybe_told)

    def _say_closed(self, reason: str) -> None:
        if reason != self._closed_said:
            log.error("%s; alerts wait", reason)
            self._closed_said = reason
