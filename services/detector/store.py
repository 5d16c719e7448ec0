"""The detector's SQL: what a restart needs, and what each effect leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.detector.core.dark import Dark
from services.detector.core.device import DeviceState, Liveness
from services.detector.core.effects import DeviceChanged, Effect, EventLogged, GapSeen, OutageChanged, SiteChanged
from services.detector.core.outage import Outage
from services.detector.core.place import Place, Rule
from services.detector.core.site import SiteState
from svitlo.contracts import EventKind, EvidenceKind, PowerEvent, PowerState, SiteStateWord
from svitlo.db import log
from svitlo.maintenance import Window, spans
from svitlo.registry.windows import windows_by_site

TICK = "detector"
CHUNK = 2000
"""Device states written by one statement: a large fleet must not hold up the events behind it."""
MAINTENANCE_AHEAD = timedelta(hours=48)
MAINTENANCE_BEHIND = timedelta(days=7)
"""What fell into a maintenance while nobody watched may come to light when that is long over."""

_DEVICE_COLUMNS = (
    "device_id, liveness, boot, previous_boot, conn, seq, interval_s, last_proof_at, lost_at, lost_by, paused_at, "
    "deadline_at, memory, updated_at"
)

_SAVE_DEVICES = text(f"""
INSERT INTO device_state ({_DEVICE_COLUMNS})
SELECT v.* FROM unnest(
  CAST(:device_id AS text[]), CAST(:liveness AS text[]), CAST(:boot AS text[]), CAST(:previous_boot AS text[]),
  CAST(:conn AS integer[]), CAST(:seq AS bigint[]), CAST(:interval_s AS integer[]),
  CAST(:last_proof_at AS timestamptz[]), CAST(:lost_at AS timestamptz[]), CAST(:lost_by AS text[]),
  CAST(:paused_at AS timestamptz[]), CAST(:deadline_at AS timestamptz[]), CAST(CAST(:memory AS text[]) AS jsonb[]),
  CAST(:updated_at AS timestamptz[])
) AS v ({_DEVICE_COLUMNS})
JOIN devices d ON d.id = v.device_id AND d.removed_at IS NULL
ON CONFLICT (device_id) DO UPDATE SET
  liveness = excluded.liveness, boot = excluded.boot, previous_boot = excluded.previous_boot,
  conn = excluded.conn, seq = excluded.seq, interval_s = excluded.interval_s,
  last_proof_at = excluded.last_proof_at, lost_at = excluded.lost_at, lost_by = excluded.lost_by,
  paused_at = excluded.paused_at, deadline_at = excluded.deadline_at, memory = excluded.memory,
  updated_at = excluded.updated_at
""")  # noqa: S608 - the only thing put in is a constant of this module

_SAVE_SITE = text("""
INSERT INTO site_state (site_id, power, state, since, memory, updated_at)
VALUES (:site_id, :power, :state, :since, CAST(:memory AS jsonb), :now)
ON CONFLICT (site_id) DO UPDATE SET
  power = excluded.power, state = excluded.state, since = excluded.since, memory = excluded.memory,
  updated_at = excluded.updated_at
""")

_END_FORGOTTEN = text("""
UPDATE outages SET ended_lo = started_hi, ended_hi = greatest(started_hi, :lo), end_detected_at = :detected_at
WHERE site_id = :site_id AND id <> :id AND ended_hi IS NULL AND retracted_at IS NULL
""")

_SAVE_OUTAGE = text("""
INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, ended_lo, ended_hi, end_detected_at,
                     retracted_at, momentary, reconstructed, maintenance)
VALUES (:id, :site_id, :rev, :cause, :started_lo, :started_hi, :detected_at, :ended_lo, :ended_hi, :end_detected_at,
        :retracted_at, :momentary, :reconstructed, :maintenance)
ON CONFLICT (id) DO UPDATE SET
  rev = excluded.rev, cause = excluded.cause, started_lo = excluded.started_lo, started_hi = excluded.started_hi,
  detected_at = excluded.detected_at,
  ended_lo = excluded.ended_lo, ended_hi = excluded.ended_hi, end_detected_at = excluded.end_detected_at,
  retracted_at = excluded.retracted_at
WHERE outages.rev <= excluded.rev
""")

# Written again after a commit whose answer was lost, it must not count twice.
_SAVE_GAP = text("""
INSERT INTO observation_gaps (started_at, ended_at, reason)
SELECT v.* FROM (VALUES (CAST(:started AS timestamptz), CAST(:ended AS timestamptz), CAST(:reason AS text)))
  AS v (started_at, ended_at, reason)
