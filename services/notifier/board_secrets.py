"""What a new board has to be told, for admins who may see it once: password, broker, claim code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from svitlo import claims
from svitlo.accounts.passwords import derive_password
from svitlo.firmware import update_key
from svitlo.registry import DeviceRow
from svitlo.settings import BrokerAddress

INTERVAL_S = 10


@dataclass(frozen=True, repr=False)
class BoardSecret:
    """A board's password, the broker's address, and its claim code (None where that cannot be made)."""

    broker: str
    password: str
    code: str | None


Secrets = Callable[[DeviceRow], Awaitable[BoardSecret]]
"""Finds what a board has to be told."""


def derived(secret: str, boards: BrokerAddress) -> Secrets:
    """From the master secret. Behind TLS there is no claim code: it would need the authority's certificate."""

    async def find(device: DeviceRow) -> BoardSecret:
        password = derive_password(secret, device.id, device.generation)
        config = {
            "v": 1,
            "device_id": device.id,
            "password": password,
            "update_key": update_key(secret, device.id).hex(),
            "mqtt": {"host": boards.host, "port": boards.port, "tls": boards.tls},
            "interval_s": INTERVAL_S,
            "keepalive_s": INTERVAL_S,
        }
        return BoardSecret(boards.url, password, None if boards.tls else claims.encode(config))

    return find
