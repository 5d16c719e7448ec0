"""Since when a site is watched: from the first heartbeat of any of its boards, or from its first recorded outage.

A place whose board was never heard, or came last week, had no quiet weeks before: nobody knows how they were.
"""

from __future__ import annotations

WATCHED_SINCE = """
(SELECT greatest(s.created_at, min(w.at)) FROM (
  SELECT d.first_seen_at AS at FROM site_devices l JOIN devices d ON d.id = l.device_id WHERE l.site_id = s.id
  UNION ALL
  SELECT o.started_lo FROM outages o WHERE o.site_id = s.id
) w HAVING min(w.at) IS NOT NULL)
"""
"""Of the site `s`, in SQL; null if nothing was ever seen of it."""
