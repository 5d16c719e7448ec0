"""Whom news of a place reaches: whoever follows it or a place above it, by the rules of the nearest one followed.

A private place below a public one is told only to those who were let in, there or above. In SQL, to be put into others.
"""

from __future__ import annotations


def followers(news: str, key: str, *, of: str = "true") -> str:
    """The expressions `above` and `followers` of a `WITH RECURSIVE`, which go on from the relation `news`.

    That has a `key` and a `site_id`; `followers` has one row for each key and chat that is active. `of` is a condition
    on the subscription `s`, to look at some chats only; one that lets a chat in must let in all that it follows. At
    `shown_at` the bot said how the place stood, in answer to whoever followed it.
    """
    return f"""
above AS (
  SELECT n.{key}, n.site_id, i.parent_id, i.public AS open, i.public, 0 AS steps
  FROM {news} n JOIN sites i ON i.id = n.site_id
  UNION ALL
  SELECT a.{key}, p.id, p.parent_id, a.open, p.public, a.steps + 1 FROM above a JOIN sites p ON p.id = a.parent_id
), followers AS (
  SELECT DISTINCT ON (a.{key}, s.chat) a.{key}, s.chat, c.timezone, s.kinds, s.min_minutes, s.quiet_from, s.quiet_to,
    s.quiet_mode, greatest(s.muted_until, c.muted_until) AS muted_until, s.remind_minutes,
    CASE WHEN a.steps = 0 AND c.platform = 'telegram' THEN s.created_at END AS shown_at
  FROM above a JOIN subscriptions s ON s.site_id = a.site_id JOIN chats c ON c.id = s.chat AND c.active
  WHERE (a.steps = 0 OR a.open OR NOT a.public) AND {of}
  ORDER BY a.{key}, s.chat, a.steps
)"""  # noqa: S608 - names and conditions of ours
