"""SQL of how sites stand. Within the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.views import SiteStatus
from svitlo.contracts import Cause, PowerState, SiteStateWord
from svitlo.db.power_since import CORRECTED, SINCE

# Whoever sees a private place was let in to what stands below it; of a public one private places are nobody's business.
UNDER = """
LEFT JOIN (
  SELECT k.parent_id, count(*) AS total, count(*) FILTER (WHERE ks.power = 'off') AS off
  FROM sites k JOIN sites m ON m.id = k.parent_id AND (k.public OR NOT m.public)
  LEFT JOIN site_state ks ON ks.site_id = k.id WHERE k.removed_at IS NULL GROUP BY k.parent_id
) under ON under.parent_id = s.id
"""
"""To be joined to sites `s`: how many places are directly `under` each, in `total` and `off`."""

_STATUS = text(f"""
SELECT s.name AS place, coalesce(st.state, 'unknown') AS state, coalesce(st.power, 'unknown') AS power,
       {SINCE} AS since, o.cause, o.started_lo,
       coalesce(under.total, 0) AS children, coalesce(under.off, 0) AS children_off
FROM sites s
LEFT JOIN site_state st ON st.site_id = s.id
{CORRECTED}
LEFT JOIN outages o ON o.site_id = s.id AND o.ended_hi IS NULL AND o.retracted_at IS NULL
{UNDER}
WHERE s.id = ANY(CAST(:sites AS int[])) ORDER BY s.name, s.id
""")  # noqa: S608 - ours


async def statuses(session: AsyncSession, sites: Sequence[int]) -> list[SiteStatus]:
    """How sites stand, by name."""
    rows = await session.execute(_STATUS, {"sites": list(sites)})
    return [_status(dict(row)) for row in rows.mappings()]


def _status(row: dict[str, Any]) -> SiteStatus:
    state, power = SiteStateWord(row["state"]), PowerState(row["power"])
    off = power is PowerState.OFF
    since: datetime | None = row["started_lo"] if off and row["started_lo"] is not None else row["since"]
    return SiteStatus(
        place=row["place"],
        state=state,
        since=since,
        cause=Cause(row["cause"]) if state is SiteStateWord.OFF and row["cause"] else None,
        power=power,
        children=row["children"],
        children_off=row["children_off"],
    )
