"""Devices: the boards, and which sites they stand for with what weight."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.errors import AlreadyExistsError, NotFoundError, UserError
from svitlo.ids import random_word
from svitlo.registry.sites import SiteRow, get_site
from svitlo.registry.trail import audit, check_slug


@dataclass(frozen=True)
class DeviceRow:
    """A device as the registry knows it; times are UTC."""

    id: str
    sites: tuple[str, ...]
    created_at: datetime
    last_seen_at: datetime | None
    interval_s: int | None
    fw: str | None
    rssi: int | None
    reset: str | None
    generation: int


@dataclass(frozen=True)
class UnknownDeviceRow:
    """A device that talks to us without being registered; times are UTC."""

    id: str
    first_seen_at: datetime
    last_seen_at: datetime
    count: int


_DEVICES = """
SELECT d.id, d.created_at, d.last_seen_at, d.interval_s, d.fw, d.rssi, d.reset, c.generation,
       coalesce(array_agg(s.slug ORDER BY s.slug) FILTER (WHERE s.id IS NOT NULL), '{}') AS sites
FROM devices d
JOIN device_credentials c ON c.device_id = d.id
LEFT JOIN site_devices sd ON sd.device_id = d.id
LEFT JOIN sites s ON s.id = sd.site_id AND s.removed_at IS NULL
WHERE d.removed_at IS NULL AND (CAST(:id AS text) IS NULL OR d.id = :id)
GROUP BY d.id, c.generation ORDER BY d.id
"""


_DROP_ORDERS = text("""
UPDATE device_orders SET state = 'cancelled', text = :reason, updated_at = now()
WHERE device_id = :id AND (CAST(:kind AS text) IS NULL OR kind = :kind)
  AND state IN ('waiting', 'sent', 'accepted', 'loading', 'stored')
""")


async def list_devices(session: AsyncSession, device_id: str | None = None) -> list[DeviceRow]:
    """All devices (or the one named), by id."""
    rows = await session.execute(text(_DEVICES), {"id": device_id})
    return [DeviceRow(**{**row, "sites": tuple(row["sites"])}) for row in rows.mappings()]


async def get_device(session: AsyncSession, device_id: str) -> DeviceRow:
    """One device. Raises `NotFoundError`."""
    found = await list_devices(session, device_id)
    if not found:
        raise NotFoundError(f"there is no device {device_id!r}; svitlo device list shows what there is")
    return found[0]


async def add_device(
    session: AsyncSession, site: str, device_id: str | None = None, *, weight: int = 1, actor: str = "cli"
) -> DeviceRow:
    """Add a device for a site; without an id one is made from the site's name.

    A device that exists already is made to stand for this site too. An id that was removed comes back with a new
    generation of its password. Raises `UserError`, `NotFoundError`, `AlreadyExistsError`.
    """
    _check_weight(weight)
    place = await get_site(session, site)
    if device_id is None:
        device_id = f"{place.slug[:40]}-{random_word(6)}"
    check_slug(device_id, "device")
    known = (
        await session.execute(text("SELECT removed_at FROM devices WHERE id = :id"), {"id": device_id})
    ).one_or_none()
    if device_id in place.devices:
        raise AlreadyExistsError(f"device {device_id!r} stands for {site!r} already")
    if known is None:
        await session.execute(text("INSERT INTO devices (id) VALUES (:id)"), {"id": device_id})
        await session.execute(
            text("INSERT INTO device_credentials (device_id, generation) VALUES (:id, 1)"), {"id": device_id}
        )
    elif known.removed_at is not None:
        # A clean start: what the old board last said must not be taken for the new one's word.
        await session.execute(text("DELETE FROM device_state WHERE device_id = :id"), {"id": device_id})
        await session.execute(
            text("UPDATE devices SET removed_at = NULL, last_seen_at = NULL WHERE id = :id"), {"id": device_id}
        )
        await _next_generation(session, device_id)
    await _attach(session, place.id, device_id, weight)
    await session.execute(text("DELETE FROM unknown_devices WHERE device_id = :id"), {"id": device_id})
    await audit(session, actor, "device.add", device_id, site=site, weight=weight)
    return await get_device(session, device_id)


async def attach_device(
    session: AsyncSession, device_id: str, site: str, weight: int = 1, *, actor: str = "cli"
) -> DeviceRow:
    """Let a device stand for one more site. Raises `UserError`, `NotFoundError`, `AlreadyExistsError`."""
    _check_weight(weight)
    await get_device(session, device_id)
    place = await get_site(session, site)
    if device_id in place.devices:
        raise AlreadyExistsError(f"device {device_id!r} stands for {site!r} already")
    await _attach(session, place.id, device_id, weight)
    await audit(session, actor, "device.attach", device_id, site=site, weight=weight)
    return await get_device(session, device_id)


async def set_weight(session: AsyncSession, device_id: str, site: str, weight: int, *, actor: str = "cli") -> None:
    """Say how much a device counts at a site, 1 to 100. Raises `UserError`, `NotFoundError`."""
    _check_weight(weight)
    place = await _standing(session, device_id, site)
    await session.execute(
        text("UPDATE site_devices SET weight = :weight WHERE site_id = :site AND device_id = :device"),
        {"weight": weight, "site": place.id, "device": device_id},
    )
    await audit(session, actor, "device.weight", device_id, site=site, weight=weight)


async def detach_device(session: AsyncSession, device_id: str, site: str, *, actor: str = "cli") -> DeviceRow:
    """Let a device stand for a site no more. Raises `NotFoundError`, and `UserError` if it is the device's last."""
    # Two that are taken away at once must not both find the other still there.
    await session.execute(text("SELECT 1 FROM devices WHERE id = :id FOR UPDATE"), {"id": device_id})
    place = await _standing(session, device_id, site)
    if (await get_device(session, device_id)).sites == (site,):
        raise UserError(
            f"{site!r} is the only site of device {device_id!r}; attach it to another first, "
            f"or remove it: svitlo device remove {device_id}"
        )
    await session.execute(
        text("DELETE FROM site_devices WHERE site_id = :site AND device_id = :device"),
        {"site": place.id, "device": device_id},
    )
    await audit(session, actor, "device.detach", device_id, site=site)
    return await get_device(session, device_id)


