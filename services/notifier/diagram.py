"""The living diagram: a pinned picture of the week, redrawn every hour, finished and unpinned at midnight.

Several processes may do this together: a picture belongs to whoever marked its row last. One that was posted and not
written down before a crash stays behind, not pinned.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import chats, chats_told, history, weekly
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
from services.notifier.history import Site
from services.notifier.pacing import Pace
from services.notifier.texts import words
from services.notifier.views import Reader
from services.notifier.workers import tell_flood
from svitlo.clock import utc_now
from svitlo.db.session import Database

log = logging.getLogger(__name__)

KIND: Final = "week"
EVERY: Final = timedelta(hours=1)
AGAIN: Final = timedelta(minutes=5)
"""After a failure, or after a process died over it."""

_ZONES = text("SELECT DISTINCT c.timezone FROM pins p JOIN chats c ON c.id = p.chat WHERE p.kind = 'week'")

_CLAIM = text("""
WITH due AS (
  SELECT p.chat FROM pins p JOIN chats c ON c.id = p.chat
  JOIN unnest(CAST(:zones AS text[]), CAST(:days AS date[])) AS t (zone, day)
    ON t.zone = coalesce(c.timezone, :zone)
  WHERE p.kind = 'week' AND c.active AND c.platform = 'telegram'
    AND (p.error IS NULL OR p.updated_at <= CAST(:now AS timestamptz) - CAST(:again AS interval))
    AND (p.message_id IS NULL OR p.day IS DISTINCT FROM t.day OR p.error IS NOT NULL
      OR p.updated_at <= CAST(:now AS timestamptz) - CAST(:every AS interval))
  ORDER BY p.updated_at LIMIT 1 FOR UPDATE OF p SKIP LOCKED
)
UPDATE pins p SET updated_at = :now, error = 'under way' FROM due, chats c
WHERE p.chat = due.chat AND p.kind = 'week' AND c.id = p.chat
RETURNING p.chat, p.message_id, p.day, c.chat_id, c.topic_id, c.language, c.timezone
""")

_KEEP = text("""
UPDATE pins SET message_id = :message_id, day = :day, error = :error WHERE chat = :chat AND kind = 'week'
""")


class Gallery(Protocol):
    """Where pictures hang (see `channels.gallery`). Everything raises `ChannelError`."""

    def escape(self, text: str) -> str:
        """Make text safe to stand in a caption."""
        ...

    async def hang(self, chat: Address, photo: bytes, caption: str) -> int:
        """Send a picture without a sound; returns the message's id."""
        ...

    async def post(self, chat: Address, text: str) -> int:
        """Send words without a sound; returns the message's id."""
        ...

    async def redraw(self, chat: Address, message_id: int, photo: bytes, caption: str) -> None:
        """Put another picture in its place."""
        ...

    async def pin(self, chat: Address, message_id: int) -> None:
        """Pin it."""
        ...

    async def unpin(self, chat: Address, message_id: int) -> None:
        """Unpin it."""
        ...


@dataclass
class Hung:
    """A chat's picture: the message, and the local day it shows as its last; neither before the first one."""

    chat: int
    message_id: int | None
    day: date | None
    chat_id: int
    topic_id: int
    language: str
    timezone: str | None

    @property
    def address(self) -> Address:
        """Where it hangs."""
        return Address(chat_id=self.chat_id, topic_id=self.topic_id)


async def want(session: AsyncSession, chat: int) -> None:
    """Let a chat have a living diagram."""
    await session.execute(
        text("INSERT INTO pins (chat, kind) VALUES (:chat, 'week') ON CONFLICT (chat, kind) DO NOTHING"),
        {"chat": chat},
    )


async def give_up(session: AsyncSession, chat: int) -> int | None:
    """Let it have none any more; returns the message that stays behind."""
    found = await session.execute(
        text("DELETE FROM pins WHERE chat = :chat AND kind = 'week' RETURNING message_id"), {"chat": chat}
    )
    message: int | None = found.scalar_one_or_none()
    return message


