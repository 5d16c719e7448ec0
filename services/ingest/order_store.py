"""Ingest's SQL for orders to devices."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingest.order_rules import Pace, Standing, Step
from svitlo.contracts import CHUNK_BYTES
from svitlo.registry import OrderDetails, OrderRow, OrderState, audit
from svitlo.registry.orders import COLUMNS, encode_details, order_of

_OPEN = "o.state IN ('waiting', 'sent', 'accepted', 'loading', 'stored')"
_SENT = "o.state IN ('sent', 'accepted', 'loading', 'stored')"

# A board counts as online while it was heard within three of its intervals; last_seen_at is a second late.
_STANDING = f"""
SELECT {COLUMNS}, d.boot, c.generation, coalesce(
  d.last_seen_at > CAST(:now AS timestamptz) - make_interval(secs => greatest(3 * d.interval_s, 10)), false) AS online
FROM device_orders o
JOIN devices d ON d.id = o.device_id
JOIN device_credentials c ON c.device_id = o.device_id
"""  # noqa: S608 - our own column names

# Of the orders that bear a serial a board has one at a time: it would refuse the older one.
_READY = f"""
SELECT * FROM ({_STANDING} WHERE o.state = 'waiting' AND (o.kind = 'update') = :updates AND (
  o.kind NOT IN ('update', 'rotate') OR NOT EXISTS (
    SELECT FROM device_orders f
    WHERE f.device_id = o.device_id AND f.kind IN ('update', 'rotate')
      AND f.state IN ('sent', 'accepted', 'loading', 'stored')
  )
)) AS r WHERE online AND (NOT :forced OR CAST(details->>'force' AS boolean))
ORDER BY created_at, id LIMIT :limit
"""  # noqa: S608 - our own column names

_EXPIRE = text(f"""
UPDATE device_orders o SET
  state = CASE WHEN o.kind = 'update' AND o.state = 'stored' THEN 'failed' ELSE 'expired' END, updated_at = :now,
  text = CASE WHEN o.state = 'waiting' THEN coalesce(o.text, 'the board was not heard in time')
              WHEN o.state = 'stored' THEN 'the board has not come back with what it stored'
              ELSE coalesce(o.text, 'the board did not answer in time') END
WHERE {_OPEN} AND o.expires_at <= :now RETURNING {COLUMNS}
""")  # noqa: S608 - our own column names

_MARK_SENT = text("""
UPDATE device_orders SET
  state = CASE state WHEN 'waiting' THEN 'sent' ELSE state END,
  updated_at = CASE state WHEN 'waiting' THEN CAST(:now AS timestamptz) ELSE updated_at END,
  text = :text, details = CAST(:details AS jsonb)
WHERE id = :id AND state = :state RETURNING id
""")

_SERIAL = text("SELECT max(CAST(details->>'serial' AS bigint)) FROM device_orders WHERE device_id = :device")

_ADVANCE = text("""
UPDATE device_orders SET state = :state, updated_at = :now, text = :text, details = CAST(:details AS jsonb)
WHERE id = :id
""")

# One that stored it and is not back yet may have been broken by it; if it comes back it no longer counts. One that
# never had all of it says nothing of the bundle.
_FAILURES = text("""
SELECT count(DISTINCT o.device_id) FROM device_orders o
WHERE o.kind = 'update' AND o.details->>'sha256' = :sha256
  AND (
    o.state = 'stored' AND o.updated_at <= :back_before
    OR o.state = 'failed'
      AND coalesce(CAST(o.details->>'offset' AS integer), 0) + :piece >= CAST(o.details->>'size' AS integer)
  )
  AND NOT EXISTS (
    SELECT FROM device_orders l WHERE l.device_id = o.device_id AND l.kind = 'update' AND l.state = 'done'
      AND l.details->>'sha256' = :sha256 AND l.created_at > o.created_at
  )
""")

_SAY_HELD = text("""
UPDATE device_orders SET text = CAST(:text AS text)
WHERE kind = 'update' AND state = 'waiting' AND text IS DISTINCT FROM CAST(:text AS text)
  AND (CAST(:text AS text) IS NULL OR NOT coalesce(CAST(details->>'force' AS boolean), false))