WHERE NOT EXISTS (
  SELECT FROM observation_gaps g WHERE g.started_at = v.started_at AND g.ended_at = v.ended_at
)
""")

_SAVE_TICK = text("""
INSERT INTO service_ticks (service, at, since, details) VALUES (:service, :at, :since, CAST(:details AS jsonb))
ON CONFLICT (service) DO UPDATE SET at = excluded.at, since = excluded.since, details = excluded.details
""")

_REGISTRY = text("""
SELECT s.id, s.slug, s.name, p.slug AS parent, s.public, s.rule, s.k, s.confirm_off_s, s.confirm_on_s,
       coalesce(json_object_agg(d.id, sd.weight ORDER BY d.id) FILTER (WHERE d.id IS NOT NULL), '{}') AS devices
FROM sites s
LEFT JOIN sites p ON p.id = s.parent_id AND p.removed_at IS NULL
LEFT JOIN site_devices sd ON sd.site_id = s.id
LEFT JOIN devices d ON d.id = sd.device_id AND d.removed_at IS NULL
WHERE s.removed_at IS NULL GROUP BY s.id, p.slug
""")

_DEVICES = text("""
SELECT ds.*, CAST(ds.memory AS text) AS remembered
FROM device_state ds JOIN devices d ON d.id = ds.device_id WHERE d.removed_at IS NULL
""")

_SITES = text("""
SELECT s.slug, st.power, st.state, st.since, CAST(st.memory AS text) AS remembered,
       o.id AS outage_id, o.started_lo, o.started_hi, o.detected_at
FROM site_state st
JOIN sites s ON s.id = st.site_id AND s.removed_at IS NULL
LEFT JOIN outages o ON o.site_id = s.id AND o.ended_hi IS NULL AND o.retracted_at IS NULL
""")

# For a while only: whoever clears a topic that was empty all along makes Home Assistant write a warning.
_REMOVED = text("""
SELECT slug FROM sites GROUP BY slug
HAVING bool_and(removed_at IS NOT NULL) AND max(removed_at) > now() - interval '30 days'
UNION
SELECT slug FROM former_slugs f
WHERE renamed_at > now() - interval '30 days'
  AND NOT EXISTS (SELECT FROM sites s WHERE s.slug = f.slug AND s.removed_at IS NULL)
