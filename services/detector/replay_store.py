"""What a replay reads: the recorded messages in the order of their arrival, and what was reported at the time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]
import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.detector.core.observation import Note, Observation, ObservationKind
from services.detector.store import TICK
from svitlo.contracts import Cause, EventKind, JournalKind
from svitlo.db.session import driver_url, unavailable
from svitlo.errors import DatabaseUnavailableError

FETCH = 10_000
"""Readings taken from the server at once; a few megabytes."""
LAST_WORDS = 5
"""So many readings of each device before the beginning tell what was known of it then."""
PATIENCE_S = 3600.0
"""How long setting a day's readings in order may take."""

Row = tuple[Any, ...]
"""One reading, as `_COLUMNS` has it."""

_COLUMNS = """
  received_at, device_id, kind, reason, boot, coalesce(boots, 0), conn, seq, uptime_s, interval_s, reset, mains
"""

_OPEN = f"""
DECLARE tape NO SCROLL CURSOR WITH HOLD FOR
SELECT {_COLUMNS} FROM readings
WHERE received_at >= $1 AND received_at < $2 %s
ORDER BY received_at, device_id, seq NULLS FIRST
"""  # noqa: S608 - the only thing put in is a constant of this module

_LAST_WORDS = f"""
SELECT r.* FROM unnest(CAST($1 AS text[])) AS d (id) CROSS JOIN LATERAL (
  SELECT {_COLUMNS} FROM readings WHERE device_id = d.id AND received_at < $2 ORDER BY received_at DESC LIMIT $3
) r ORDER BY 1, 2, 8 NULLS FIRST
"""  # noqa: S608 - the only thing put in is a constant of this module

_JOURNALS = """
SELECT received_at, device_id, boot, array_agg(at ORDER BY at, id) AS at, array_agg(kind ORDER BY at, id) AS kind
FROM journal_entries WHERE received_at >= $1 AND received_at < $2 AND device_id = ANY(CAST($3 AS text[]))
GROUP BY 1, 2, 3 ORDER BY 1, 2
"""

_GAPS = """
SELECT started_at, ended_at, reason FROM observation_gaps
WHERE ended_at > $1 AND started_at < $2 ORDER BY started_at, id
"""

_SPAN = """
SELECT min(a.at) AS first, max(b.at) AS last FROM unnest(CAST($1 AS text[])) AS d (id)
CROSS JOIN LATERAL (SELECT received_at AS at FROM readings WHERE device_id = d.id ORDER BY received_at LIMIT 1) a
CROSS JOIN LATERAL (SELECT received_at AS at FROM readings WHERE device_id = d.id ORDER BY received_at DESC LIMIT 1) b
"""

_OUTAGES = text("""
SELECT s.slug AS site, o.id, o.cause, o.started_lo, o.started_hi, o.detected_at, o.ended_lo, o.ended_hi,
       o.retracted_at, o.momentary, o.reconstructed, o.maintenance
FROM outages o JOIN sites s ON s.id = o.site_id AND s.removed_at IS NULL
WHERE s.slug = ANY(CAST(:sites AS text[])) AND o.started_lo < :until AND coalesce(o.ended_hi, 'infinity') > :since
ORDER BY o.started_lo, o.id
""")

_ALERTS = text("""
SELECT s.slug AS site, e.kind, e.outage_id, e.detected_at, e.occurred_lo, e.occurred_hi,
       coalesce(CAST(e.details ->> 'quiet' AS boolean), false) AS quiet,
       CAST(e.details #>> '{flapping,changes}' AS integer) AS changes
FROM power_events e JOIN sites s ON s.id = e.site_id AND s.removed_at IS NULL
WHERE s.slug = ANY(CAST(:sites AS text[]))
  AND (e.outage_id = ANY(CAST(:outages AS uuid[])) OR e.detected_at >= :since AND e.detected_at < :until)
ORDER BY e.seq
""")

_LONGEST = text("""
SELECT coalesce(max(interval_s), 0) FROM devices
WHERE removed_at IS NULL AND (CAST(:devices AS text[]) IS NULL OR id = ANY(CAST(:devices AS text[])))
""")

_DETAILS = text("SELECT CAST(details AS text) AS details FROM service_ticks WHERE service = :service")


class Gap(NamedTuple):
    """A span in which the detector was blind (UTC), and why."""

    started_at: datetime
    ended_at: datetime
    reason: str


class Reported(Struct, frozen=True):
    """An outage as it was, or would have been, reported; times are UTC."""

    id: UUID
    site: str
    cause: Cause
    started_lo: datetime
    started_hi: datetime
    detected_at: datetime
    ended_lo: datetime | None
    ended_hi: datetime | None
    retracted_at: datetime | None
    momentary: bool
    reconstructed: bool
    maintenance: bool


