"""What an explanation rests on: the site, its boards, its maintenance, and the detector's watch."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.store.registry import detector_tick
from services.api.why import Board, Facts, OpenOutage, Site, remembered_of_device, remembered_of_site
from svitlo import registry
from svitlo.contracts import Cause, PowerState, SiteStateWord
from svitlo.db.power_since import CORRECTED, SINCE

_SITE = text(f"""
SELECT s.id, s.slug, s.name, s.rule, s.k, s.confirm_off_s, s.confirm_on_s,
       coalesce(st.power, 'unknown') AS power, coalesce(st.state, 'unknown') AS state, {SINCE} AS since,
       CAST(st.memory AS text) AS memory, o.id AS outage_id, o.started_lo, o.started_hi, o.cause
FROM sites s
LEFT JOIN site_state st ON st.site_id = s.id
{CORRECTED}
LEFT JOIN outages o ON o.site_id = s.id AND o.ended_hi IS NULL AND o.retracted_at IS NULL
WHERE s.slug = :slug AND s.removed_at IS NULL AND (s.public OR :private)
""")  # noqa: S608 - the only things put in are constants

_BOARDS = text("""
SELECT d.id, sd.weight, coalesce(ds.liveness, 'never_seen') AS liveness, ds.boot, ds.conn,
       coalesce(ds.interval_s, d.interval_s, 10) AS interval_s, ds.last_proof_at, ds.lost_at, ds.lost_by, ds.paused_at,
       ds.deadline_at, ds.updated_at, CAST(ds.memory AS text) AS memory
FROM site_devices sd
JOIN devices d ON d.id = sd.device_id AND d.removed_at IS NULL
LEFT JOIN device_state ds ON ds.device_id = d.id
WHERE sd.site_id = :site_id ORDER BY d.id
""")


async def facts_of(session: AsyncSession, slug: str, *, private: bool) -> Facts | None:
    """All that is known of one site; None if the caller has no such site."""
    row = (await session.execute(_SITE, {"slug": slug, "private": private})).one_or_none()
    if row is None:
        return None
    boards = (await session.execute(_BOARDS, {"site_id": row.id})).mappings()
    return Facts(
        site=_site(row),
        boards=tuple(Board(**{**board, "memory": remembered_of_device(board["memory"])}) for board in boards),
        windows=tuple(await registry.list_windows(session, slug)),
        tick=await detector_tick(session),
    )


def _site(row: Any) -> Site:
    return Site(
        slug=row.slug,
        name=row.name,
        rule=row.rule,
        k=row.k,
        confirm_off_s=row.confirm_off_s,
        confirm_on_s=row.confirm_on_s,
        power=PowerState(row.power),
        state=SiteStateWord(row.state),
        since=row.since,
        outage=OpenOutage(
            id=row.outage_id, started_lo=row.started_lo, started_hi=row.started_hi, cause=Cause(row.cause)
        )
        if row.outage_id is not None
        else None,
        memory=remembered_of_site(row.memory),
    )
