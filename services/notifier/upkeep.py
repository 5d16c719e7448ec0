"""What falls due by the clock: reminders, the week on Sunday evening, the end of what was kept back and of a reach.

Each run looks only at the clock and the tables, and each thing bears a key it can be made with once: so it does not
matter how many processes do this, nor how often they are killed.

- A reminder that comes late by more than half of its interval is left to the next one.
- A week is sent up to fourteen hours late.
- What waits follows the rules of its chat when they are changed.
- What was followed by a role goes where the role reaches it no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import rules
from services.notifier.holding import drop_unfollowed
from services.notifier.owing import rule_of, zone_of
from services.notifier.reach import followers
from services.notifier.rules import LOST
from services.notifier.waiting import follow_rules
from services.notifier.withdrawals import withdraw_all
from svitlo.db.session import Database

EVERY_S = 10.0
WEEK_AT = time(19, 0)
"""On Sunday, by the chat's clock."""
WEEK_LATE = timedelta(hours=14)
"""Until after eight on Monday, when a mute for the night ends."""

UNWATCHED = timedelta(minutes=1)
"""So long after the detector was last at work nobody knows whether the power is still off; it writes every 5 s."""
SOON = timedelta(minutes=30)
"""What a chat is to be reminded of within this time comes along with what it is reminded of now."""

# By whoever is told of the outage, and by the same rules: those of the nearest place followed.
_REMINDERS = text(f"""
WITH RECURSIVE off AS (
  SELECT o.id AS outage, o.site_id, o.started_lo
  FROM outages o JOIN sites i ON i.id = o.site_id AND i.removed_at IS NULL
  LEFT JOIN site_state t ON t.site_id = i.id
  WHERE o.ended_hi IS NULL AND o.retracted_at IS NULL AND NOT o.maintenance AND coalesce(t.power = 'off', true)
    AND NOT EXISTS (SELECT 1 FROM service_ticks w WHERE w.service = 'detector'
      AND (w.since IS NULL OR w.at < now() - CAST(:unwatched AS interval)))
), {followers("off", "outage", of="s.chat IN (SELECT chat FROM subscriptions WHERE remind_minutes > 0)")}, times AS (
  SELECT f.*, CAST(extract(epoch FROM now() - o.started_lo) AS float8) / 60 / f.remind_minutes AS times
  FROM followers f JOIN outages o ON o.id = f.outage
  WHERE f.remind_minutes > 0 AND '{LOST}' = ANY(f.kinds)
    AND now() >= o.started_lo + make_interval(mins => f.min_minutes) AND coalesce(f.muted_until <= now(), true)
), due AS (
  SELECT t.*, n.number, n.number <= t.times AS due
  FROM times t CROSS JOIN LATERAL (
    SELECT CAST(CASE WHEN t.times >= 1 AND t.times - floor(t.times) <= 0.5 THEN floor(t.times) ELSE ceil(t.times) END
      AS int) AS number
  ) n
  WHERE (n.number - t.times) * t.remind_minutes <= :soon AND NOT EXISTS (SELECT 1 FROM deliveries d
    WHERE d.chat = t.chat AND d.dedupe_key = 'remind:' || t.outage || ':' || n.number || ':' || t.remind_minutes)
)
SELECT c.*, now() AS now FROM (SELECT d.*, bool_or(d.due) OVER (PARTITION BY d.chat) AS any FROM due d) c WHERE c.any
ORDER BY c.chat, c.times DESC
""")  # noqa: S608 - the only things put in are names of this package's

_REMIND = text("""
INSERT INTO deliveries (kind, chat, payload, dedupe_key, silent, state, attempts)
SELECT 'reminder', v.chat, jsonb_build_object('outage', v.outage),
  'remind:' || v.outage || ':' || v.number || ':' || v.minutes, v.silent, 'pending', 0
FROM unnest(CAST(:chats AS int[]), CAST(:outages AS uuid[]), CAST(:numbers AS int[]), CAST(:minutes AS int[]),
            CAST(:silents AS boolean[])) AS v (chat, outage, number, minutes, silent)
WHERE EXISTS (SELECT 1 FROM chats c WHERE c.id = v.chat)
ON CONFLICT (chat, dedupe_key) DO NOTHING
""")

