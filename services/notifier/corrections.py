"""Corrections: a person says of an outage that is over that it never was, or when it really was.

The row gets the new facts and the log a revision, in one transaction. The detector still remembers the outage for a
while and might revise it itself; it is outranked by the number of the revision. All within the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from msgspec import UNSET
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.contracts import Cause, Change, EventKind, PowerEvent
from svitlo.db import log
from svitlo.errors import UserError
from svitlo.registry.trail import audit

_COLUMNS = """
SELECT o.id, o.site_id, s.slug AS site, s.name AS place, o.rev, o.cause, o.started_lo, o.started_hi, o.ended_lo,
  o.ended_hi
FROM outages o JOIN sites s ON s.id = o.site_id AND s.removed_at IS NULL
"""

_LATEST = text(f"{_COLUMNS} WHERE o.site_id = :site AND o.retracted_at IS NULL AND NOT o.momentary "
               "ORDER BY o.started_lo DESC, o.id DESC LIMIT :limit")  # fmt: skip

_FIND = text(f"{_COLUMNS} WHERE o.id = :id AND o.retracted_at IS NULL FOR UPDATE OF o")

_OVERLAPS = text("""
SELECT EXISTS (SELECT FROM outages WHERE site_id = :site AND id <> :id AND retracted_at IS NULL AND NOT momentary
  AND started_lo < :ended AND coalesce(ended_hi, 'infinity') > :started)
""")

_EVENT = text("SELECT id FROM power_events WHERE outage_id = :outage AND kind = :kind ORDER BY seq LIMIT 1")

_SAVE = text("""
UPDATE outages SET rev = :rev, cause = :cause, started_lo = :started_lo, started_hi = :started_hi,
  ended_lo = :ended_lo, ended_hi = :ended_hi, retracted_at = :retracted_at WHERE id = :id
""")


class OverlapError(UserError):
    """The new times touch another outage of the site."""


class SpanError(UserError):
    """The new times cannot be."""


@dataclass(frozen=True)
class Recorded:
    """An outage as it stands; times are UTC bounds."""

    id: UUID
    site_id: int
    site: str
    place: str
    rev: int
    cause: str
    started_lo: datetime
    started_hi: datetime
    ended_lo: datetime | None
    ended_hi: datetime | None


async def latest(session: AsyncSession, site_id: int, limit: int = 8) -> list[Recorded]:
    """The latest outages of a site, the newest first; one that goes on too."""
    rows = await session.execute(_LATEST, {"site": site_id, "limit": limit})
    return [Recorded(**row) for row in rows.mappings()]


async def find(session: AsyncSession, outage: UUID) -> Recorded | None:
    """The outage, locked; None if there is none, or none any more."""
    row = (await session.execute(_FIND, {"id": outage})).mappings().one_or_none()
    return None if row is None else Recorded(**row)


async def retract(
    session: AsyncSession, found: Recorded, cause: Cause, reason: str, now: datetime, *, actor: str
) -> None:
    """It never was: the `cause` says what went instead, network or device. Raises `UserError` if it goes on."""
    _over(found)
    if cause not in (Cause.NETWORK, Cause.DEVICE):
        raise UserError("an outage that was none has the network or the device as its cause")
    after = replace(found, rev=_rev(found), cause=cause.value)
    await _save(session, after, retracted_at=now)
    await _log(session, after, EventKind.POWER_LOST, Change.RETRACTED, now)
    await audit(session, actor, "outage.retract", str(found.id), site=found.site, cause=cause.value, reason=reason)


async def refine(
    session: AsyncSession,
    found: Recorded,
    started: datetime,
    ended: datetime,
    reason: str,
    now: datetime,
    *,
    actor: str,
) -> bool:
    """It was from `started` to `ended`; False if that is what stands there already, to the minute.

    Raises `SpanError`, `OverlapError`, and `UserError` if it goes on.
    """
    old_start, old_end = _over(found)
    await check_span(session, found, started, ended, now)
    start_moved, end_moved = _differ(started, old_start), _differ(ended, old_end)
    if not (start_moved or end_moved):
        return False
    after = replace(found, rev=_rev(found))
    if start_moved:
        after = replace(after, started_lo=started, started_hi=started)
    if end_moved:
        after = replace(after, ended_lo=ended, ended_hi=ended)
    await _save(session, after, retracted_at=None)
    told = start_moved and await _log(session, after, EventKind.POWER_LOST, Change.REFINED, now)
    if end_moved:
        # The revision of the start tells the end too.
        await _log(session, after, EventKind.POWER_RESTORED, Change.REFINED, now, quiet=bool(told))
    await audit(
        session,
        actor,
        "outage.refine",
        str(found.id),
        site=found.site,
        reason=reason,
        was=[old_start.isoformat(), old_end.isoformat()],
        now=[started.isoformat(), ended.isoformat()],
    )
    return True


async def check_span(session: AsyncSession, found: Recorded, started: datetime, ended: datetime, now: datetime) -> None:
    """Raises `SpanError` or `OverlapError` where an outage cannot have been then."""
    if not started < ended <= now:
        raise SpanError("an outage ends after it starts, and not in the future")
    values = {"site": found.site_id, "id": found.id, "started": started, "ended": ended}
    if (await session.execute(_OVERLAPS, values)).scalar_one():
        raise OverlapError("another outage of this site was then")


def same(found: Recorded, started: datetime, ended: datetime) -> bool:
    """Whether this is what stands there, to the minute."""
    old_start, old_end = _over(found)
    return not _differ(started, old_start) and not _differ(ended, old_end)


async def _save(session: AsyncSession, after: Recorded, *, retracted_at: datetime | None) -> None:
    names = ("id", "rev", "cause", "started_lo", "started_hi", "ended_lo", "ended_hi")
    values = {name: getattr(after, name) for name in names}
    await session.execute(_SAVE, values | {"retracted_at": retracted_at})


async def _log(
    session: AsyncSession, after: Recorded, of: EventKind, change: Change, now: datetime, *, quiet: bool = False
) -> bool:
    """A revision of the outage's loss or return; False if that never was in the log."""
    event_id = (await session.execute(_EVENT, {"outage": after.id, "kind": of.value})).scalar_one_or_none()
    if event_id is None:
        return False
    lo, hi = after.started_lo, after.started_hi
    if of is EventKind.POWER_RESTORED:
        lo, hi = after.ended_lo or lo, after.ended_hi or hi
    event = PowerEvent(
        id=event_id,
        rev=after.rev,
        site=after.site,
        kind=EventKind.OUTAGE_REVISED,
        outage_id=after.id,
        occurred_lo=lo,
        occurred_hi=hi,
        detected_at=now,
        cause=Cause(after.cause),
        evidence=[],
        change=change,
        quiet=True if quiet else UNSET,
    )
    await log.append(session, after.site_id, event)
    return True


def _over(found: Recorded) -> tuple[datetime, datetime]:
    """Start and end. Raises `UserError` if it goes on: its row is the running detector's."""
    if found.ended_hi is None:
        raise UserError("the outage goes on; only what is over can be corrected")
    return found.started_lo, found.ended_hi


def _rev(found: Recorded) -> int:
    return max(found.rev + 1, log.BY_HAND)


def _differ(one: datetime, other: datetime) -> bool:
    return one.replace(second=0, microsecond=0) != other.replace(second=0, microsecond=0)