async def rotate_device(session: AsyncSession, device_id: str, *, actor: str = "cli") -> DeviceRow:
    """Give a device a new password (its next generation). Raises `NotFoundError`."""
    await get_device(session, device_id)
    await _next_generation(session, device_id)
    # Its password is no longer the next one.
    await session.execute(
        _DROP_ORDERS, {"id": device_id, "kind": "rotate", "reason": "the password was changed at once"}
    )
    await audit(session, actor, "device.rotate", device_id)
    return await get_device(session, device_id)


async def remove_device(session: AsyncSession, device_id: str, *, actor: str = "cli") -> None:
    """Take a device's credential and places away; its readings stay. Raises `NotFoundError`."""
    await get_device(session, device_id)
    await session.execute(text("DELETE FROM site_devices WHERE device_id = :id"), {"id": device_id})
    await session.execute(text("DELETE FROM device_state WHERE device_id = :id"), {"id": device_id})
    await session.execute(_DROP_ORDERS, {"id": device_id, "kind": None, "reason": "the device was removed"})
    await session.execute(text("UPDATE devices SET removed_at = now() WHERE id = :id"), {"id": device_id})
    await audit(session, actor, "device.remove", device_id)


async def list_unknown_devices(session: AsyncSession) -> list[UnknownDeviceRow]:
    """Devices heard but not registered, the newest first."""
    rows = await session.execute(
        text(
            "SELECT device_id AS id, first_seen_at, last_seen_at, count FROM unknown_devices "
            "ORDER BY last_seen_at DESC, device_id"
        )
    )
    return [UnknownDeviceRow(**row) for row in rows.mappings()]


async def _next_generation(session: AsyncSession, device_id: str) -> None:
    await session.execute(
        text("UPDATE device_credentials SET generation = generation + 1, rotated_at = now() WHERE device_id = :id"),
        {"id": device_id},
    )


async def _attach(session: AsyncSession, site_id: int, device_id: str, weight: int) -> None:
    await session.execute(
        text("INSERT INTO site_devices (site_id, device_id, weight) VALUES (:site, :device, :weight)"),
        {"site": site_id, "device": device_id, "weight": weight},
    )


async def _standing(session: AsyncSession, device_id: str, site: str) -> SiteRow:
    """The site, if the device stands for it. Raises `NotFoundError`."""
    await get_device(session, device_id)
    place = await get_site(session, site)
    if device_id not in place.devices:
        raise NotFoundError(f"device {device_id!r} does not stand for {site!r}; svitlo site show {site} shows which do")
    return place


def _check_weight(weight: int) -> None:
    if not 1 <= weight <= 100:
        raise UserError("a device's weight is a whole number from 1 to 100")
