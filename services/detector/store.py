"""The detector's SQL: what a restart needs, and what each effect leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.detector.core.device import DeviceState, Liveness
from services.detector.core.effects import DeviceChanged, Effect, GapSeen, OutageEnded, OutageStarted, SiteChanged
from services.detector.core.site import Outage, SiteState
from svitlo.contracts import EvidenceKind, PowerEvent, PowerState, SiteStateWord
from svitlo.db import log

TICK = "detector"

_DEVICE_COLUMNS = (
    "device_id, liveness, boot, previous_boot, conn, seq, interval_s, last_proof_at, lost_at, lost_by, paused_at, "
    "updated_at"
)

_SAVE_DEVICES = text(f"""
INSERT INTO device_state ({_DEVICE_COLUMNS})
SELECT v.* FROM unnest(
  CAST(:device_id AS text[]), CAST(:liveness AS text[]), CAST(:boot AS text[]), CAST(:previous_boot AS text[]),
  CAST(:conn AS integer[]), CAST(:seq AS bigint[]), CAST(:interval_s AS integer[]),
  CAST(:last_proof_at AS timestamptz[]), CAST(:lost_at AS timestamptz[]), CAST(:lost_by AS text[]),
  CAST(:paused_at AS timestamptz[]), CAST(:updated_at AS timestamptz[])
) AS v ({_DEVICE_COLUMNS})
JOIN devices d ON d.id = v.device_id AND d.removed_at IS NULL
ON CONFLICT (device_id) DO UPDATE SET
  liveness = excluded.liveness, boot = excluded.boot, previous_boot = excluded.previous_boot,
  conn = excluded.conn, seq = excluded.seq, interval_s = excluded.interval_s,
  last_proof_at = excluded.last_proof_at, lost_at = excluded.lost_at, lost_by = excluded.lost_by,
  paused_at = excluded.paused_at, updated_at = excluded.updated_at
""")  # noqa: S608 - the only thing put in is a constant of this module

_SAVE_SITE = text("""
INSERT INTO site_state (site_id, power, state, since, updated_at)
VALUES (:site_id, :power, :state, :since, :now)
ON CONFLICT (site_id) DO UPDATE SET
  power = excluded.power, state = excluded.state, since = excluded.since, updated_at = excluded.updated_at
