"""Sites, devices, keys: who exists. Every change is written to the audit log in the same transaction."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.contracts import is_slug
from svitlo.errors import AlreadyExistsError, NotFoundError, UserError
from svitlo.ids import random_word

KEY_PREFIX = "svk_"


@dataclass(frozen=True)
class SiteRow:
    """A site as the registry knows it; `devices` are the ids of the boards that stand for it."""

    id: int
    slug: str
    name: str
    parent: str | None
    public: bool
    invite: str
    created_at: datetime
    devices: tuple[str, ...]


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
class KeyRow:
    """A key as the registry knows it (never the key itself)."""

    id: int
    name: str
    kind: str
    generation: int
    created_at: datetime


_SITES = """
SELECT s.id, s.slug, s.name, p.slug AS parent, s.public, s.invite, s.created_at,
       coalesce(array_agg(d.id ORDER BY d.id) FILTER (WHERE d.id IS NOT NULL), '{}') AS devices
FROM sites s
LEFT JOIN sites p ON p.id = s.parent_id
LEFT JOIN site_devices sd ON sd.site_id = s.id
LEFT JOIN devices d ON d.id = sd.device_id AND d.removed_at IS NULL
WHERE s.removed_at IS NULL AND (CAST(:slug AS text) IS NULL OR s.slug = :slug)
GROUP BY s.id, p.slug ORDER BY s.slug
"""

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


async def list_sites(session: AsyncSession, slug: str | None = None) -> list[SiteRow]:
    """All sites (or the one named), by slug."""
    rows = await session.execute(text(_SITES), {"slug": slug})
    return [SiteRow(**{**row, "devices": tuple(row["devices"])}) for row in rows.mappings()]


async def get_site(session: AsyncSession, slug: str) -> SiteRow:
    """One site. Raises `NotFoundError`."""
    found = await list_sites(session, slug)
    if not found:
        raise NotFoundError(f"there is no site {slug!r}; svitlo site list shows what there is")
    return found[0]


async def add_site(
    session: AsyncSession,
    slug: str,
    name: str,
    *,
    parent: str | None = None,
    public: bool = False,
    actor: str = "cli",
) -> SiteRow:
    """Add a site. Raises `UserError` for a bad slug or name, `AlreadyExistsError`, `NotFoundError` (the parent)."""
    _check_slug(slug, "site")
    if not name.strip() or len(name) > 120 or not name.isprintable():
        raise UserError("a site's name must be 1 to 120 printable characters")
    parent_id = (await get_site(session, parent)).id if parent is not None else None
    if await list_sites(session, slug):
        raise AlreadyExistsError(f"there is a site {slug!r} already")
    await session.execute(
        text(
            "INSERT INTO sites (slug, name, parent_id, public, invite) VALUES (:slug, :name, :parent, :public, :invite)"
        ),
        {"slug": slug, "name": name.strip(), "parent": parent_id, "public": public, "invite": random_word(16)},
    )
    await audit(session, actor, "site.add", slug, name=name, parent=parent, public=public)
    return await get_site(session, slug)


async def remove_site(session: AsyncSession, slug: str, *, actor: str = "cli") -> None:
    """Remove a site from sight; its history stays. Raises `NotFoundError`, `UserError` if it has children."""
    site = await get_site(session, slug)
    children = await session.execute(
        text("SELECT slug FROM sites WHERE parent_id = :id AND removed_at IS NULL ORDER BY slug"), {"id": site.id}
    )
    if names := [row.slug for row in children]:
        raise UserError(f"{slug!r} has sites under it ({', '.join(names)}); remove those first")
    await session.execute(text("DELETE FROM site_devices WHERE site_id = :id"), {"id": site.id})
    await session.execute(text("DELETE FROM subscriptions WHERE site_id = :id"), {"id": site.id})
    await session.execute(text("UPDATE sites SET removed_at = now() WHERE id = :id"), {"id": site.id})
    await audit(session, actor, "site.remove", slug)


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
    session: AsyncSession, site: str, device_id: str | None = None, *, actor: str = "cli"
) -> DeviceRow:
    """Add a device for a site; without an id one is made from the site's name.

    A device that exists already is made to stand for this site too. An id that was removed comes back with a new
    generation of its password. Raises `UserError`, `NotFoundError`, `AlreadyExistsError`.
    """
    place = await get_site(session, site)
    if device_id is None:
        device_id = f"{place.slug[:40]}-{random_word(6)}"
    _check_slug(device_id, "device")
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
    await session.execute(
        text("INSERT INTO site_devices (site_id, device_id) VALUES (:site, :device)"),
        {"site": place.id, "device": device_id},
    )
    await session.execute(text("DELETE FROM unknown_devices WHERE device_id = :id"), {"id": device_id})
    await audit(session, actor, "device.add", device_id, site=site)
    return await get_device(session, device_id)


async def rotate_device(session: AsyncSession, device_id: str, *, actor: str = "cli") -> DeviceRow:
    """Give a device a new password (its next generation). Raises `NotFoundError`."""
    await get_device(session, device_id)
    await _next_generation(session, device_id)
    await audit(session, actor, "device.rotate", device_id)
    return await get_device(session, device_id)


async def remove_device(session: AsyncSession, device_id: str, *, actor: str = "cli") -> None:
    """Take a device's credential and places away; its readings stay. Raises `NotFoundError`."""
    await get_device(session, device_id)
    await session.execute(text("DELETE FROM site_devices WHERE device_id = :id"), {"id": device_id})
    await session.execute(text("DELETE FROM device_state WHERE device_id = :id"), {"id": device_id})
    await session.execute(text("UPDATE devices SET removed_at = now() WHERE id = :id"), {"id": device_id})
    await audit(session, actor, "device.remove", device_id)


