"""Whom news of a place reaches: whoever follows it or a place above it, by the rules of the nearest one followed.

A private place below a public one is told only to those who were let in, there or above. What was followed by a role
counts as long as a role reaches it, or all may see it. In SQL, to be put into others.
"""

from __future__ import annotations

_RULES = """c.timezone, s.kinds, s.min_minutes, s.quiet_from, s.quiet_to, s.quiet_mode,
    greatest(s.muted_until, c.muted_until) AS muted_until, s.remind_minutes"""

_LET_IN = "(a.steps = 0 OR a.open OR NOT a.public)"


def reached(person: str, site: str) -> str:
    """A condition: whether a role of a person, a Telegram number, reaches one site."""
    return f"""EXISTS (
  WITH RECURSIVE reached_by AS (
    SELECT i.id, i.parent_id FROM sites i WHERE i.id = {site}
    UNION ALL
    SELECT p.id, p.parent_id FROM reached_by b JOIN sites p ON p.id = b.parent_id
  )
  SELECT FROM reached_by b JOIN people w ON w.user_id = {person} AND (w.site_id IS NULL OR w.site_id = b.id)
)"""  # noqa: S608 - names of ours


def followers(news: str, key: str, *, of: str = "true") -> str:
    """The expressions `above`, `reached` and `followers` of a `WITH RECURSIVE`, which go on from the relation `news`.

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
), reached AS ( -- all at once: there may be many followers, and few bear a role
  SELECT DISTINCT a.{key}, a.site_id, w.user_id
  FROM above a JOIN above b ON b.{key} = a.{key} AND b.steps >= a.steps
  JOIN people w ON w.site_id IS NULL OR w.site_id = b.site_id WHERE NOT a.public
), followers AS (
  SELECT DISTINCT ON (a.{key}, s.chat) a.{key}, s.chat, {_RULES},
    CASE WHEN a.steps = 0 AND c.platform = 'telegram' THEN s.created_at END AS shown_at
  FROM above a JOIN subscriptions s ON s.site_id = a.site_id JOIN chats c ON c.id = s.chat AND c.active
  WHERE {_LET_IN} AND {of} AND (NOT s.by_role OR a.public
    OR (a.{key}, a.site_id, c.chat_id) IN (SELECT w.{key}, w.site_id, w.user_id FROM reached w))
  ORDER BY a.{key}, s.chat, a.steps
)"""  # noqa: S608 - names and conditions of ours


def nearest(chat: str, site: str, *, above: bool = False) -> str:
    """A subquery for `LATERAL`: the rules (of `site_id`) by which one chat is told of one site; no row if it is not.
    With `above`, those by which it would be told if it did not follow that site itself.

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
  WHERE {_LET_IN} AND (NOT s.by_role OR a.public OR {reached("c.chat_id", "a.id")})
    AND a.steps >= {int(above)}
  ORDER BY a.steps LIMIT 1
)"""  # noqa: S608 - names of ours
