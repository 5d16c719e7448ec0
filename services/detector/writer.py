"""Writes what the detector owes to the database, in order, however long the database was away.

Detection never waits for it: effects are queued in memory and each batch becomes one transaction, outage and event
together.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import DBAPIError

from services.detector import store, turn
from services.detector.core.device import DeviceState
from services.detector.core.effects import DeviceChanged, Effect, GapSeen
from svitlo.bus import Backoff
from svitlo.clock import utc_now
from svitlo.db.session import Database, sqlstate
from svitlo.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

SNAPSHOT_S = 5.0
REFUSED_FOR_ITSELF = ("22", "23")
"""SQLSTATE classes that blame the data: data exception, integrity constraint violation."""


@dataclass(frozen=True)
class Watching:
    """Since when we have been watching (None: we are blind), when each device is due, and by what rules (JSON)."""

    since: datetime | None
    deadline_of: Callable[[str], datetime | None]
    details: bytes


class Writer:
    """The queue to the database. `logged` is called after each commit that made the event log longer."""

    def __init__(
        self,
        database: Database,
        site_id: Callable[[str], int | None],
        unsaved: dict[str, DeviceState],
        watching: Callable[[], Watching],
        logged: Callable[[], None],
    ) -> None:
        self._database = database
        self._site_id = site_id
        self._unsaved = unsaved
        self._watching = watching
        self._logged = logged
        self._owed: deque[tuple[list[Effect], dict[str, int]]] = deque()
        self._wake = asyncio.Event()
        self.up = True
        self.turn = 0
        """Our turn as the active detector; without it nothing is written."""

    @property
    def backlog(self) -> int:
        """How many batches wait for the database."""
        return len(self._owed)

    def add(self, effects: Sequence[Effect]) -> None:
        """Queue the effects of one step; they are written together or not at all."""
        if effects:
            # The sites as they are now: one that is removed meanwhile still gets its history.
            named = {effect.site for effect in effects if not isinstance(effect, DeviceChanged | GapSeen)}
            known = {site: number for site in named if (number := self._site_id(site)) is not None}
            self._owed.append((list(effects), known))
            self._wake.set()

    async def run(self) -> None:
        """Write until cancelled; what is then still owed is tried once more. Raises `TurnLostError`."""
        try:
            due = time.monotonic()  # the first at once: it says that we watch
            while True:
                self._wake.clear()
                await self._drain()
                if time.monotonic() >= due:
                    await self._save_snapshot()
                    due = time.monotonic() + SNAPSHOT_S
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(asyncio.get_running_loop().time() + due - time.monotonic()):
                        await self._wake.wait()
        except asyncio.CancelledError:
            await self._last_words()
            raise

    async def _drain(self) -> None:
        backoff = Backoff()
        while self._owed:
            effects, site_ids = self._owed[0]
            try:
                grew = await self._write(effects, site_ids)
            except DatabaseUnavailableError as error:
                self._went(up=False, why=str(error))
                await backoff.wait()
                continue
            except DBAPIError as error:
                log.exception("the database refused a batch: %s", effects)
                if not (sqlstate(error) or "").startswith(REFUSED_FOR_ITSELF):
                    await backoff.wait()
                    continue
                # It would be refused for ever, and block all that follow; it has been told in full.
                grew = False
            self._owed.popleft()
            self._went(up=True)
            backoff.reset()
            if grew:
                self._logged()

    async def _write(self, effects: Sequence[Effect], site_ids: Mapping[str, int]) -> bool:
        async with self._database.transaction() as session:
            await turn.hold_turn(session, self.turn)
            return await store.save_effects(session, effects, site_ids, utc_now())

    async def _save_snapshot(self) -> None:
        """Store how far each device has come, so that a restart dates a loss by the last proof.

        A large fleet is written a part at a time, and events that come up meanwhile go first.
        """
        watching, names = self._watching(), sorted(self._unsaved)
        states: dict[str, DeviceState] = {}
        try:
            for start in range(0, len(names), store.CHUNK):
                # As they are now: an event written meanwhile may have brought a newer state along.
                states = {name: self._unsaved[name] for name in names[start : start + store.CHUNK]}
                dated = {name: (state, watching.deadline_of(name)) for name, state in states.items()}
                async with self._database.transaction() as session:
                    await turn.hold_turn(session, self.turn)
                    await store.save_devices(session, dated, utc_now())
                for name, state in states.items():
                    if self._unsaved.get(name) is state:
                        del self._unsaved[name]
                if self._owed:
                    await self._drain()
            # Last, and only when all that it stands for is stored.
            async with self._database.transaction() as session:
                await turn.hold_turn(session, self.turn)
                await store.save_tick(session, utc_now(), watching.since, watching.details)
            self._went(up=True)
        except DatabaseUnavailableError as error:
            self._went(up=False, why=str(error))
        except DBAPIError:
            log.exception("the database refused %d device states; they are left out", len(states))
            for name in states:
                self._unsaved.pop(name, None)

    async def _last_words(self) -> None:
        try:
            async with asyncio.timeout(4):
                if self._owed:
                    log.info("writing what is still owed before the end")
                while self._owed:
                    await self._write(*self._owed[0])
                    self._owed.popleft()
                await self._save_snapshot()
        except turn.TurnLostError:
            log.warning("another detector is active; %d batches of effects are left to it", len(self._owed))
        except (TimeoutError, DatabaseUnavailableError, DBAPIError):
            log.warning("PostgreSQL is away; %d batches of effects could not be stored", len(self._owed))

    def _went(self, *, up: bool, why: str = "") -> None:
        if up is not self.up:
            self.up = up
            if up:
                log.info("PostgreSQL is back")
            else:
                log.warning("%s; detection goes on, what is owed is written later", why)
