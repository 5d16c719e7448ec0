"""Keys, devices, and the detector's tick."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.schemas import Device
from services.api.tick import Tick, parse_details

_KEY_KIND = text("SELECT kind FROM api_keys WHERE hash = :hash AND kind IN ('read', 'admin') AND revoked_at IS NULL")

_DEVICES = text("""
SELECT d.id, d.last_seen_at, coalesce(ds.liveness, 'never_seen') AS liveness, d.fw, d.rssi, d.interval_s, d.reset,
       ARRAY(SELECT s.slug FROM site_devices sd JOIN sites s ON s.id = sd.site_id AND s.removed_at IS NULL
             WHERE sd.device_id = d.id ORDER BY s.slug) AS sites
FROM devices d LEFT JOIN device_state ds ON ds.device_id = d.id
WHERE d.removed_at IS NULL ORDER BY d.id
""")

_TICK = text("""
SELECT at, since, CAST(details AS text) AS details,
       CASE WHEN since IS NULL THEN (SELECT max(last_proof_at) FROM device_state) END AS newest_proof_at
FROM service_ticks WHERE service = 'detector'
""")


async def key_kind(session: AsyncSession, key_hash: str) -> str | None:
    """The kind of a key in force, None if there is none with this hash."""
    kind: str | None = (await session.execute(_KEY_KIND, {"hash": key_hash})).scalar_one_or_none()
    return kind


async def devices(session: AsyncSession) -> list[Device]:
    """All devices, by id."""
    return [Device(**row) for row in (await session.execute(_DEVICES)).mappings()]


async def detector_tick(session: AsyncSession) -> Tick | None:
    """What a detector last wrote of its watch; None if none ever did."""
    row = (await session.execute(_TICK)).one_or_none()
    return None if row is None else Tick(row.at, row.since, parse_details(row.details), row.newest_proof_at)