@dataclass(frozen=True)
class UnknownDeviceRow:
    """A device that talks to us without being registered; times are UTC."""

    id: str
    first_seen_at: datetime
    last_seen_at: datetime
    count: int


async def list_unknown_devices(session: AsyncSession) -> list[UnknownDeviceRow]:
    """Devices heard but not registered, the newest first."""
    rows = await session.execute(
        text(
            "SELECT device_id AS id, first_seen_at, last_seen_at, count FROM unknown_devices "
            "ORDER BY last_seen_at DESC, device_id"
        )
    )
    return [UnknownDeviceRow(**row) for row in rows.mappings()]


async def list_keys(session: AsyncSession) -> list[KeyRow]:
    """All keys in force, by name."""
    rows = await session.execute(
        text("SELECT id, name, kind, generation, created_at FROM api_keys WHERE revoked_at IS NULL ORDER BY name")
    )
    return [KeyRow(**row) for row in rows.mappings()]


async def add_key(session: AsyncSession, name: str, kind: str, *, actor: str = "cli") -> tuple[KeyRow, str | None]:
    """Add a key; returns it and, for the API's kinds, the secret to show once (an `mqtt` key's is derived).

    Raises `UserError`, `AlreadyExistsError`.
    """
    _check_slug(name, "key")
    if kind not in ("read", "admin", "mqtt"):
        raise UserError("a key's kind is read, admin or mqtt")
    if any(key.name == name for key in await list_keys(session)):
        raise AlreadyExistsError(f"there is a key {name!r} already")
    secret = None if kind == "mqtt" else KEY_PREFIX + secrets.token_urlsafe(24)
    used = await session.execute(
        text("SELECT coalesce(max(generation), 0) FROM api_keys WHERE name = :name"), {"name": name}
    )
    await session.execute(
        text("INSERT INTO api_keys (name, kind, hash, generation) VALUES (:name, :kind, :hash, :generation)"),
        {
            "name": name,
            "kind": kind,
            "hash": hash_key(secret) if secret else None,
            # Revoked and made anew, a name gets another password.
            "generation": int(used.scalar_one()) + 1,
        },
    )
    await audit(session, actor, "key.add", name, kind=kind)
    return next(key for key in await list_keys(session) if key.name == name), secret


async def revoke_key(session: AsyncSession, name: str, *, actor: str = "cli") -> KeyRow:
    """Revoke a key at once. Raises `NotFoundError`."""
    key = next((key for key in await list_keys(session) if key.name == name), None)
    if key is None:
        raise NotFoundError(f"there is no key {name!r}; svitlo key list shows what there is")
    await session.execute(text("UPDATE api_keys SET revoked_at = now() WHERE id = :id"), {"id": key.id})
    await audit(session, actor, "key.revoke", name)
    return key


def hash_key(secret: str) -> str:
    """What the database keeps of an API key: SHA-256 in hex (the key has 192 random bits, so no salt or stretching)."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def audit(session: AsyncSession, actor: str, action: str, target: str, **details: Any) -> None:
    """Note who did what."""
    await session.execute(
        text(
            "INSERT INTO audit_log (actor, action, target, details) "
            "VALUES (:actor, :action, :target, CAST(:details AS jsonb))"
        ),
        {"actor": actor, "action": action, "target": target, "details": json.dumps(details, ensure_ascii=False)},
    )


async def _next_generation(session: AsyncSession, device_id: str) -> None:
    await session.execute(
        text("UPDATE device_credentials SET generation = generation + 1, rotated_at = now() WHERE device_id = :id"),
        {"id": device_id},
    )


def _check_slug(slug: str, what: str) -> None:
    if not is_slug(slug):
        raise UserError(f"{slug!r} cannot be a {what}'s id: use 1 to 48 of a-z, 0-9 and -")
