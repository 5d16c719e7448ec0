"""Keys: for the API, and the broker accounts of integrators."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.errors import AlreadyExistsError, NotFoundError, UserError
from svitlo.registry.trail import audit, check_slug

KEY_PREFIX = "svk_"


@dataclass(frozen=True)
class KeyRow:
    """A key as the registry knows it (never the key itself)."""

    id: int
    name: str
    kind: str
    generation: int
    created_at: datetime


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
    check_slug(name, "key")
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
