"""Orders to devices: one open of each kind, noted in the audit log, announced, and cancelled with their device."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo import registry
from svitlo.clock import utc_now
from svitlo.db.listen import ORDERS_CHANNEL, Listener
from svitlo.db.session import Database
from svitlo.errors import NotFoundError
from svitlo.registry import OrderDetails, OrderKind, OrderRow, OrderState

T = TypeVar("T")


@pytest.fixture
async def house(database: Database) -> Database:
    async with database.transaction() as session:
        await registry.add_site(session, "home", "Home")
        for device in ("board-1", "board-2"):
            await registry.add_device(session, "home", device)
    return database


async def do(database: Database, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async with database.transaction() as session:
        return await work(session)


async def order(
    database: Database, device: str, kind: OrderKind, details: OrderDetails | None = None
) -> tuple[OrderRow, bool]:
    return await do(database, lambda session: registry.add_order(session, device, kind, now=utc_now(), details=details))


async def orders(database: Database, **given: Any) -> list[OrderRow]:
    return await do(database, lambda session: registry.list_orders(session, **given))


async def test_an_order_waits_with_what_it_needs_to_know(house: Database) -> None:
    details = OrderDetails(version="1.1.0", size=5, sha256="f" * 64)
    made, new = await order(house, "board-1", OrderKind.UPDATE, details)
    assert (new, made.state, made.open, made.details, made.created_by) == (
        True,
        OrderState.WAITING,
        True,
        details,
        "cli",
    )
    assert made.expires_at - made.created_at == timedelta(days=7)
    assert await orders(house) == [made]


@pytest.mark.parametrize("kind", [OrderKind.IDENTIFY, OrderKind.REBOOT])
async def test_what_is_for_now_expires_soon(house: Database, kind: OrderKind) -> None:
    made, _ = await order(house, "board-1", kind)
    assert made.expires_at - made.created_at == timedelta(minutes=10)


async def test_a_device_has_one_open_order_of_a_kind(house: Database) -> None:
    first, _ = await order(house, "board-1", OrderKind.REBOOT)
    assert await order(house, "board-1", OrderKind.REBOOT) == (first, False)
    assert (await order(house, "board-1", OrderKind.IDENTIFY))[1]
    assert (await order(house, "board-2", OrderKind.REBOOT))[1]
    await do(house, lambda session: registry.cancel_orders(session, ["board-1"], [OrderKind.REBOOT]))
    again, new = await order(house, "board-1", OrderKind.REBOOT)
    assert new
    assert again.id != first.id


async def test_two_at_once_make_one_order(house: Database) -> None:
    made = await asyncio.gather(*(order(house, "board-1", OrderKind.IDENTIFY) for _ in range(4)))
    assert [new for _, new in made].count(True) == 1
    assert len({found.id for found, _ in made}) == 1


async def test_the_database_itself_refuses_a_second_open_order(house: Database) -> None:
    await order(house, "board-1", OrderKind.REBOOT)
    with pytest.raises(IntegrityError, match="uq_device_orders_open"):
        await do(
            house,
            lambda session: session.execute(
                text(
                    "INSERT INTO device_orders (id, device_id, kind, expires_at, created_by) "
                    "VALUES (gen_random_uuid(), 'board-1', 'reboot', now(), 'test')"
                )
            ),
        )


@pytest.mark.parametrize("column", ["kind", "state"])
async def test_the_database_itself_refuses_other_words(house: Database, column: str) -> None:
    await order(house, "board-1", OrderKind.REBOOT)
    with pytest.raises(IntegrityError, match="check constraint"):
        await do(house, lambda session: session.execute(text(f"UPDATE device_orders SET {column} = 'odd'")))


async def test_a_rotation_names_the_next_generation_and_never_a_password(house: Database) -> None:
    made, _ = await order(house, "board-1", OrderKind.ROTATE)
    assert made.details == OrderDetails(generation=2)


async def test_changing_the_password_at_once_ends_the_rotation_over_the_air(house: Database) -> None:
    await order(house, "board-1", OrderKind.ROTATE)
    await order(house, "board-1", OrderKind.IDENTIFY)
    await order(house, "board-2", OrderKind.ROTATE)
    await do(house, lambda session: registry.rotate_device(session, "board-1"))
    states = {(o.device_id, o.kind): o.state for o in await orders(house)}
    assert states == {
        ("board-1", "rotate"): "cancelled",
        ("board-1", "identify"): "waiting",
        ("board-2", "rotate"): "waiting",
    }


async def test_a_removed_device_has_nothing_to_do_any_more(house: Database) -> None:
    for kind in OrderKind:
        await order(house, "board-1", kind)
    await order(house, "board-2", OrderKind.IDENTIFY)
    await do(house, lambda session: registry.remove_device(session, "board-1"))
    assert [o.device_id for o in await orders(house, open_only=True)] == ["board-2"]


async def test_only_what_is_asked_for_is_cancelled(house: Database) -> None:
    for device in ("board-1", "board-2"):
        await order(house, device, OrderKind.UPDATE)
    await do(house, lambda s: s.execute(text("UPDATE device_orders SET state = 'stored' WHERE device_id = 'board-2'")))
    both = ["board-1", "board-2"]
    cancelled = await do(
        house,
        lambda session: registry.cancel_orders(
            session, both, [OrderKind.UPDATE], states=[OrderState.WAITING, OrderState.LOADING]
        ),
    )
    assert [(o.device_id, o.state) for o in cancelled] == [("board-1", "cancelled")]


async def test_every_change_is_in_the_audit_log(house: Database) -> None:
    made, _ = await order(house, "board-1", OrderKind.UPDATE, OrderDetails(version="1.1.0"))
    await order(house, "board-1", OrderKind.UPDATE)  # there already: nothing to note
    await do(house, lambda session: registry.cancel_orders(session, ["board-1"]))
    rows = await do(
        house,
        lambda session: session.execute(
            text("SELECT actor, action, target, details FROM audit_log WHERE action LIKE 'device.update.%' ORDER BY id")
        ),
    )
    assert [tuple(row) for row in rows] == [
        ("cli", "device.update.order", "board-1", {"order": str(made.id), "version": "1.1.0"}),
        ("cli", "device.update.cancel", "board-1", {"order": str(made.id)}),
    ]


async def test_nobody_orders_of_a_device_that_is_not_there(house: Database) -> None:
    with pytest.raises(NotFoundError, match="no device 'cellar'"):
        await order(house, "cellar", OrderKind.IDENTIFY)
    with pytest.raises(NotFoundError, match="no device 'cellar'"):
        await orders(house, device_id="cellar")


async def test_a_new_order_is_announced(house: Database, database_url: str) -> None:
    heard = asyncio.Event()
    async with Listener(database_url) as listener:
        await listener.listen(ORDERS_CHANNEL, heard.set)
        await order(house, "board-1", OrderKind.IDENTIFY)
        async with asyncio.timeout(20):
            await heard.wait()
