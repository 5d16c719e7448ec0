"""Keeps one message in a chat up to date: how its places stand and since when.

Several processes may do this together: a message belongs to whoever has its row locked. What is written down after
each call is enough to go on after a crash; a message posted and not written down yet stays behind, not pinned.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats
from services.notifier import pins_store as store
from services.notifier.channels.base import (
    Address,
    ChannelError,
    ChatGoneError,
    ChatMovedError,
    FloodError,
    MessageLostError,
    MessageRefusedError,
    NoRightError,
)
from services.notifier.pacing import Pace, Rate, Window
from services.notifier.pins_store import NEW, NO_RIGHT, Claimed, Facts
from services.notifier.texts import words
from services.notifier.views import Reader
from services.notifier.views.groups import PIN_VERSION, no_pin_text, pin_text
from services.notifier.workers import flood
from svitlo.clock import utc_now
from svitlo.db.session import Database

log = logging.getLogger(__name__)

OVERALL = Rate(8, 1.0)
CHAT = Rate(8, 60.0)
"""Well below the 20 a minute that Telegram takes in a group: most of them are for alerts."""


@dataclass(frozen=True)
class Habits:
    """How often what is done, in seconds: look for changes, edit one message at most, see whether one is still there,
    try again after a failure, ask for one's turn."""

    poll_s: float = 2.0
    gap_s: float = 3.0
    look_s: float = 3600.0
    retry_s: float = 15.0
    wait_s: float = 0.05
    at_once: int = 2
    batch: int = 20


class Board(Protocol):
    """Where messages are kept (see `channels.pinboard`)."""

    def escape(self, text: str) -> str:
        """Make text safe to stand in a message."""
        ...

    async def post(self, chat: Address, text: str) -> int:
        """Send a message without a sound; returns its id."""
        ...

    async def edit(self, chat: Address, message_id: int, text: str) -> None:
        """Let a message say this."""
        ...

    async def pin(self, chat: Address, message_id: int) -> None:
        """Pin a message."""
        ...

    async def remove(self, chat: Address, message_id: int) -> None:
        """Delete a message."""
        ...


