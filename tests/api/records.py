"""Rows as the registry and the detector would write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from svitlo import registry
from svitlo.db.session import Database
from svitlo.ids import uuid7

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

_OUTAGE = text("""
INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, ended_lo, ended_hi, retracted_at,
                     momentary, reconstructed, maintenance)
SELECT :id, id, 1, :cause, :started_lo, :started_hi, :started_hi, :ended, :ended, :retracted_at,
       'momentary' = ANY(:marks), 'reconstructed' = ANY(:marks), 'maintenance' = ANY(:marks)
FROM sites WHERE slug = :site AND removed_at IS NULL
""")

_STATE = text("""
INSERT INTO site_state (site_id, power, state, since, memory, updated_at)
SELECT id, :power, :state, :since, CAST(:memory AS jsonb), :updated_at
FROM sites WHERE slug = :site AND removed_at IS NULL
""")

_LIVENESS = text("""
INSERT INTO device_state (device_id, liveness, interval_s, updated_at) VALUES (:device, :liveness, 10, :at)
""")


class Records:
    """Writes what a test wants to read over HTTP."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def execute(self, statement: str, **values: Any) -> None:
        async with self._database.transaction() as session:
            await session.execute(text(statement), values)

    async def site(self, slug: str, name: str = "", *, public: bool = True, parent: str | None = None) -> None:
        async with self._database.transaction() as session:
            await registry.add_site(session, slug, name or slug, public=public, parent=parent)

    async def remove_site(self, slug: str) -> None:
        async with self._database.transaction() as session:
            await registry.remove_site(session, slug)

    async def state(
        self,
        site: str,
        state: str,
        *,
        power: str | None = None,
        since: datetime | None = NOON,
        at: datetime = NOON,
        memory: str | None = None,
    ) -> None:
        """`memory` is JSON, as the detector keeps it."""
        words = {"site": site, "power": power or state, "state": state, "since": since, "updated_at": at}
        async with self._database.transaction() as session:
            await session.execute(_STATE, words | {"memory": memory})

    async def outage(
        self,
        site: str,
        started: datetime = NOON,
        ended: datetime | None = None,
        *,
        started_hi: datetime | None = None,
        cause: str = "presumed",
        retracted_at: datetime | None = None,
        identity: UUID | None = None,
        marks: Sequence[str] = (),
    ) -> str:
        """`marks` are momentary, reconstructed, maintenance."""
        row = {
            "id": identity or uuid7(started),
            "site": site,
            "cause": cause,
            "started_lo": started,
            "started_hi": started_hi or started,
            "ended": ended,
            "retracted_at": retracted_at,
            "marks": list(marks),
        }
        async with self._database.transaction() as session:
            await session.execute(_OUTAGE, row)
        return str(row["id"])

    async def device(
        self, site: str, device: str, liveness: str | None = None, heard: datetime | None = LONG_AGO
    ) -> None:
        """A board, and since when it is heard."""
        async with self._database.transaction() as session:
            await registry.add_device(session, site, device)
            values = {"device": device, "at": heard}
            await session.execute(text("UPDATE devices SET first_seen_at = :at WHERE id = :device"), values)
            if liveness is not None:
                await session.execute(_LIVENESS, {"device": device, "liveness": liveness, "at": NOON})

    async def gap(self, started: datetime, ended: datetime, reason: str = "link") -> None:
        await self.execute(
            "INSERT INTO observation_gaps (started_at, ended_at, reason) VALUES (:started, :ended, :reason)",
            started=started,
            ended=ended,
            reason=reason,
        )

    async def work(self, site: str, starts_at: datetime, duration_s: int = 3600, **more: Any) -> None:
        """Maintenance."""
        async with self._database.transaction() as session:
            await registry.add_window(
                session, site, starts_at=starts_at, duration_s=duration_s, zone="Europe/Kyiv", **more
            )

    async def key(self, name: str = "reader", kind: str = "read") -> str:
        async with self._database.transaction() as session:
            _, secret = await registry.add_key(session, name, kind)
        assert secret is not None
        return secret

    async def revoke(self, name: str = "reader") -> None:
        async with self._database.transaction() as session:
            await registry.revoke_key(session, name)
