"""The event log: append-only, read by position. It is also the outbox: nothing else has to arrive for sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.contracts import Area, Cause, Change, EventKind, Evidence, Flapping, PowerEvent

_APPEND_LOCK = 0x5117_0002

BY_HAND = 1000
"""Revisions from this number on are a person's; the detector, which counts from 1, does not touch what they say."""

_APPEND = text("""
INSERT INTO power_events
  (id, rev, site_id, kind, outage_id, occurred_lo, occurred_hi, detected_at, cause, evidence, details)
VALUES (:id, :rev, :site_id, :kind, :outage_id, :occurred_lo, :occurred_hi, :detected_at, :cause,
        CAST(:evidence AS jsonb), CAST(:details AS jsonb))
ON CONFLICT (id, rev) DO NOTHING
RETURNING seq
""")

_READ = text("""
SELECT e.seq, e.id, e.rev, e.site_id, s.slug, s.name, e.kind, e.outage_id, e.occurred_lo, e.occurred_hi,
       e.detected_at, e.cause, e.evidence, CAST(e.details AS text) AS details
FROM power_events e JOIN sites s ON s.id = e.site_id
WHERE e.seq > :after ORDER BY e.seq LIMIT :limit
""")

_OFFSET = text("SELECT seq FROM consumer_offsets WHERE consumer = :consumer")

_END = text("SELECT coalesce(max(seq), 0) FROM power_events")

_ADVANCE = text("""
INSERT INTO consumer_offsets (consumer, seq, updated_at) VALUES (:consumer, :seq, now())
ON CONFLICT (consumer) DO UPDATE SET seq = excluded.seq, updated_at = now()
WHERE consumer_offsets.seq < excluded.seq
""")


@dataclass(frozen=True)
class LoggedEvent:
    """An event as it stands in the log: its position, its site's key and name, and what happened."""

    seq: int
    site_id: int
    site_name: str
    event: PowerEvent


async def append(session: AsyncSession, site_id: int, event: PowerEvent) -> int | None:
    """Append one event inside the caller's transaction; its position, or None if it was there already.

    Writers take turns until they commit (a transaction-level advisory lock), so positions become visible in order
    and a reader never passes over an event that commits later under a smaller number.
    """
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _APPEND_LOCK})
    result = await session.execute(
        _APPEND,
        {
            "id": event.id,
            "rev": event.rev,
            "site_id": site_id,
            "kind": event.kind.value,
            "outage_id": event.outage_id,
            "occurred_lo": event.occurred_lo,
            "occurred_hi": event.occurred_hi,
            "detected_at": event.detected_at,
            "cause": event.cause.value,
            "evidence": _encode_evidence(event.evidence),
            "details": _encode_details(event),
        },
    )
    seq: int | None = result.scalar_one_or_none()
    return seq


async def read(session: AsyncSession, after: int, limit: int = 200) -> list[LoggedEvent]:
    """The events after a position, oldest first."""
    rows = await session.execute(_READ, {"after": after, "limit": limit})
    return [_event(row) for row in rows.mappings()]


async def offset(session: AsyncSession, consumer: str, *, start_at_end: bool = False) -> int:
    """How far a consumer has read.

    A consumer never seen before starts at the beginning, or with `start_at_end` at the end, and that is stored.
    """
    found = (await session.execute(_OFFSET, {"consumer": consumer})).scalar_one_or_none()
    if found is not None:
        return int(found)
    start = int((await session.execute(_END)).scalar_one()) if start_at_end else 0
    await advance(session, consumer, start)
    return start


async def advance(session: AsyncSession, consumer: str, seq: int) -> None:
    """Store how far a consumer has read; never backwards."""
    await session.execute(_ADVANCE, {"consumer": consumer, "seq": seq})


def _encode_evidence(evidence: list[Evidence]) -> str:
    return msgspec.json.encode(evidence).decode()


class _Details(Struct, frozen=True):
    """What only some events say."""

    change: Change | UnsetType = UNSET
    reconstructed: bool | UnsetType = UNSET
    quiet: bool | UnsetType = UNSET
    area: Area | UnsetType = UNSET
    flapping: Flapping | UnsetType = UNSET


def _encode_details(event: PowerEvent) -> str | None:
    details = _Details(**{name: getattr(event, name) for name in _Details.__struct_fields__})
    return msgspec.json.encode(details).decode() if details != _Details() else None


def _event(row: Any) -> LoggedEvent:
    details = msgspec.json.decode(row["details"], type=_Details) if row["details"] else _Details()
    return LoggedEvent(
        seq=row["seq"],
        site_id=row["site_id"],
        site_name=row["name"],
        event=PowerEvent(
            id=row["id"],
            rev=row["rev"],
            site=row["slug"],
            kind=EventKind(row["kind"]),
            outage_id=row["outage_id"],
            occurred_lo=row["occurred_lo"],
            occurred_hi=row["occurred_hi"],
            detected_at=row["detected_at"],
            cause=Cause(row["cause"]),
            evidence=msgspec.convert(row["evidence"], list[Evidence]),
            **structs.asdict(details),
        ),
    )
