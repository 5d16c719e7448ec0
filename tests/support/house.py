"""Sites and devices for a test, with their accounts at the broker, and a client that speaks as a board."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt

from svitlo import registry
from svitlo.accounts.dynsec import DynamicSecurity
from svitlo.accounts.sync import sync_accounts, wanted_accounts
from svitlo.db.session import Database
from tests.support.broker import SECRET, Broker, address, admin_password


async def furnish(database: Database, broker: Broker, sites: dict[str, list[str]]) -> None:
    """Add public sites with their devices, and give the devices their accounts."""
    async with database.transaction() as session:
        for site, devices in sites.items():
            await registry.add_site(session, site, site.title(), public=True)
            for device in devices:
                await registry.add_device(session, site, device)
    await let_in(broker, database)


async def let_in(broker: Broker, database: Database) -> None:
    """Give all that is registered its account at the broker."""
    async with database.transaction() as session:
        wanted = await wanted_accounts(session)
    async with DynamicSecurity.connect(address(broker, "svitlo.admin"), admin_password()) as plugin:
        await sync_accounts(plugin, wanted, SECRET)


@asynccontextmanager
async def speaking_as(broker: Broker, username: str, *, will: bytes | None = None) -> AsyncIterator[aiomqtt.Client]:
    """A connection with the account's own credential; with `will`, a retained will on its status topic."""
    where = address(broker, username)
    topic = f"svitlo/devices/{username}/status"
    async with aiomqtt.Client(
        where.host,
        where.port,
        username=where.username,
        password=where.password,
        identifier=username if "." not in username else f"{username}.test",
        timeout=15,
        keepalive=10,
        will=aiomqtt.Will(topic, will, qos=1, retain=True) if will is not None else None,
    ) as client:
        yield client


def heartbeat(seq: int, *, boot: str = "9f3c01ab", conn: int = 1, **more: Any) -> bytes:
    """A heartbeat a board would send."""
    beat = {"v": 1, "boot": boot, "boots": 1, "conn": conn, "seq": seq, "uptime_s": seq, "interval_s": 1}
    return json.dumps(beat | {"reset": "power_on", "fw": "test", "rssi": -50} | more).encode()


def status(state: str, reason: str | None = None, *, boot: str = "9f3c01ab", conn: int = 1) -> bytes:
    """A status a board would send."""
    body: dict[str, Any] = {"v": 1, "state": state, "boot": boot, "conn": conn, "keepalive_s": 10, "interval_s": 1}
    return json.dumps(body | ({"reason": reason} if reason else {})).encode()
