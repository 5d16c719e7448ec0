"""Ingest's SQL: readings by COPY into daily partitions, the registry's last words, quarantine."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingest.buffer import READING_COLUMNS, Batch, Seen
from svitlo.db.session import copy_rows

_SEEN = text("""
UPDATE devices d SET
  first_seen_at = coalesce(d.first_seen_at, v.at), last_seen_at = greatest(d.last_seen_at, v.at),
  boot = coalesce(v.boot, d.boot), boots = coalesce(v.boots, d.boots), reset = coalesce(v.reset, d.reset),
  interval_s = coalesce(v.interval_s, d.interval_s), rssi = coalesce(v.rssi, d.rssi), fw = coalesce(v.fw, d.fw)
FROM json_to_recordset(CAST(:seen AS json)) AS v (
  id text, at timestamptz, boot text, boots integer, reset text, interval_s integer, rssi integer, fw text
)
WHERE d.id = v.id
""")

_REFUSED = text("""
INSERT INTO quarantine (day, topic, reason, device_id, detail, count, first_at, last_at, sample)
VALUES (:day, :topic, :reason, :device_id, :detail, :count, :first_at, :last_at, :sample)
ON CONFLICT (day, topic, reason) DO UPDATE SET
  detail = excluded.detail, count = quarantine.count + excluded.count,
  last_at = excluded.last_at, sample = excluded.sample
""")

_STRANGER = text("""
INSERT INTO unknown_devices (device_id, first_seen_at, last_seen_at, count)
SELECT v.* FROM (VALUES (
  CAST(:device_id AS text), CAST(:first_at AS timestamptz), CAST(:last_at AS timestamptz), CAST(:count AS bigint)
)) AS v (device_id, first_at, last_at, count)
-- It may have been registered since it spoke.
WHERE NOT EXISTS (SELECT FROM devices d WHERE d.id = v.device_id AND d.removed_at IS NULL)
ON CONFLICT (device_id) DO UPDATE SET
  last_seen_at = excluded.last_seen_at, count = unknown_devices.count + excluded.count
""")

# A board sends a journal again until it is acknowledged: an entry that is there already is no other one. What one
# journal tells is never folded together, be it as close as it likes: the statement does not see its own rows.
_JOURNAL = text("""
INSERT INTO journal_entries (received_at, device_id, boot, at, kind)
SELECT CAST(:received_at AS timestamptz), CAST(:device_id AS text), CAST(:boot AS text), v.at, v.kind
FROM unnest(CAST(:at AS timestamptz[]), CAST(:kind AS text[])) AS v (at, kind)
WHERE NOT EXISTS (
  SELECT FROM journal_entries j WHERE j.device_id = :device_id AND j.boot = :boot AND j.kind = v.kind
  AND j.at BETWEEN v.at - interval '2 seconds' AND v.at + interval '2 seconds'
)
""")

_PARTITIONS = text("""
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = CAST('readings' AS regclass) ORDER BY c.relname
""")


def partition_name(day: date) -> str:
    """The partition that holds a UTC day's readings."""
    return f"readings_{day:%Y%m%d}"


async def load_devices(session: AsyncSession) -> frozenset[str]:
    """The ids of all registered devices."""
    rows = await session.execute(text("SELECT id FROM devices WHERE removed_at IS NULL"))
    return frozenset(row.id for row in rows)


async def partitions(session: AsyncSession) -> set[str]:
    """The partitions there are."""
    return {row.relname for row in await session.execute(_PARTITIONS)}


async def create_partitions(session: AsyncSession, days: Iterable[date]) -> None:
    """Make the partitions of the given UTC days unless they exist."""
    for day in sorted(days):
        start = datetime.combine(day, datetime.min.time(), UTC)
        end = start + timedelta(days=1)
        await session.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS {partition_name(day)} PARTITION OF readings "
                f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
            )
        )


async def drop_partitions(session: AsyncSession, before: date) -> list[str]:
    """Drop the partitions of days before `before`; returns their names."""
    dropped = [name for name in sorted(await partitions(session)) if name < partition_name(before)]
    for name in dropped:
        await session.execute(text(f"DROP TABLE {name}"))
    return dropped


async def delete_journals(session: AsyncSession, before: date) -> None:
    """Delete the journal entries that arrived before the UTC day `before`."""
    start = datetime.combine(before, datetime.min.time(), UTC)
    await session.execute(text("DELETE FROM journal_entries WHERE received_at < :start"), {"start": start})


async def delete_rejected(session: AsyncSession, before: date) -> None:
    """Delete what was in quarantine, and the unknown devices last heard, before the UTC day `before`."""
    start = datetime.combine(before, datetime.min.time(), UTC)
    await session.execute(text("DELETE FROM quarantine WHERE day < :before"), {"before": before})
    await session.execute(text("DELETE FROM unknown_devices WHERE last_seen_at < :start"), {"start": start})


async def write(session: AsyncSession, batch: Batch) -> None:
    """Write a batch in the caller's transaction; its partitions must exist."""
    if batch.readings:
        await copy_rows(session, "readings", READING_COLUMNS, batch.readings)
    if batch.journals:
        # One after the other, so that each sees what those before it brought.
        names = ("received_at", "device_id", "boot", "at", "kind")
        await session.execute(_JOURNAL, [dict(zip(names, row, strict=True)) for row in batch.journals])
    if batch.seen:
        # As one text: as arrays, value by value, they would take as long as all the readings.
        seen = msgspec.json.encode([_told(*item) for item in sorted(batch.seen.items())])
        await session.execute(_SEEN, {"seen": seen.decode()})
    for (day, topic, reason), refused in sorted(batch.refused.items()):
        await session.execute(_REFUSED, {"day": day, "topic": topic, "reason": reason, **vars(refused)})
    for device, stranger in sorted(batch.strangers.items()):
        await session.execute(_STRANGER, {"device_id": device, **vars(stranger)})


def _told(device: str, seen: Seen) -> dict[str, object]:
    at, beat = seen
    told: dict[str, object] = {"id": device, "at": at}
    if beat is not None:
        told |= {name: getattr(beat, name) for name in ("boot", "boots", "reset", "interval_s", "rssi", "fw")}
    return told
