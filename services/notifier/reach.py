"""Whom news of a place reaches: whoever follows it or a place above it, by the rules of the nearest one followed.

A private place below a public one is told only to those who were let in, there or above. In SQL, to be put into others.
"""

from __future__ import annotations

_RULES = """c.timezone, s.kinds, s.min_minutes, s.quiet_from, s.quiet_to, s.quiet_mode,
    greatest(s.muted_until, c.muted_until) AS muted_until, s.remind_minutes"""

_LET_IN = "(a.steps = 0 OR a.open OR NOT a.public)"


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
  SELECT DISTINCT ON (a.{key}, s.chat) a.{key}, s.chat, {_RULES},
    CASE WHEN a.steps = 0 AND c.platform = 'telegram' THEN s.created_at END AS shown_at
  FROM above a JOIN subscriptions s ON s.site_id = a.site_id JOIN chats c ON c.id = s.chat AND c.active
  WHERE {_LET_IN} AND {of}
  ORDER BY a.{key}, s.chat, a.steps
)"""  # noqa: S608 - names and conditions of ours


def nearest(chat: str, site: str) -> str:
    """A subquery for `LATERAL`: the rules (of `site_id`) by which one chat is told of one site; no row if it is not.

    For many chats with few news each, of which nobody can foretell how many: it takes the same time for every row.
    """
    return f"""(
  WITH RECURSIVE above AS (
    SELECT i.id, i.parent_id, i.public AS open, i.public, 0 AS steps FROM sites i WHERE i.id = {site}
    UNION ALL
    SELECT p.id, p.parent_id, a.open, p.public, a.steps + 1 FROM above a JOIN sites p ON p.id = a.parent_id
  )
  SELECT s.chat, s.site_id, {_RULES}
  FROM above a JOIN subscriptions s ON s.site_id = a.id AND s.chat = {chat} JOIN chats c ON c.id = s.chat AND c.active
  WHERE {_LET_IN} ORDER BY a.steps LIMIT 1
)"""  # noqa: S608 - names of ours
