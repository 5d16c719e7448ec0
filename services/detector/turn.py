"""Who is active: a lock says which of many detectors works, a numbered turn keeps a former one from writing."""

from __future__ import annotations

import asyncio
import logging
import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.db.listen import Listener
from svitlo.db.session import Database
from svitlo.errors import SvitloError
from svitlo.health import beat

log = logging.getLogger(__name__)

ACTIVE_LOCK = 0x5117_0003
TURN_TRIES = 10
FROZEN_AFTER_S = 30.0
"""An active detector notes every five seconds that it is at work; one that has not for so long has lost its turn."""
CONNECTION = "svitlo detector"
"""How the connections of every detector's pool are called, and a word of its own."""

_TICK, _TURN = "detector", "detector-turn"

_TAKE_TURN = text("""
INSERT INTO service_ticks (service, at, details) VALUES (:service, now(), '{"turn": 1}')
ON CONFLICT (service) DO UPDATE SET
  at = now(), details = jsonb_build_object('turn', CAST(service_ticks.details ->> 'turn' AS bigint) + 1)
RETURNING CAST(details ->> 'turn' AS bigint)
""")

_END_OTHERS = text("""
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name LIKE :detectors
  AND application_name <> current_setting('application_name')
""")

_LAST_WORD = text(
    "SELECT string_agg(CAST(at AS text), ' ' ORDER BY service) FROM service_ticks "
    "WHERE service = ANY(CAST(:services AS text[]))"
)

_HOLD_TURN = text("""
SELECT CAST(details ->> 'turn' AS bigint) FROM service_ticks WHERE service = :service FOR SHARE
""")


class TurnLostError(SvitloError):
    """Another detector took over while our connection to the database was broken."""


async def wait_for_lock(listener: Listener, database: Database) -> None:
    """Until the lock is ours. An active detector that stopped noting that it is at work is ended.

    By our own watch alone: its clock, and the database's, may tell another time than ours.
    """
    said = False
    word, heard_at = None, time.monotonic()
    while not await listener.try_lock(ACTIVE_LOCK):
        if not said:
            log.info("another detector is active; standing by")
            said = True
        beat()
        async with database.transaction() as session:
            newest = await last_word(session)
        if newest != word:
            word, heard_at = newest, time.monotonic()
        elif time.monotonic() - heard_at > FROZEN_AFTER_S:
            log.warning("the active detector has not written for %.0f s; taking over", FROZEN_AFTER_S)
            await listener.evict(ACTIVE_LOCK)
            heard_at = time.monotonic()
        await asyncio.sleep(1)


async def take_lock_again(listener: Listener) -> None:
    """The lock after a break of our connection. Raises `TurnLostError` if another detector has it."""
    for _ in range(TURN_TRIES):
        if await listener.try_lock(ACTIVE_LOCK):
            return
        await asyncio.sleep(0.5)  # the server may not have noticed yet that our old connection is gone
    raise TurnLostError("another detector is active")


async def take_turn(session: AsyncSession) -> int:
    """Begin a turn as the active detector: whatever an earlier one still wants to write is refused from now on.

    One that froze in the middle of a transaction would hold what we need for as long as it lives: its connections are
    ended.
    """
    await session.execute(_END_OTHERS, {"detectors": f"{CONNECTION} %"})
    return int((await session.execute(_TAKE_TURN, {"service": _TURN})).scalar_one())


async def hold_turn(session: AsyncSession, turn: int) -> None:
    """Make sure that nobody else has taken over, until the end of the transaction. Raises `TurnLostError`."""
    if (await session.execute(_HOLD_TURN, {"service": _TURN})).scalar_one_or_none() != turn:
        raise TurnLostError("another detector is active")


async def last_word(session: AsyncSession) -> str | None:
    """What changes whenever a detector notes that it is at work; None if there never was one.

    Two times by two clocks, of which neither may be taken for later than the other.
    """
    found: str | None = (await session.execute(_LAST_WORD, {"services": [_TICK, _TURN]})).scalar_one()
    return found