""")

_ADOPT = text("""
UPDATE device_credentials SET generation = :generation, rotated_at = now()
WHERE device_id = :device AND generation = :generation - 1 RETURNING generation
""")


def _standing(row: Any) -> Standing:
    return Standing(order_of(row), row["online"], row["boot"], row["generation"])


async def any_open(session: AsyncSession) -> bool:
    """Whether there is anything to do at all."""
    found = await session.execute(text(f"SELECT EXISTS (SELECT FROM device_orders o WHERE {_OPEN})"))  # noqa: S608
    return bool(found.scalar_one())


async def expire(session: AsyncSession, now: datetime) -> list[OrderRow]:
    """End what has waited too long; returns it."""
    return [order_of(row) for row in (await session.execute(_EXPIRE, {"now": now})).mappings()]


async def in_flight(session: AsyncSession, now: datetime) -> list[Standing]:
    """Orders that were sent and have not ended, the oldest first."""
    statement = text(f"{_STANDING} WHERE {_SENT} ORDER BY o.created_at, o.id")
    return [_standing(row) for row in (await session.execute(statement, {"now": now})).mappings()]


async def ready(
    session: AsyncSession, now: datetime, *, updates: bool, forced: bool = False, limit: int = 200
) -> list[Standing]:
    """Orders that wait and whose board is online: updates (only those with `force`), or all others."""
    values = {"now": now, "updates": updates, "forced": forced, "limit": limit}
    return [_standing(row) for row in (await session.execute(text(_READY), values)).mappings()]


async def next_serial(session: AsyncSession, device_id: str, now: datetime) -> int:
    """Unix milliseconds, and more than any serial this device was ever sent."""
    last: int | None = (await session.execute(_SERIAL, {"device": device_id})).scalar_one()
    return max(int(now.timestamp() * 1000), (last or 0) + 1)


async def mark_sent(
    session: AsyncSession, order: OrderRow, details: OrderDetails, note: str | None, now: datetime
) -> bool:
    """Note that an order goes out; False when it is no longer as it was read (cancelled meanwhile)."""
    values = {"id": order.id, "state": order.state.value, "details": encode_details(details), "text": note, "now": now}
    return (await session.execute(_MARK_SENT, values)).one_or_none() is not None


async def find(session: AsyncSession, order_id: UUID, device_id: str) -> OrderRow | None:
    """The device's own order of that id, locked."""
    statement = text(
        f"SELECT {COLUMNS} FROM device_orders o "  # noqa: S608 - our own column names
        "WHERE o.id = :id AND o.device_id = :device FOR UPDATE"
    )
    row = (await session.execute(statement, {"id": order_id, "device": device_id})).mappings().one_or_none()
    return None if row is None else order_of(row)


async def advance(session: AsyncSession, order: OrderRow, to: Step, now: datetime) -> None:
    """Note how far an order has come."""
    offset = order.details.offset if to.offset is None else to.offset
    details = structs.replace(order.details, offset=offset, setbacks=order.details.setbacks + to.setback)
    values = {"id": order.id, "state": to.state.value, "details": encode_details(details), "text": to.text, "now": now}
    await session.execute(_ADVANCE, values)


async def failures(session: AsyncSession, sha256: str, now: datetime, pace: Pace) -> int:
    """How many boards failed with a bundle, or stored it and have not been back for too long."""
    values = {"sha256": sha256, "back_before": now - timedelta(seconds=pace.back_s), "piece": CHUNK_BYTES}
    return int((await session.execute(_FAILURES, values)).scalar_one())


async def updates_wait(session: AsyncSession) -> bool:
    """Whether an update waits, be its board online or not."""
    found = await session.execute(
        text("SELECT EXISTS (SELECT FROM device_orders WHERE kind = 'update' AND state = 'waiting')")
    )
    return bool(found.scalar_one())


async def say_held(session: AsyncSession, reason: str | None) -> None:
    """Tell at every update that waits why it does, or that nothing holds it back (None)."""
    await session.execute(_SAY_HELD, {"text": reason})


async def adopt_password(session: AsyncSession, order: OrderRow) -> bool:
    """Make the rotation's password the device's; False when it is already, or another was made meanwhile."""
    values = {"device": order.device_id, "generation": order.details.generation}
    adopted = (await session.execute(_ADOPT, values)).one_or_none() is not None
    if adopted:
        await audit(session, "ingest", "device.rotate", order.device_id, order=str(order.id))
    return adopted


async def end(session: AsyncSession, order: OrderRow, state: OrderState, reason: str, now: datetime) -> None:
    """End an order by our own knowledge."""
    await advance(session, order, Step(state, text=reason), now)


async def delete_ended(session: AsyncSession, before: date) -> None:
    """Delete the orders that ended before the UTC day `before`."""
    await session.execute(
        text(f"DELETE FROM device_orders o WHERE NOT {_OPEN} AND o.updated_at < CAST(:before AS date)"),  # noqa: S608 - ours
        {"before": before},
    )