class Pins:
    """Works until cancelled; `wake` says that something may have changed."""

    def __init__(
        self,
        database: Database,
        board: Board,
        pace: Pace,
        zone: ZoneInfo,
        *,
        habits: Habits | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._board = board
        self._pace = pace
        self._zone = zone
        self._habits = habits or Habits()
        self._clock = clock
        self._facts = Facts(version=PIN_VERSION, zone=zone.key)
        self._gap = timedelta(seconds=self._habits.gap_s)
        self._look = timedelta(seconds=self._habits.look_s)
        self._overall = Window(OVERALL)
        self._chats: dict[int, Window] = {}
        self._held: dict[int, float] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    async def run(self) -> None:
        """Keep messages until cancelled. Raises `DatabaseUnavailableError`; running again goes on."""
        while True:
            self._wake.clear()
            if await self.work():
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._habits.poll_s):
                    await self._wake.wait()

    async def work(self) -> bool:
        """Bring up to date what may be now; False if there was nothing. Raises `DatabaseUnavailableError`."""
        habits, now = self._habits, time.monotonic()
        self._held = {chat: until for chat, until in self._held.items() if until > now}
        waiting = store.Waiting(held=self._held, full=self._full(now))
        async with self._database.transaction() as session:
            due = await store.due(session, self._facts, waiting, habits.batch, gap=self._gap, look=self._look)
        todo = deque(due)

        async def some() -> None:
            while todo:
                await self._update(todo.popleft())

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(habits.at_once, len(todo))):
                    group.create_task(some(), name="pinned messages")
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return bool(due)

    def _full(self, now: float) -> set[int]:
        """Telegram's ids of the chats that had their share of messages."""
        self._chats = {chat: window for chat, window in self._chats.items() if not window.unused(now)}
        return {chat for chat, window in self._chats.items() if window.wait(now) > 0} | self._pace.full_chats(now)

    async def _turn(self) -> None:
        """Wait until the alerts leave room."""
        while True:
            now = time.monotonic()
            if self._overall.wait(now) <= 0 and self._pace.spare(now):
                return
            await asyncio.sleep(self._habits.wait_s)

    @contextlib.contextmanager
    def _sending(self, mine: Claimed) -> Iterator[None]:
        """Round each call that Telegram counts."""
        now = time.monotonic()
        self._overall.take(now)
        self._chats.setdefault(mine.chat_id, Window(CHAT)).take(now)
        sending = self._pace.begin(mine.chat_id, now=now)
        try:
            yield
        finally:
            sending.end(time.monotonic())

    async def _update(self, chat: int) -> None:
        await self._turn()
        note: Claimed | None = None
        async with self._database.transaction() as session:
            mine = await store.claim(session, self._facts, chat, gap=self._gap, look=self._look)
            if mine is None:
                # Another process has it, or had it just now.
                self._held[chat] = time.monotonic() + self._habits.wait_s
                return
            try:
                await self._show(session, mine)
            except NoRightError:
                await self._stop(session, mine)
                note = mine
            except ChannelError as error:
                await self._failed(session, mine, error)
        if note is not None:
            await self._tell(note)

    async def _show(self, session: AsyncSession, mine: Claimed) -> None:
        """One step towards what the message ought to be: posted, or edited and pinned. Raises `ChannelError`."""
        address = Address(chat_id=mine.chat_id, topic_id=mine.topic_id)
        if mine.message_id is None:
            said = await self._text(session, mine)
            with self._sending(mine):
                posted = await self._board.post(address, said)
            await store.write(session, mine.chat, message_id=posted, digest=NEW + mine.wanted)
            return
        new = mine.shown is None or mine.shown.startswith(NEW)
        if mine.shown != NEW + mine.wanted:
            said = await self._text(session, mine)
            with self._sending(mine):
                await self._board.edit(address, mine.message_id, said)
        if new:
            with self._sending(mine):
                await self._board.pin(address, mine.message_id)
        await store.write(session, mine.chat, message_id=mine.message_id, digest=mine.wanted)

    async def _text(self, session: AsyncSession, mine: Claimed) -> str:
        places = await chats.followed_sites(session, mine.chat)
        sites = await chats.statuses(session, [place.id for place in places])
        return pin_text(sites, self._reader(mine))

    def _reader(self, mine: Claimed) -> Reader:
        try:
            zone = ZoneInfo(mine.timezone) if mine.timezone else self._zone
        except (ZoneInfoNotFoundError, ValueError):
            zone = self._zone
        return Reader(words=words(mine.language), zone=zone, now=self._clock(), escape=self._board.escape)

    async def _stop(self, session: AsyncSession, mine: Claimed) -> None:
        """A message that cannot be pinned would drown: take it back, and stop until the right is there."""
        if mine.message_id is not None:
            with contextlib.suppress(ChannelError):
                await self._board.remove(Address(chat_id=mine.chat_id), mine.message_id)
        await store.write(session, mine.chat, message_id=None, digest=None, error=NO_RIGHT)
        log.info("chat %d lets nothing be pinned", mine.chat)

    async def _failed(self, session: AsyncSession, mine: Claimed, error: ChannelError) -> None:
        match error:
            case MessageLostError():
                # Deleted by somebody: the next round posts another one.
                await store.write(session, mine.chat, message_id=None, digest=None)
            case ChatGoneError():
                log.info("chat %d is closed to us: %s", mine.chat, error)
                await chats.close_chat(session, mine.chat, str(error))
            case ChatMovedError():
                for chat in await chats.chat_keys(session, chats.TELEGRAM, mine.chat_id):
                    await chats.move_chat(session, chat, error.chat_id)
            case MessageRefusedError():
                log.warning("the pinned message of chat %d was refused: %s", mine.chat, error)
                await store.write(session, mine.chat, message_id=mine.message_id, digest=None, error=str(error)[:300])
            case FloodError():
                self._held[mine.chat] = time.monotonic() + error.retry_after_s
                if mine.chat_id > 0:
                    # A group has a limit of its own, which must not silence the alerts of all.
                    self._pace.flood(time.monotonic(), error.retry_after_s)
                    await flood(session, chats.TELEGRAM, error.retry_after_s)
            case _:
                self._held[mine.chat] = time.monotonic() + self._habits.retry_s

    async def _tell(self, mine: Claimed) -> None:
        """Say once, in the chat, what is missing; that it has stopped is written down already."""
        with contextlib.suppress(ChannelError):
            await self._board.post(
                Address(chat_id=mine.chat_id, topic_id=mine.topic_id), no_pin_text(mine.kind, self._reader(mine))
            )