_ZONES = text("SELECT DISTINCT timezone, now() AS now FROM chats WHERE active AND weekly AND platform = 'telegram'")

_WEEK = text("""
INSERT INTO deliveries (kind, chat, payload, dedupe_key, silent, state, attempts)
SELECT 'week', c.id, jsonb_build_object('day', CAST(:day AS text)), 'week:' || CAST(:day AS text), true, 'pending', 0
FROM chats c
WHERE c.active AND c.weekly AND c.platform = 'telegram' AND c.timezone IS NOT DISTINCT FROM CAST(:zone AS text)
  AND coalesce(c.muted_until <= now(), true)
  AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.chat = c.id AND s.created_at < CAST(:due AS timestamptz))
ON CONFLICT (chat, dedupe_key) DO NOTHING
""")


class Upkeep:
    """Looks at the clock every `every_s`; `on_due` hears that something is owed now."""

    def __init__(
        self, database: Database, on_due: Callable[[], None], zone: ZoneInfo, *, every_s: float = EVERY_S
    ) -> None:
        self._database = database
        self._on_due = on_due
        self._zone = zone
        self._every_s = every_s

    async def run(self) -> None:
        """Until cancelled. Raises `DatabaseUnavailableError`; running again goes on."""
        while True:
            if await self.look():
                self._on_due()
            await asyncio.sleep(self._every_s)

    async def look(self) -> int:
        """Do what is due; returns how many deliveries are new or may go out now."""
        async with self._database.transaction() as session:
            due = await withdraw_all(session)
            await drop_unfollowed(session)
            due += await follow_rules(session, self._zone)
            due += await remind(session, self._zone)
            due += await send_weeks(session, self._zone)
        return due


async def remind(session: AsyncSession, zone: ZoneInfo) -> int:
    """Owe the reminders that are due; none in a mute or in quiet hours that hold, and without a sound in others.

    None either where nobody knows how the power is: the boards are gone, the detector is blind or away. What a chat is
    to be reminded of soon comes along: outages that began apart make no message each.
    """
    values = {"soon": SOON.total_seconds() / 60, "unwatched": UNWATCHED}
    rows = (await session.execute(_REMINDERS, values)).mappings()
    due: dict[str, list[Any]] = {name: [] for name in ("chats", "outages", "numbers", "minutes", "silents")}
    for _, its_rows in groupby(rows, key=itemgetter("chat")):
        wanted = [(row, silent) for row in its_rows if (silent := _silent(row, zone)) is not None]
        if not any(row["due"] for row, _ in wanted):
            continue
        for row, silent in wanted:
            owed = (row["chat"], row["outage"], row["number"], row["remind_minutes"], silent)
            for name, value in zip(due, owed, strict=True):
                due[name].append(value)
    return _count(await session.execute(_REMIND, due)) if due["chats"] else 0


async def send_weeks(session: AsyncSession, zone: ZoneInfo, now: datetime | None = None) -> int:
    """Owe each chat that wants it the week that ended on its last Sunday evening; not to those that came later."""
    count = 0
    for row in (await session.execute(_ZONES)).all():
        moment = now or row.now
        due = last_sunday(moment, zone_of(row.timezone, zone))
        if moment - due <= WEEK_LATE:
            day = due.astimezone(zone_of(row.timezone, zone)).date().isoformat()
            values = {"day": day, "zone": row.timezone, "due": due}
            count += _count(await session.execute(_WEEK, values))
    return count


def last_sunday(now: datetime, zone: ZoneInfo) -> datetime:
    """The latest Sunday at `WEEK_AT` of that zone that is not after `now`; UTC."""
    local = now.astimezone(zone)
    day = local.date() - timedelta(days=(local.weekday() + 1) % 7)
    due = datetime.combine(day, WEEK_AT, tzinfo=zone).astimezone(UTC)
    if due > now:
        due = datetime.combine(day - timedelta(days=7), WEEK_AT, tzinfo=zone).astimezone(UTC)
    return due


def _silent(row: Any, zone: ZoneInfo) -> bool | None:
    """Whether a reminder is to make no sound now; None if none is wanted."""
    return rules.remind(rule_of(row), zone_of(row["timezone"], zone), row["now"])


def _count(result: Any) -> int:
    """How many rows a statement changed."""
    count: int = result.rowcount
    return count
