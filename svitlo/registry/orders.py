"""Orders to devices: what a board is to do, and how far it has come. Ingest sends them and takes the answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.errors import NotFoundError
from svitlo.ids import uuid7
from svitlo.registry.devices import get_device
from svitlo.registry.trail import audit


class OrderKind(StrEnum):
    """What a board can be told to do."""

    IDENTIFY = "identify"
    REBOOT = "reboot"
    UPDATE = "update"
    ROTATE = "rotate"


class OrderState(StrEnum):
    """How far an order has come: the first five are open, the others its end."""

    WAITING = "waiting"
    SENT = "sent"
    ACCEPTED = "accepted"
    LOADING = "loading"
    STORED = "stored"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


OPEN = (OrderState.WAITING, OrderState.SENT, OrderState.ACCEPTED, OrderState.LOADING, OrderState.STORED)

LIFETIMES = {
    OrderKind.IDENTIFY: timedelta(minutes=10),
    OrderKind.REBOOT: timedelta(minutes=10),
    OrderKind.UPDATE: timedelta(days=7),
    OrderKind.ROTATE: timedelta(days=7),
}
"""How long an order waits for its board."""


class OrderDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an order needs to know: of an update the bundle, how much of it is loaded and how often the board gave up
    meanwhile, of a rotation the generation of the new password.

    `sent_at` (UTC) is when it was last sent, `sends` how often; `serial` was given to it when it was first sent, and
    `boot` is the boot the board was in then. With `force` an update goes out where updates are held back.
    """

    version: str | None = None
    size: int | None = None
    sha256: str | None = None
    offset: int = 0
    setbacks: int = 0
    force: bool = False
    generation: int | None = None
    serial: int | None = None
    boot: str | None = None
    sends: int = 0
    sent_at: datetime | None = None


@dataclass(frozen=True)
class OrderRow:
    """An order; times are UTC. `updated_at` is when it last came forward, `text` what there is to say of it."""

    id: UUID
    device_id: str
    kind: OrderKind
    state: OrderState
    details: OrderDetails
    text: str | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    created_by: str

    @property
    def open(self) -> bool:
        """Whether it is still going on."""
        return self.state in OPEN


_FIELDS = tuple(field.name for field in fields(OrderRow))
COLUMNS = ", ".join(f"o.{name}" for name in _FIELDS)
"""The columns of `device_orders o` that `order_of` reads."""

# `open_only` is its own condition, so that the partial index of open orders can serve.
_LIST = f"""
SELECT {COLUMNS} FROM device_orders o
WHERE (CAST(:device AS text) IS NULL OR o.device_id = :device)
  AND (NOT :open_only OR o.state IN ('waiting', 'sent', 'accepted', 'loading', 'stored'))
ORDER BY o.created_at DESC, o.id DESC LIMIT :limit
"""  # noqa: S608 - our own column names

_ADD = text("""
INSERT INTO device_orders (id, device_id, kind, details, created_at, updated_at, expires_at, created_by)
VALUES (:id, :device, :kind, CAST(:details AS jsonb), :now, :now, :expires_at, :actor)
ON CONFLICT (device_id, kind) WHERE state IN ('waiting', 'sent', 'accepted', 'loading', 'stored') DO NOTHING
RETURNING id
""")

_CANCEL = text(f"""
UPDATE device_orders o SET state = 'cancelled', text = :text, updated_at = now()
WHERE o.state IN :states AND o.kind IN :kinds AND o.device_id IN :devices RETURNING {COLUMNS}
""").bindparams(  # noqa: S608 - our own column names
    bindparam("states", expanding=True), bindparam("kinds", expanding=True), bindparam("devices", expanding=True)
)


def order_of(row: Mapping[Any, Any]) -> OrderRow:
    """An order from a row that has `COLUMNS`."""
    values = {name: row[name] for name in _FIELDS}
    values["kind"], values["state"] = OrderKind(values["kind"]), OrderState(values["state"])
    values["details"] = msgspec.convert(values["details"], OrderDetails)
    return OrderRow(**values)


async def list_orders(
    session: AsyncSession, device_id: str | None = None, *, open_only: bool = False, limit: int = 100
) -> list[OrderRow]:
    """Orders, the newest first: of all devices or of one. Raises `NotFoundError`."""
    if device_id is not None:
        await get_device(session, device_id)
    rows = await session.execute(text(_LIST), {"device": device_id, "open_only": open_only, "limit": limit})
    return [order_of(row) for row in rows.mappings()]


async def get_order(session: AsyncSession, order_id: UUID) -> OrderRow:
    """One order. Raises `NotFoundError`."""
    rows = await session.execute(
        text(f"SELECT {COLUMNS} FROM device_orders o WHERE o.id = :id"),  # noqa: S608 - our own column names
        {"id": order_id},
    )
    row = rows.mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"there is no order {order_id}")
    return order_of(row)


async def add_order(
    session: AsyncSession,
    device_id: str,
    kind: OrderKind,
    *,
    now: datetime,
    details: OrderDetails | None = None,
    actor: str = "cli",
) -> tuple[OrderRow, bool]:
    """Order something of a device, and whether the order is new: a device has one open order of a kind at most.

    `now` is aware. Raises `NotFoundError`.
    """
    device = await get_device(session, device_id)
    details = details or OrderDetails()
    if kind is OrderKind.ROTATE:
        details = msgspec.structs.replace(details, generation=device.generation + 1)
    order_id = uuid7(now)
    added = await session.execute(
        _ADD,
        {
            "id": order_id,
            "device": device_id,
            "kind": kind.value,
            "details": encode_details(details),
            "now": now,
            "expires_at": now + LIFETIMES[kind],
            "actor": actor,
        },
    )
    if added.one_or_none() is None:
        found = [order for order in await list_orders(session, device_id, open_only=True) if order.kind is kind]
        if found:
            return found[0], False
        # It has just ended.
        return await add_order(session, device_id, kind, now=now, details=details, actor=actor)
    told = {name: value for name in ("version", "generation") if (value := getattr(details, name)) is not None}
    await audit(session, actor, f"device.{kind.value}.order", device_id, order=str(order_id), **told)
    return await get_order(session, order_id), True


async def cancel_orders(
    session: AsyncSession,
    devices: Iterable[str],
    kinds: Iterable[OrderKind] = tuple(OrderKind),
    *,
    states: Iterable[OrderState] = OPEN,
    reason: str | None = None,
    actor: str = "cli",
) -> list[OrderRow]:
    """Cancel what is open of these kinds in these states; a board that is at it already may still finish."""
    values = {"devices": list(devices), "kinds": [k.value for k in kinds], "states": [s.value for s in states]}
    rows = (await session.execute(_CANCEL, values | {"text": reason})).mappings()
    cancelled = [order_of(row) for row in rows]
    for order in cancelled:
        await audit(session, actor, f"device.{order.kind.value}.cancel", order.device_id, order=str(order.id))
    return cancelled


def encode_details(details: OrderDetails) -> str:
    """As JSON for the database."""
    return msgspec.json.encode(details).decode()
