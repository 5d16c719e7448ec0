"""Sites as they are now, and as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.schemas import ChildTally, DeviceTally, OutageRef, Planned, SiteState
from services.api.work import open_window
from svitlo import registry
from svitlo.contracts import Cause, PowerState, SiteStateWord
from svitlo.db.power_since import CORRECTED, SINCE
from svitlo.maintenance import Window

# Windows are asked for only when one may be open; most of the time none is.
_MORE = """
  CAST(st.memory -> 'children' AS text) AS children,
  coalesce(jsonb_typeof(st.memory -> 'unstable') = 'object', false) AS unstable,
  EXISTS (SELECT FROM maintenance_windows WHERE cancelled_at IS NULL AND starts_at <= :now
          AND (rrule IS NOT NULL OR starts_at + make_interval(secs => duration_s) > :now)) AS work
"""

_SITES = text(f"""
SELECT s.slug, s.name, coalesce(st.state, 'unknown') AS state, {SINCE} AS since,
       coalesce(st.updated_at, s.created_at) AS updated_at, t.total, t.alive,
       o.id AS outage_id, o.started_lo, o.started_hi, o.cause, {_MORE}
FROM sites s
LEFT JOIN sites p ON p.id = s.parent_id AND p.removed_at IS NULL AND (p.public OR :private)
LEFT JOIN site_state st ON st.site_id = s.id
{CORRECTED}
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
""")  # noqa: S608 - the only things put in are constants

_SITE_ID = text("SELECT id FROM sites WHERE slug = :slug AND removed_at IS NULL AND (public OR :private)")

# With `site_id = s.id` the planner may walk through the outages of all sites to find that one has none.
_PLACES = text(f"""
SELECT s.slug, s.name, coalesce(st.state, 'unknown') AS state, coalesce(st.power, 'unknown') AS power,
       {SINCE} AS since, o.started_lo, o.ended_hi, {_MORE}
FROM sites s
LEFT JOIN site_state st ON st.site_id = s.id
{CORRECTED}
LEFT JOIN LATERAL (
  SELECT started_lo, ended_hi FROM outages
  WHERE site_id BETWEEN s.id AND s.id AND ended_hi IS NOT NULL AND retracted_at IS NULL AND NOT momentary
  ORDER BY site_id DESC, started_lo DESC, id DESC LIMIT 1
) o ON true
WHERE s.removed_at IS NULL AND s.public ORDER BY s.name, s.id
""")  # noqa: S608 - as above


@dataclass(frozen=True)
class Span:
    """A past outage as people are told of it: from the last proof of power to the first one after."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Place:
    """A public site as the page shows it, with its last outage that is over.

    `children` is how the sites under it are, `work_until` when the maintenance that is going on ends.
    """

    name: str
    state: SiteStateWord
    power: PowerState
    since: datetime | None
    last_outage: Span | None
    children: ChildTally | None = None
    work_until: datetime | None = None
    unstable: bool = False


async def sites(
    session: AsyncSession,
    *,
    private: bool,
    now: datetime,
    slug: str | None = None,
    state: SiteStateWord | None = None,
    parent: str | None = None,
) -> list[SiteState]:
    """Sites by slug, all in one query. A private parent has no children for those who may not see it."""
    asked = {"private": private, "now": now, "slug": slug, "state": state.value if state else None, "parent": parent}
    rows = (await session.execute(_SITES, asked)).all()
    windows = await _windows(session, rows)
    return [_site(row, open_window(windows.get(row.slug, ()), now)) for row in rows]


async def site_exists(session: AsyncSession, slug: str, *, private: bool) -> bool:
    """Whether there is such a site for the caller."""
    return (await session.execute(_SITE_ID, {"slug": slug, "private": private})).first() is not None


async def places(session: AsyncSession, now: datetime) -> list[Place]:
    """The public sites by name, all in one query."""
    rows = (await session.execute(_PLACES, {"now": now})).all()
    windows = await _windows(session, rows)
    return [_place(row, open_window(windows.get(row.slug, ()), now)) for row in rows]


async def _windows(session: AsyncSession, rows: Sequence[Row[Any]]) -> dict[str, list[Window]]:
    return await registry.windows_by_site(session) if rows and rows[0].work else {}


def _site(row: Any, planned: Planned | None) -> SiteState:
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
        planned=planned,
        children=_children(row.children),
        unstable=row.unstable or None,
        updated_at=row.updated_at,
    )


def _place(row: Any, planned: Planned | None) -> Place:
    return Place(
        name=row.name,
        state=SiteStateWord(row.state),
        power=PowerState(row.power),
        since=row.since,
        last_outage=Span(row.started_lo, row.ended_hi) if row.ended_hi is not None else None,
        children=_children(row.children),
        work_until=planned.ends_at if planned is not None else None,
        unstable=row.unstable,
    )


def _children(remembered: str | None) -> ChildTally | None:
    """The tally as the detector keeps it; None where another version keeps it otherwise."""
    try:
        return ChildTally.model_validate_json(remembered) if remembered is not None else None
    except ValidationError:
        return None