class Diagrams:
    """Keeps the pictures until cancelled, one at a time."""

    def __init__(
        self,
        database: Database,
        gallery: Gallery,
        pace: Pace,
        zone: ZoneInfo,
        *,
        clock: Callable[[], datetime] = utc_now,
        poll_s: float = 30.0,
    ) -> None:
        self._database = database
        self._gallery = gallery
        self._pace = pace
        self._zone = zone
        self._clock = clock
        self._poll_s = poll_s

    async def run(self) -> None:
        """Until cancelled. Raises `DatabaseUnavailableError`; running again goes on."""
        while True:
            while await self.work():
                pass
            await asyncio.sleep(self._poll_s)

    async def work(self) -> bool:
        """Bring one picture up to date; False if none is due."""
        async with self._database.transaction() as session:
            hung = await self._claim(session)
        if hung is None:
            return False
        error: str | None = None
        try:
            await self._refresh(hung)
        except ChatGoneError as gone:
            async with self._database.transaction() as session:
                await chats.close_chat(session, hung.chat, str(gone))
            error = str(gone)
        except ChatMovedError as moved:
            async with self._database.transaction() as session:
                await chats.move_chat(session, hung.chat, moved.chat_id)
            return True
        except MessageRefusedError as refused:
            if hung.message_id is None:
                await self._stop(hung, refused)
                return True
            error = str(refused)
        except FloodError as flood:
            if hung.chat_id > 0:
                # A group has a limit of its own, which must not silence the alerts of all.
                self._pace.flood(time.monotonic(), flood.retry_after_s)
                await tell_flood(self._database, chats.TELEGRAM, flood.retry_after_s)
            error = str(flood)
        except ChannelError as fault:
            error = str(fault)
        if error is not None:
            log.warning("the diagram of chat %d waits: %s", hung.chat, error)
        await self._keep(hung, error)
        return True

    async def _refresh(self, hung: Hung) -> None:
        """Finish yesterday's picture if there is one, then draw today's. What was done stands in `hung`."""
        reader = Reader(
            words=words(hung.language), zone=self._zone_of(hung), now=self._clock(), escape=self._gallery.escape
        )
        site = await self._only_place(hung)
        today = reader.now.astimezone(reader.zone).date()
        if hung.message_id is not None and (site is None or hung.day != today):
            await self._finish(hung, hung.message_id, site, reader)
            hung.message_id = None
            await self._keep(hung, "under way")
        if site is None:
            async with self._database.transaction() as session:
                await give_up(session, hung.chat)
            return
        picture = await weekly.shown(self._database, site, today, reader)
        if hung.message_id is not None:
            try:
                async with self._turn(hung):
                    await self._gallery.redraw(hung.address, hung.message_id, picture.photo, picture.caption)
            except MessageLostError:
                hung.message_id = None
            else:
                return
        async with self._turn(hung):
            hung.message_id, hung.day = await self._gallery.hang(hung.address, picture.photo, picture.caption), today
        await self._keep(hung, "under way")
        await self._pin(hung, hung.message_id)

    async def _stop(self, hung: Hung, refused: MessageRefusedError) -> None:
        """A chat that takes no pictures is told so once, and asked no more."""
        log.info("chat %d takes no pictures: %s", hung.chat, refused)
        async with self._database.transaction() as session:
            await give_up(session, hung.chat)
        with contextlib.suppress(ChannelError):
            async with self._turn(hung):
                await self._gallery.post(hung.address, words(hung.language).say("weekly-no-pictures"))

    async def _finish(self, hung: Hung, message_id: int, site: Site | None, reader: Reader) -> None:
        """Show all of its last day, and unpin it."""
        try:
            if site is not None and hung.day is not None:
                picture = await weekly.shown(self._database, site, hung.day, reader)
                async with self._turn(hung):
                    await self._gallery.redraw(hung.address, message_id, picture.photo, picture.caption)
            await self._gallery.unpin(hung.address, message_id)
        except (MessageLostError, NoRightError):
            return

    async def _pin(self, hung: Hung, message_id: int) -> None:
        try:
            await self._gallery.pin(hung.address, message_id)
        except (MessageLostError, NoRightError) as error:
            # Without the right it is kept up to date all the same.
            log.info("the diagram of chat %d is not pinned: %s", hung.chat, error)

    @contextlib.asynccontextmanager
    async def _turn(self, hung: Hung) -> AsyncIterator[None]:
        """Wait until alerts leave room for a picture, and take it for the length of the block."""
        # The pace tells no event of its own.
        while (  # noqa: ASYNC110
            not self._pace.spare(now := time.monotonic()) or hung.chat_id in self._pace.full_chats(now)
        ):
            await asyncio.sleep(max(0.05, self._pace.flooded(now)))
        sending = self._pace.begin(hung.chat_id, now=now)
        try:
            yield
        finally:
            sending.end(time.monotonic())

    async def _only_place(self, hung: Hung) -> Site | None:
        """The place a chat is told of; None if there is not exactly one."""
        async with self._database.transaction() as session:
            places = await chats_told.told_sites(session, hung.chat)
            return await history.site_for(session, hung.chat, places[0].id) if len(places) == 1 else None

    async def _claim(self, session: AsyncSession) -> Hung | None:
        now = self._clock()
        zones = {name or self._zone.key for name in (await session.execute(_ZONES)).scalars()}
        days = {name: now.astimezone(_zone(name, self._zone)).date() for name in zones}
        values = {"zones": list(days), "days": list(days.values()), "zone": self._zone.key, "now": now}
        row = (await session.execute(_CLAIM, values | {"again": AGAIN, "every": EVERY})).mappings().one_or_none()
        return None if row is None else Hung(**row)

    async def _keep(self, hung: Hung, error: str | None) -> None:
        values = {"chat": hung.chat, "message_id": hung.message_id, "day": hung.day, "error": error and error[:300]}
        async with self._database.transaction() as session:
            await session.execute(_KEEP, values)

    def _zone_of(self, hung: Hung) -> ZoneInfo:
        return _zone(hung.timezone, self._zone) if hung.timezone else self._zone


def _zone(name: str, default: ZoneInfo) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return default
