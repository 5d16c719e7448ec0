"""The record: outages, and the gaps in which nobody watched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.paging import Position
from services.api.schemas import Gap, Outage
from services.api.store.registry import detector_tick
from svitlo.contracts import Cause
from svitlo.db.watched import WATCHED_SINCE
from svitlo.statistics import Recorded, Span, Statistics, statistics

_OUTAGES = """
SELECT o.id, s.slug, o.started_lo, o.started_hi, o.ended_lo, o.ended_hi, o.detected_at, o.cause, o.rev,
       o.retracted_at, o.momentary, o.reconstructed, o.maintenance
FROM outages o JOIN sites s ON s.id = o.site_id
WHERE {} ORDER BY o.started_lo DESC, o.id DESC LIMIT :limit
"""

# Without a board of its own that was ever heard, and without a record, nothing of a site was observed.
_OBSERVED = text(f"""
SELECT w.id, coalesce(w.since, w.created_at) AS created_at, w.since IS NOT NULL AS observed FROM (
  SELECT s.id, s.created_at, {WATCHED_SINCE} AS since
  FROM sites s WHERE s.slug = :slug AND s.removed_at IS NULL AND (s.public OR :private)) w
""")  # noqa: S608 - ours

_RECORDED = text("""
SELECT started_lo, started_hi, ended_lo, ended_hi, momentary, maintenance FROM outages
WHERE site_id = :site_id AND retracted_at IS NULL
  AND started_lo < :until AND (ended_hi IS NULL OR ended_hi > :since OR started_lo >= :since)
""")

_GAPS = text("""
SELECT started_at, ended_at, reason FROM observation_gaps
WHERE started_at < :until AND ended_at > :since ORDER BY started_at DESC, id DESC LIMIT :limit
""")


@dataclass(frozen=True)
class OutageFilter:
    """Which outages: of one site or all, in a window `[since, until)`, retracted and momentary ones too or not."""

    site: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    retracted: bool = False
    momentary: bool = False


@dataclass(frozen=True)
class Period:
    """A window `[since, until)` and the moment of asking; what comes after that was not observed."""

    since: datetime
    until: datetime
    now: datetime


async def outages(
    session: AsyncSession, wanted: OutageFilter, *, private: bool, after: Position | None, limit: int
) -> list[Outage]:
    """Outages, newest start first, from behind `after` on.

    One belongs to the window if any moment of it does; it ends at `ended_hi` (that moment not included), and one that
    goes on has no end. Retracted ones that never got an end, end where they were retracted.
    """
    clauses = ["s.removed_at IS NULL"]
    values: dict[str, Any] = {"limit": limit}
    if not private:
        clauses.append("s.public")
    if not wanted.retracted:
        clauses.append("o.retracted_at IS NULL")
    if not wanted.momentary:
        clauses.append("NOT o.momentary")
    if wanted.site is not None:
        clauses.append("s.slug = :slug")
        values["slug"] = wanted.site
    if wanted.since is not None:
        end = "coalesce(o.ended_hi, o.retracted_at)"
        clauses.append(f"({end} IS NULL OR {end} > :since OR o.started_lo >= :since)")
        values["since"] = wanted.since
    if wanted.until is not None:
        clauses.append("o.started_lo < :until")
        values["until"] = wanted.until
    if after is not None:
        clauses.append("(o.started_lo, o.id) < (:started_lo, :id)")
        values |= {"started_lo": after.started_lo, "id": after.id}
    rows = await session.execute(text(_OUTAGES.format(" AND ".join(clauses))), values)
    return [_outage(row) for row in rows]


async def gaps(session: AsyncSession, since: datetime, until: datetime, *, limit: int) -> list[Gap]:
    """The gaps of which any moment lies in `[since, until)`, newest start first."""
    rows = await session.execute(_GAPS, {"since": since, "until": until, "limit": limit})
    return [Gap(**row) for row in rows.mappings()]


async def statistics_of(session: AsyncSession, slug: str, asked: Period, *, private: bool) -> Statistics | None:
    """The statistics of a site; None if the caller has no such site.

    Time since the detector last watched is a gap, though it is not recorded before somebody watches again.
    """
    site = (await session.execute(_OBSERVED, {"slug": slug, "private": private})).one_or_none()
    if site is None:
        return None
    window = {"since": asked.since, "until": asked.until}
    rows = await session.execute(_RECORDED, window | {"site_id": site.id})
    recorded = [Recorded(**row) for row in rows.mappings()]
    blind: list[Span] = [
        (row.started_at, row.ended_at) for row in await session.execute(_GAPS, window | {"limit": None})
    ]
    tick = await detector_tick(session)
    blind_from = tick.unobserved_from(asked.now) if tick is not None and site.observed else asked.since
    if blind_from is not None:
        blind.append((blind_from, max(asked.now, asked.until)))
    return statistics(recorded, blind, since=asked.since, until=asked.until, now=asked.now, created_at=site.created_at)


def _outage(row: Any) -> Outage:
    return Outage(
        id=row.id,
        site=row.slug,
        started_lo=row.started_lo,
        started_hi=row.started_hi,
        ended_lo=row.ended_lo,
        ended_hi=row.ended_hi,
        detected_at=row.detected_at,
        duration_s=(row.ended_hi - row.started_lo).total_seconds() if row.ended_hi is not None else None,
        cause=Cause(row.cause),
        rev=row.rev,
        retracted=row.retracted_at is not None,
        momentary=row.momentary,
        reconstructed=row.reconstructed,
        maintenance=row.maintenance,
    )