""")


@dataclass(frozen=True)
class SiteEntry:
    """A site in the registry; `place` is what the core knows of it, but for the maintenance `windows`."""

    id: int
    name: str
    place: Place = field(default_factory=Place)
    windows: tuple[Window, ...] = ()

    def at(self, now: datetime) -> Place:
        """What the core is told at `now`: the place with the maintenance of the near future and of late."""
        if not self.windows:
            return self.place
        known = spans(self.windows, now - MAINTENANCE_BEHIND, now + MAINTENANCE_AHEAD)
        return msgspec.structs.replace(self.place, maintenance=known)


@dataclass(frozen=True)
class Tick:
    """When a detector was last known to run, and since when it had been watching, or else blind, then (UTC)."""

    at: datetime
    since: datetime | None
    blind_since: datetime | None


async def load_registry(session: AsyncSession) -> dict[str, SiteEntry]:
    """All live sites by slug, with the devices that stand for them, their rules and maintenance."""
    rows = (await session.execute(_REGISTRY)).all()
    windows = await windows_by_site(session)
    return {
        row.slug: SiteEntry(
            row.id,
            row.name,
            Place(
                devices=row.devices if isinstance(row.devices, dict) else msgspec.json.decode(row.devices),
                rule=Rule(row.rule),
                k=row.k or 1,
                parent=row.parent,
                public=row.public,
                confirm_off=_seconds(row.confirm_off_s),
                confirm_on=_seconds(row.confirm_on_s),
            ),
            tuple(windows.get(row.slug, ())),
        )
        for row in rows
    }


async def load_devices(session: AsyncSession) -> dict[str, DeviceState]:
    """What was stored of each device."""
    rows = await session.execute(_DEVICES)
    return {
        row.device_id: msgspec.json.decode(row.remembered, type=DeviceState) if row.remembered else _device(row)
        for row in rows
    }


async def load_sites(session: AsyncSession) -> dict[str, SiteState]:
    """What was stored of each site, with its open outage."""
    rows = await session.execute(_SITES)
    return {
        row.slug: msgspec.json.decode(row.remembered, type=SiteState) if row.remembered else _site(row) for row in rows
    }


async def load_removed(session: AsyncSession) -> set[str]:
    """Slugs that sites bore until they were removed or renamed, and that no live site bears."""
    return {row.slug for row in await session.execute(_REMOVED)}


async def load_tick(session: AsyncSession) -> Tick | None:
    """When a detector was last known to run."""
    row = (
        await session.execute(
            text(
                "SELECT at, since, CAST(details ->> 'blind_since' AS timestamptz) AS blind_since "
                "FROM service_ticks WHERE service = :service"
            ),
            {"service": TICK},
        )
    ).one_or_none()
    return Tick(row.at, row.since, row.blind_since) if row is not None else None


async def save_tick(session: AsyncSession, now: datetime, since: datetime | None, details: bytes) -> None:
    """Note that we run, since when we have been watching (None: we are blind), and by what rules (JSON)."""
    await session.execute(_SAVE_TICK, {"service": TICK, "at": now, "since": since, "details": details.decode()})


async def save_devices(
    session: AsyncSession, states: Mapping[str, tuple[DeviceState, datetime | None]], now: datetime
) -> None:
    """Store device states and when each is due; ids that are no longer registered are passed over."""
    # In order of id, so that two writers cannot lock each other out.
    pairs = sorted(states.items())
    found = [state for _, (state, _) in pairs]
    columns: dict[str, list[Any]] = {
        "device_id": [name for name, _ in pairs],
        "liveness": [state.liveness.value for state in found],
        "boot": [state.boot for state in found],
        "previous_boot": [state.previous_boot for state in found],
        "conn": [state.conn for state in found],
        "seq": [state.seq for state in found],
        "interval_s": [state.interval_s for state in found],
        "last_proof_at": [state.last_proof_at for state in found],
        "lost_at": [state.lost_at for state in found],
        "lost_by": [state.lost_by.value if state.lost_by else None for state in found],
        "paused_at": [state.paused_at for state in found],
        "deadline_at": [deadline for _, (_, deadline) in pairs],
        "memory": [msgspec.json.encode(state).decode() for state in found],
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
                await save_devices(session, {effect.device: (effect.state, None)}, now)
            case GapSeen():
                await session.execute(
                    _SAVE_GAP,
                    {"started": effect.started_at, "ended": effect.ended_at, "reason": effect.reason},
                )
            case SiteChanged() if effect.site in site_ids:
                await _save_site(session, site_ids[effect.site], effect.state, now)
            case OutageChanged() if effect.site in site_ids:
                await _save_outage(session, site_ids[effect.site], effect.outage)
            case EventLogged() if effect.site in site_ids and not await _outranked(session, effect.event):
                await log.append(session, site_ids[effect.site], effect.event)
                logged = True
    return logged


async def _outranked(session: AsyncSession, event: PowerEvent) -> bool:
    """Whether a person has corrected this outage, so that what we still find out about it is told no more."""
    if event.kind is not EventKind.OUTAGE_REVISED:
        return False
    values = {"id": event.outage_id, "rev": event.rev, "by_hand": log.BY_HAND}
    found = await session.execute(
        text("SELECT 1 FROM outages WHERE id = :id AND rev >= :by_hand AND rev > :rev"), values
    )
    return found.first() is not None


async def _save_site(session: AsyncSession, site_id: int, state: SiteState, now: datetime) -> None:
    await session.execute(
        _SAVE_SITE,
        {
            "site_id": site_id,
            "power": state.power.value,
            "state": state.state.value,
            "since": state.since,
            "memory": msgspec.json.encode(state).decode(),
            "now": now,
        },
    )


async def _save_outage(session: AsyncSession, site_id: int, outage: Outage) -> None:
    if not outage.over:
        await session.execute(
            _END_FORGOTTEN,
            {"id": outage.id, "site_id": site_id, "lo": outage.started_lo, "detected_at": outage.detected_at},
        )
    await session.execute(
        _SAVE_OUTAGE,
        {
            "id": outage.id,
            "site_id": site_id,
            "rev": outage.rev,
            "cause": outage.cause.value,
            "started_lo": outage.started_lo,
            "started_hi": outage.started_hi,
            "detected_at": outage.detected_at,
            "ended_lo": outage.ended_lo,
            "ended_hi": outage.ended_hi,
            "end_detected_at": outage.end_detected_at,
            "retracted_at": outage.retracted_at,
            "momentary": outage.momentary,
            "reconstructed": outage.reconstructed,
            "maintenance": outage.maintenance,
        },
    )


def _seconds(value: float | None) -> timedelta | None:
    return timedelta(seconds=value) if value is not None else None


def _device(row: Any) -> DeviceState:
    """A device as an earlier version stored it."""
    lost = row.liveness == Liveness.LOST
    proof = row.last_proof_at or row.lost_at
    dark = (
        Dark(1, min(proof, row.lost_at), row.lost_at, boot=row.boot)
        if lost and row.lost_at is not None and proof is not None
        else None
    )
    return DeviceState(
        liveness=Liveness(row.liveness),
        boot=row.boot,
        previous_boot=row.previous_boot,
        conn=row.conn or 0,
        seq=row.seq,
        interval_s=row.interval_s,
        last_proof_at=row.last_proof_at,
        lost_at=row.lost_at,
        lost_by=EvidenceKind(row.lost_by) if row.lost_by else None,
        paused_at=row.paused_at,
        dark=dark,
    )


def _site(row: Any) -> SiteState:
    """A site as an earlier version stored it."""
    # With power there is no outage; one left open lost its end, and the next one closes it.
    outage = (
        Outage(row.outage_id, row.outage_id, row.started_lo, row.started_hi, row.detected_at)
        if row.outage_id and row.power != PowerState.ON
        else None
    )
    return SiteState(power=PowerState(row.power), state=SiteStateWord(row.state), since=row.since, outage=outage)
