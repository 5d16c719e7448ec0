"""What the API reads, in SQL. Removed sites and devices do not exist here; `private` says whether private sites do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.paging import Position
from services.api.schemas import Device, DeviceTally, Outage, OutageRef, SiteState
from svitlo.contracts import Cause, PowerState, SiteStateWord

_KEY_KIND = text("SELECT kind FROM api_keys WHERE hash = :hash AND kind IN ('read', 'admin') AND revoked_at IS NULL")

_SITES = text("""
SELECT s.slug, s.name, coalesce(st.state, 'unknown') AS state, st.since,
       coalesce(st.updated_at, s.created_at) AS updated_at, t.total, t.alive,
       o.id AS outage_id, o.started_lo, o.started_hi, o.cause
FROM sites s
LEFT JOIN sites p ON p.id = s.parent_id AND p.removed_at IS NULL AND (p.public OR :private)
LEFT JOIN site_state st ON st.site_id = s.id
LEFT JOIN outages o ON o.site_id = s.id AND o.ended_hi IS NULL AND o.retracted_at IS NULL
CROSS JOIN LATERAL (
  SELECT count(*) AS total, count(*) FILTER (WHERE ds.liveness IN ('online', 'late')) AS alive
  FROM site_devices sd
  JOIN devices d ON d.id = sd.device_id AND d.removed_at IS NULL
  LEFT JOIN device_state ds ON ds.device_id = d.id
  WHERE sd.site_id = s.id
) t
WHERE s.removed_at IS NULL AND (s.public OR :private)
  AND (CAST(:slug AS text) IS NULL OR s.slug = :slug)
  AND (CAST(:state AS text) IS NULL OR coalesce(st.state, 'unknown') = :state)
  AND (CAST(:parent AS text) IS NULL OR p.slug = :parent)
ORDER BY s.slug
""")

_SITE_ID = text("SELECT id FROM sites WHERE slug = :slug AND removed_at IS NULL AND (public OR :private)")

_OUTAGES = """
SELECT o.id, s.slug, o.started_lo, o.started_hi, o.ended_lo, o.ended_hi, o.detected_at, o.cause, o.rev, o.retracted_at
FROM outages o JOIN sites s ON s.id = o.site_id
WHERE {} ORDER BY o.started_lo DESC, o.id DESC LIMIT :limit
"""

_DEVICES = text("""
SELECT d.id, d.last_seen_at, coalesce(ds.liveness, 'never_seen') AS liveness, d.fw, d.rssi, d.interval_s, d.reset,
       ARRAY(SELECT s.slug FROM site_devices sd JOIN sites s ON s.id = sd.site_id AND s.removed_at IS NULL
             WHERE sd.device_id = d.id ORDER BY s.slug) AS sites
FROM devices d LEFT JOIN device_state ds ON ds.device_id = d.id
WHERE d.removed_at IS NULL ORDER BY d.id
""")

_PLACES = text("""
SELECT s.name, coalesce(st.state, 'unknown') AS state, coalesce(st.power, 'unknown') AS power, st.since,
       o.started_lo, o.ended_hi
FROM sites s
LEFT JOIN site_state st ON st.site_id = s.id
LEFT JOIN LATERAL (
  SELECT started_lo, ended_hi FROM outages
  WHERE site_id = s.id AND ended_hi IS NOT NULL AND retracted_at IS NULL
  ORDER BY started_lo DESC, id DESC LIMIT 1
) o ON true
WHERE s.removed_at IS NULL AND s.public ORDER BY s.name, s.id
""")


@dataclass(frozen=True)
class OutageFilter:
    """Which outages: of one site or all, in a window `[since, until)`, retracted ones too or not."""

    site: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    retracted: bool = False


@dataclass(frozen=True)
class Span:
    """A past outage as people are told of it: from the last proof of power to the first one after."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Place:
    """A public site as the page shows it, with its last outage that is over."""

    name: str
    state: SiteStateWord
    power: PowerState
    since: datetime | None
    last_outage: Span | None


async def key_kind(session: AsyncSession, key_hash: str) -> str | None:
    """The kind of a key in force, None if there is none with this hash."""
    kind: str | None = (await session.execute(_KEY_KIND, {"hash": key_hash})).scalar_one_or_none()
    return kind


async def sites(
    session: AsyncSession,
    *,
    private: bool,
    slug: str | None = None,
    state: SiteStateWord | None = None,
    parent: str | None = None,
) -> list[SiteState]:
    """Sites by slug, all in one query. A private parent has no children for those who may not see it."""
    rows = await session.execute(
        _SITES, {"private": private, "slug": slug, "state": state.value if state else None, "parent": parent}
    )
    return [_site(row) for row in rows]


async def detector_tick(session: AsyncSession) -> datetime | None:
    """When a detector last said in the database that it watches (UTC)."""
    found: datetime | None = (
        await session.execute(text("SELECT at FROM service_ticks WHERE service = 'detector'"))
    ).scalar_one_or_none()
    return found


async def site_exists(session: AsyncSession, slug: str, *, private: bool) -> bool:
    """Whether there is such a site for the caller."""
    return (await session.execute(_SITE_ID, {"slug": slug, "private": private})).first() is not None


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


async def devices(session: AsyncSession) -> list[Device]:
    """All devices, by id."""
    return [Device(**row) for row in (await session.execute(_DEVICES)).mappings()]


async def places(session: AsyncSession) -> list[Place]:
    """The public sites by name, all in one query."""
    return [
        Place(
            name=row.name,
            state=SiteStateWord(row.state),
            power=PowerState(row.power),
            since=row.since,
            last_outage=Span(row.started_lo, row.ended_hi) if row.ended_hi is not None else None,
        )
        for row in await session.execute(_PLACES)
    ]


def _site(row: Any) -> SiteState:
    open_outage = row.outage_id is not None
    return SiteState(
        site=row.slug,
        name=row.name,
        state=SiteStateWord(row.state),
        since=row.since,
        cause=Cause(row.cause) if open_outage else None,
        devices=DeviceTally(total=row.total, alive=row.alive),
        outage=OutageRef(id=row.outage_id, started_lo=row.started_lo, started_hi=row.started_hi)
        if open_outage
        else None,
        updated_at=row.updated_at,
    )


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
    )