""")

_END_FORGOTTEN = text("""
UPDATE outages SET ended_lo = started_hi, ended_hi = greatest(started_hi, :lo), end_detected_at = :detected_at
WHERE site_id = :site_id AND id <> :id AND ended_hi IS NULL AND retracted_at IS NULL
""")

_OPEN_OUTAGE = text("""
INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at)
VALUES (:id, :site_id, 1, :cause, :lo, :hi, :detected_at)
ON CONFLICT (id) DO NOTHING
""")

_CLOSE_OUTAGE = text("""
UPDATE outages SET ended_lo = :lo, ended_hi = :hi, end_detected_at = :detected_at
WHERE id = :id AND ended_hi IS NULL
""")

_SAVE_GAP = text("INSERT INTO observation_gaps (started_at, ended_at, reason) VALUES (:started, :ended, :reason)")

_SAVE_TICK = text("""
INSERT INTO service_ticks (service, at) VALUES (:service, :at)
ON CONFLICT (service) DO UPDATE SET at = excluded.at
""")

_REGISTRY = text("""
SELECT s.id, s.slug, s.name, coalesce(array_agg(d.id ORDER BY d.id) FILTER (WHERE d.id IS NOT NULL), '{}') AS devices
FROM sites s
LEFT JOIN site_devices sd ON sd.site_id = s.id
LEFT JOIN devices d ON d.id = sd.device_id AND d.removed_at IS NULL
WHERE s.removed_at IS NULL GROUP BY s.id
""")

_DEVICES = text("""
SELECT ds.* FROM device_state ds JOIN devices d ON d.id = ds.device_id WHERE d.removed_at IS NULL
""")

_SITES = text("""
SELECT s.slug, st.power, st.state, st.since, o.id AS outage_id, o.started_lo, o.started_hi
FROM site_state st
JOIN sites s ON s.id = st.site_id AND s.removed_at IS NULL
LEFT JOIN outages o ON o.site_id = s.id AND o.ended_hi IS NULL AND o.retracted_at IS NULL
""")


@dataclass(frozen=True)
class SiteEntry:
    """A site in the registry."""

    id: int
    name: str
    devices: tuple[str, ...]


async def load_registry(session: AsyncSession) -> dict[str, SiteEntry]:
    """All live sites by slug, with the devices that stand for them."""
    rows = await session.execute(_REGISTRY)
    return {row.slug: SiteEntry(row.id, row.name, tuple(row.devices)) for row in rows}


async def load_devices(session: AsyncSession) -> dict[str, DeviceState]:
    """What was stored of each device."""
    rows = await session.execute(_DEVICES)
    return {
        row.device_id: DeviceState(
            liveness=Liveness(row.liveness),
            boot=row.boot,
            previous_boot=row.previous_boot,
            conn=row.conn or 0,
            seq=row.seq,
            interval_s=row.interval_s,
            last_proof_at=row.last_proof_at,
            lost_at=row.lost_at,
            lost_by=EvidenceKind(row.lost_by) if row.lost_by else None,
            lost_boot=row.boot if row.liveness == Liveness.LOST else None,
            paused_at=row.paused_at,
        )
        for row in rows
    }


async def load_sites(session: AsyncSession) -> dict[str, SiteState]:
    """What was stored of each site, with its open outage."""
    rows = await session.execute(_SITES)
    return {
        row.slug: SiteState(
            power=PowerState(row.power),
            state=SiteStateWord(row.state),
            since=row.since,
            # With power there is no outage; one left open lost its end, and the next one closes it.
            outage=Outage(row.outage_id, row.started_lo, row.started_hi)
            if row.outage_id and row.power != PowerState.ON
            else None,
        )
        for row in rows
    }


async def load_removed(session: AsyncSession) -> set[str]:
    """Slugs of removed sites that no live site bears."""
    rows = await session.execute(text("SELECT slug FROM sites GROUP BY slug HAVING bool_and(removed_at IS NOT NULL)"))
    return {row.slug for row in rows}


async def load_tick(session: AsyncSession) -> datetime | None:
    """When a detector was last known to watch (UTC)."""
    found: datetime | None = (
        await session.execute(text("SELECT at FROM service_ticks WHERE service = :service"), {"service": TICK})
    ).scalar_one_or_none()
    return found


async def save_tick(session: AsyncSession, now: datetime) -> None:
    """Note that we watch."""
    await session.execute(_SAVE_TICK, {"service": TICK, "at": now})


async def save_devices(session: AsyncSession, states: Mapping[str, DeviceState], now: datetime) -> None:
    """Store device states; ids that are no longer registered are passed over."""
    if not states:
        return
    # In order of id, so that two writers cannot lock each other out.
    pairs = sorted(states.items())
    columns: dict[str, list[Any]] = {
        "device_id": [name for name, _ in pairs],
        "liveness": [state.liveness.value for _, state in pairs],
        "boot": [state.boot for _, state in pairs],
        "previous_boot": [state.previous_boot for _, state in pairs],
        "conn": [state.conn for _, state in pairs],
        "seq": [state.seq for _, state in pairs],
        "interval_s": [state.interval_s for _, state in pairs],
        "last_proof_at": [state.last_proof_at for _, state in pairs],
        "lost_at": [state.lost_at for _, state in pairs],
        "lost_by": [state.lost_by.value if state.lost_by else None for _, state in pairs],
        "paused_at": [state.paused_at for _, state in pairs],
        "updated_at": [now for _ in pairs],
    }
    await session.execute(_SAVE_DEVICES, columns)


async def save_effects(
    session: AsyncSession, effects: Sequence[Effect], site_ids: Mapping[str, int], now: datetime
) -> bool:
    """Store effects in their order, in the caller's transaction; says whether the event log grew.

    Effects of sites that have left the registry are passed over: there is nothing left to hang them on.
    """
    logged = False
    for effect in effects:
        match effect:
            case DeviceChanged():
                await save_devices(session, {effect.device: effect.state}, now)
            case GapSeen():
                await session.execute(
                    _SAVE_GAP,
                    {"started": effect.started_at, "ended": effect.ended_at, "reason": effect.reason},
                )
            case SiteChanged() if effect.site in site_ids:
                await session.execute(
                    _SAVE_SITE,
                    {
                        "site_id": site_ids[effect.site],
                        "power": effect.state.power.value,
                        "state": effect.state.state.value,
                        "since": effect.state.since,
                        "now": now,
                    },
                )
            case OutageStarted() if effect.site in site_ids:
                await _open_outage(session, site_ids[effect.site], effect)
                logged = True
            case OutageEnded() if effect.site in site_ids:
                await _close_outage(session, site_ids[effect.site], effect.event)
                logged = True
    return logged


async def _open_outage(session: AsyncSession, site_id: int, effect: OutageStarted) -> None:
    await session.execute(
        _END_FORGOTTEN,
        {
            "id": effect.outage.id,
            "site_id": site_id,
            "lo": effect.outage.started_lo,
            "detected_at": effect.event.detected_at,
        },
    )
    await session.execute(
        _OPEN_OUTAGE,
        {
            "id": effect.outage.id,
            "site_id": site_id,
            "cause": effect.event.cause.value,
            "lo": effect.outage.started_lo,
            "hi": effect.outage.started_hi,
            "detected_at": effect.event.detected_at,
        },
    )
    await log.append(session, site_id, effect.event)


async def _close_outage(session: AsyncSession, site_id: int, event: PowerEvent) -> None:
    await session.execute(
        _CLOSE_OUTAGE,
        {"id": event.outage_id, "lo": event.occurred_lo, "hi": event.occurred_hi, "detected_at": event.detected_at},
    )
    await log.append(session, site_id, event)
