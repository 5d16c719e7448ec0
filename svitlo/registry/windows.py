"""Maintenance windows: planned work on a site, and by default on all under it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo import maintenance
from svitlo.errors import NotFoundError, UserError
from svitlo.maintenance import Window
from svitlo.registry.sites import get_site
from svitlo.registry.trail import audit

_WINDOWS = """
WITH RECURSIVE above (covered, id, parent_id, own) AS (
  SELECT slug, id, parent_id, true FROM sites
  WHERE removed_at IS NULL AND (CAST(:covered AS text) IS NULL OR slug = :covered)
  UNION
  SELECT a.covered, s.id, s.parent_id, false FROM above a JOIN sites s ON s.id = a.parent_id
)
SELECT a.covered, w.id, s.slug AS site, w.subtree, w.starts_at, w.duration_s, w.zone, w.rrule, w.reason
FROM above a
JOIN maintenance_windows w ON w.site_id = a.id AND (a.own OR w.subtree) AND w.cancelled_at IS NULL
JOIN sites s ON s.id = w.site_id
WHERE a.own OR :inherited
ORDER BY a.covered, w.starts_at, w.id
"""


async def list_windows(session: AsyncSession, site: str | None = None) -> list[Window]:
    """Every window in force, past ones too; or those that cover one site, its own and those from above it.

    The earliest first. Raises `NotFoundError`.
    """
    if site is not None:
        await get_site(session, site)
    rows = await session.execute(text(_WINDOWS), {"covered": site, "inherited": site is not None})
    found = [_window(row) for row in rows.mappings()]
    return sorted(found, key=lambda window: (window.starts_at, window.id))


async def windows_by_site(session: AsyncSession) -> dict[str, list[Window]]:
    """The windows in force that cover each site, its own and those from above it; sites without any are left out."""
    found: defaultdict[str, list[Window]] = defaultdict(list)
    rows = await session.execute(text(_WINDOWS), {"covered": None, "inherited": True})
    for row in rows.mappings():
        found[row["covered"]].append(_window(row))
    return dict(found)


async def add_window(
    session: AsyncSession,
    site: str,
    *,
    starts_at: datetime,
    duration_s: int,
    zone: str,
    rrule: str | None = None,
    reason: str | None = None,
    subtree: bool = True,
    actor: str = "cli",
) -> Window:
    """Plan maintenance. `starts_at` is aware; `rrule` is a rule or a word that `maintenance.parse_rrule` takes.

    Raises `NotFoundError`, and `UserError` for what cannot be.
    """
    place = await get_site(session, site)
    window = Window(
        id=0,
        site=place.slug,
        subtree=subtree,
        starts_at=starts_at.astimezone(UTC).replace(microsecond=0),
        duration_s=duration_s,
        zone=zone,
        rrule=None if rrule is None else maintenance.parse_rrule(rrule),
        reason=_checked_reason(reason),
    )
    maintenance.check(window)
    row = await session.execute(
        text(
            "INSERT INTO maintenance_windows (site_id, subtree, starts_at, duration_s, zone, rrule, reason) "
            "VALUES (:site_id, :subtree, :starts_at, :duration_s, :zone, :rrule, :reason) RETURNING id"
        ),
        {
            "site_id": place.id,
            "subtree": window.subtree,
            "starts_at": window.starts_at,
            "duration_s": window.duration_s,
            "zone": window.zone,
            "rrule": window.rrule,
            "reason": window.reason,
        },
    )
    window = replace(window, id=row.scalar_one())
    await audit(session, actor, "maintenance.add", site, **_told(window))
    return window


async def cancel_window(session: AsyncSession, window_id: int, *, actor: str = "cli") -> Window:
    """Cancel a window; one that goes on ends. Raises `NotFoundError`."""
    window = next((window for window in await list_windows(session) if window.id == window_id), None)
    if window is None:
        raise NotFoundError(f"there is no maintenance {window_id}; svitlo maintenance list shows what there is")
    await session.execute(text("UPDATE maintenance_windows SET cancelled_at = now() WHERE id = :id"), {"id": window_id})
    await audit(session, actor, "maintenance.cancel", window.site, **_told(window))
    return window


def _window(row: Mapping[Any, Any]) -> Window:
    return Window(**{name: value for name, value in row.items() if name != "covered"})


def _told(window: Window) -> dict[str, Any]:
    """What the audit log keeps of a window."""
    return asdict(window) | {"starts_at": window.starts_at.isoformat()}


def _checked_reason(reason: str | None) -> str | None:
    if reason is None or not reason.strip():
        return None
    if len(reason) > 200 or not reason.isprintable():
        raise UserError("a reason has at most 200 printable characters")
    return reason.strip()
