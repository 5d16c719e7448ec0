"""What is recorded of a place: its outages, when nobody watched, and the statistics of both. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.reach import nearest
from services.notifier.views.reader import full_name
from services.notifier.views.reports import PAGE, Past
from svitlo.contracts import Cause
from svitlo.db.watched import WATCHED_SINCE
from svitlo.statistics import Recorded, Span, Statistics, statistics


def look(let_in: str) -> TextClause:
    """The statement of a site `:site`, for whom the condition lets in: on the site `s`."""
    return text(f"""
SELECT w.id, w.name, w.above, coalesce(w.since, w.created_at) AS created_at, w.since IS NOT NULL AS observed FROM (
  SELECT s.id, s.name, p.name AS above, s.created_at, {WATCHED_SINCE} AS since
  FROM sites s LEFT JOIN sites p ON p.id = s.parent_id AND p.public AND p.removed_at IS NULL
  WHERE s.id = :site AND s.removed_at IS NULL AND ({let_in})) w
""")  # noqa: S608 - conditions of ours


_SEEN = look(f"s.public OR EXISTS (SELECT FROM {nearest(':chat', 's.id')} n)")

_RECORDED = text("""
SELECT started_lo, started_hi, ended_lo, ended_hi, momentary, maintenance FROM outages
WHERE site_id = :site AND retracted_at IS NULL
  AND started_lo < :until AND (ended_hi IS NULL OR ended_hi > :since OR started_lo >= :since)
ORDER BY started_lo
""")

_GAPS = text("SELECT started_at, ended_at FROM observation_gaps WHERE started_at < :until AND ended_at > :since")

# A gap is recorded by whoever watches next. Until then it began where the last one ceased: the detector writes every
# 5 s, and a database that was just away may cost it some.
_UNWATCHED = text("""
SELECT CASE WHEN since IS NULL THEN least(at, (SELECT max(last_proof_at) FROM device_state))
            WHEN at < CAST(:now AS timestamptz) - interval '30 seconds' THEN at END AS since
FROM service_ticks WHERE service = 'detector'
""")

_LATEST = text("""
SELECT started_lo AS start, ended_hi AS end, cause, maintenance, reconstructed FROM outages
WHERE site_id = :site AND retracted_at IS NULL AND NOT momentary
ORDER BY started_lo DESC, id DESC LIMIT :limit OFFSET :skip
""")


@dataclass(frozen=True)
class Site:
    """A place a chat may look at: public, or told to it.

    `created_at`: since when it is watched; `observed`: it ever was.
    """

    id: int
    name: str
    created_at: datetime
    observed: bool


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of a place in `[since, until)` at `now`: its outages in order, and the spans nobody watched."""

    site: Site
    since: datetime
    until: datetime
    now: datetime
    outages: tuple[Recorded, ...]
    blind: tuple[Span, ...]

    def statistics(self, since: datetime | None = None, until: datetime | None = None) -> Statistics:
        """Those of a part of the record; of all of it unless told otherwise."""
        return statistics(
            self.outages,
            self.blind,
            since=self.since if since is None else max(since, self.since),
            until=self.until if until is None else min(until, self.until),
            now=self.now,
            created_at=self.site.created_at,
        )


async def site_for(session: AsyncSession, chat: int, site: int) -> Site | None:
    """A place by its key, if the chat may look at it."""
    row = (await session.execute(_SEEN, {"site": site, "chat": chat})).mappings().one_or_none()
    return None if row is None else site_of(row)


def site_of(row: RowMapping) -> Site:
    """The place of such a row, by its name and that of the public one above."""
    return Site(row["id"], full_name(row["name"], row["above"]), row["created_at"], row["observed"])


async def record_of(session: AsyncSession, site: Site, since: datetime, until: datetime, now: datetime) -> Record:
    """What is known of a place in a window."""
    window = {"since": since, "until": until}
    outages = await session.execute(_RECORDED, window | {"site": site.id})
    gaps: list[Span] = [(row.started_at, row.ended_at) for row in await session.execute(_GAPS, window)]
    unwatched = await _unwatched_since(session, site, since, now)
    if unwatched is not None and unwatched < until:
        gaps.append((unwatched, max(now, until)))
    return Record(
        site=site,
        since=since,
        until=until,
        now=now,
        outages=tuple(Recorded(**row) for row in outages.mappings()),
        blind=tuple(gaps),
    )


async def latest(session: AsyncSession, site: int, page: int = 0) -> tuple[list[Past], bool]:
    """A page of a place's outages, newest first, and whether there are older ones."""
    rows = await session.execute(_LATEST, {"site": site, "limit": PAGE + 1, "skip": PAGE * max(page, 0)})
    found = [_past(dict(row)) for row in rows.mappings()]
    return found[:PAGE], len(found) > PAGE


async def set_weekly(session: AsyncSession, chat: int, wanted: bool) -> None:
    """Whether a chat wants the picture of the week by itself."""
    await session.execute(text("UPDATE chats SET weekly = :wanted WHERE id = :chat"), {"wanted": wanted, "chat": chat})


async def wants_weekly(session: AsyncSession, chat: int) -> bool:
    """Whether it does."""
    return bool((await session.execute(text("SELECT weekly FROM chats WHERE id = :chat"), {"chat": chat})).scalar())


async def _unwatched_since(session: AsyncSession, site: Site, since: datetime, now: datetime) -> datetime | None:
    """Since when nobody watches the place; None while somebody does."""
    row = (await session.execute(_UNWATCHED, {"now": now})).one_or_none()
    if row is None or not site.observed:
        return since - timedelta(seconds=1)
    found: datetime | None = row.since
    return found


def _past(row: dict[str, Any]) -> Past:
    return Past(**(row | {"cause": Cause(row["cause"])}))
