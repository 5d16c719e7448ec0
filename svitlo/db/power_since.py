"""Since when a site has power, as it is known after corrections.

`site_state` is the detector's: there the power came with the end of the last outage as the detector saw it. Where a
person has said since that this outage never was, or that it ended at another time, that holds.
"""

from __future__ import annotations

from svitlo.contracts import EventKind, PowerState
from svitlo.db.log import BY_HAND

# With `site_id = st.site_id` the planner may walk through the outages of all sites to find that one has none.
CORRECTED = f"""
LEFT JOIN LATERAL (
  SELECT c.rev >= {BY_HAND} AND (c.ended_hi = st.since OR EXISTS (
      SELECT FROM power_events e WHERE e.outage_id = c.id AND e.occurred_hi = st.since
        AND e.kind IN ('{EventKind.POWER_RESTORED}', '{EventKind.OUTAGE_REVISED}'))) AS by_hand,
    c.id, c.ended_hi, c.retracted_at
  FROM outages c
  WHERE c.site_id BETWEEN st.site_id AND st.site_id AND c.started_lo < st.since AND NOT c.momentary
    AND c.ended_hi IS NOT NULL
  ORDER BY c.site_id DESC, c.started_lo DESC, c.id DESC LIMIT 1
) corrected ON st.power = '{PowerState.ON}'
"""  # noqa: S608 - the only things put in are constants
"""A join to be put behind that of `site_state st`, for `SINCE`."""

SINCE = """
CASE WHEN NOT coalesce(corrected.by_hand, false) THEN st.since
  WHEN corrected.retracted_at IS NULL THEN corrected.ended_hi
  ELSE (SELECT max(b.ended_hi) FROM outages b
    WHERE b.site_id = st.site_id AND b.retracted_at IS NULL AND NOT b.momentary AND b.ended_hi < st.since)
END
"""
"""Since when the power is what it is; null if that is not known any more."""