class Alert(Struct, frozen=True):
    """An entry of the event log, real or made up. `changes` counts how often an unstable power came and went."""

    site: str
    kind: EventKind
    outage_id: UUID
    detected_at: datetime
    occurred_lo: datetime
    occurred_hi: datetime
    quiet: bool = False
    changes: int | None = None

    @property
    def told(self) -> bool:
        """Whether people hear of it."""
        return not self.quiet and self.kind is not EventKind.MOMENTARY


class Tape:
    """The record, read only. Use as an async context manager.

    A replay may take hours. Each day's readings are set in order on the server and kept there by a cursor that
    outlives its transaction: so no lock is held meanwhile that ingest, which adds and drops partitions, would wait for.
    """

    def __init__(self, url: str) -> None:
        self._url = driver_url(url)
        self._connection: Any = None

    async def __aenter__(self) -> Self:
        asked = {"application_name": "svitlo replay", "default_transaction_read_only": "on", "timezone": "UTC"}
        with _translated():
            self._connection = await asyncpg.connect(self._url, timeout=5, server_settings=asked)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._connection.close(timeout=2)
        except (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
            self._connection.terminate()

    async def readings(
        self, since: datetime, until: datetime, devices: Sequence[str] | None
    ) -> AsyncIterator[Sequence[Row]]:
        """The readings of `[since, until)`, all or those of some devices, so many at a time."""
        chosen, parameters = ("AND device_id = ANY(CAST($3 AS text[]))", [devices]) if devices is not None else ("", [])
        with _translated():
            await self._connection.execute(_OPEN % chosen, since, until, *parameters, timeout=PATIENCE_S)
            try:
                while rows := await self._connection.fetch(f"FETCH {FETCH} FROM tape", timeout=PATIENCE_S):
                    yield rows
            finally:
                await self._connection.execute("CLOSE tape")

    async def last_words(self, devices: Sequence[str], before: datetime) -> Sequence[Row]:
        """The newest readings of each device before a moment."""
        with _translated():
            rows: Sequence[Row] = await self._connection.fetch(_LAST_WORDS, devices, before, LAST_WORDS)
        return rows

    async def journals(self, since: datetime, until: datetime, devices: Sequence[str]) -> list[Observation]:
        """The journals that arrived in `[since, until)`."""
        with _translated():
            rows = await self._connection.fetch(_JOURNALS, since, until, devices)
        return [
            Observation(
                row["device_id"],
                ObservationKind.JOURNAL,
                row["received_at"],
                row["boot"],
                0,
                0,
                notes=tuple(Note(at, JournalKind(kind)) for at, kind in zip(row["at"], row["kind"], strict=True)),
            )
            for row in rows
        ]

    async def gaps(self, since: datetime, until: datetime) -> list[Gap]:
        """When we were blind within `[since, until)`; in order, and none overlaps another."""
        with _translated():
            rows = await self._connection.fetch(_GAPS, since, until)
        gaps: list[Gap] = []
        for started_at, ended_at, reason in rows:
            start = max(started_at, gaps[-1].ended_at if gaps else since)
            if start < ended_at:
                gaps.append(Gap(start, ended_at, reason))
        return gaps

    async def span(self, devices: Sequence[str]) -> tuple[datetime, datetime] | None:
        """When the first and the last reading of these devices arrived; None if there is none."""
        with _translated():
            row = await self._connection.fetchrow(_SPAN, devices)
        return (row["first"], row["last"]) if row["first"] is not None else None


async def reported(session: AsyncSession, sites: Sequence[str], since: datetime, until: datetime) -> list[Reported]:
    """The outages of the sites that overlap `[since, until)`, as they stand in the database."""
    rows = await session.execute(_OUTAGES, {"sites": sites, "since": since, "until": until})
    return [Reported(**row | {"cause": Cause(row["cause"])}) for row in map(dict, rows.mappings())]


async def alerts(
    session: AsyncSession, sites: Sequence[str], outages: Sequence[Reported], since: datetime, until: datetime
) -> list[Alert]:
    """The events of `[since, until)` and those of the outages, as the log has them."""
    values = {"sites": sites, "outages": [outage.id for outage in outages], "since": since, "until": until}
    rows = await session.execute(_ALERTS, values)
    return [Alert(**row | {"kind": EventKind(row["kind"])}) for row in map(dict, rows.mappings())]


async def longest_interval(session: AsyncSession, devices: Sequence[str] | None) -> int:
    """The greatest number of seconds between two heartbeats of a device."""
    seconds: int = (await session.execute(_LONGEST, {"devices": devices})).scalar_one()
    return seconds


async def policy_in_force(session: AsyncSession) -> dict[str, Any]:
    """The settings the detector last said it runs by; empty if it never did."""
    details = (await session.execute(_DETAILS, {"service": TICK})).scalar_one_or_none()
    found: dict[str, Any] = msgspec.json.decode(details).get("policy", {}) if details else {}
    return found


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # translated or passed on, never swallowed
        if unavailable(error):
            raise DatabaseUnavailableError(f"PostgreSQL does not answer ({type(error).__name__})") from error
        raise
