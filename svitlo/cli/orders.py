"""`svitlo device identify | reboot | update | orders`, and a rotation over the air: what boards are told to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from svitlo.cli.context import AsJson, DataDir, Target, show_json, show_table, shown_command, target, with_session

if TYPE_CHECKING:
    from svitlo.registry import DeviceRow, OrderDetails, OrderKind, OrderRow

Id = Annotated[str, typer.Argument(metavar="ID", help="The device's id.")]
Wait = Annotated[
    float | None,
    typer.Option("--wait", min=0, max=86_400, metavar="SECONDS", help="Wait so long, and say what became of it."),
]

LOOK_EVERY_S = 0.3

_WORDS = {
    "waiting": "waits for the board",
    "sent": "sent, not answered yet",
    "accepted": "the board has it",
    "loading": "the board loads it",
    "stored": "stored; the board comes back with it",
    "done": "done",
    "refused": "refused by the board",
    "failed": "failed",
    "expired": "expired",
    "cancelled": "cancelled",
}

_NEXT = {
    "identify": "order it again once the board is online",
    "reboot": "order it again once the board is online, or unplug the board",
    "update": "the board still runs what it ran before; order it again, or write it over USB",
    "rotate": "the board keeps the password that works; order it again, or change it at once and by hand",
}
"""What a person may do after an order came to nothing."""


def identify(device_id: Id, wait: Wait = None, data_dir: DataDir = None) -> None:
    """Let a board blink, to see which it is."""
    from svitlo.registry import OrderKind

    _order_one(device_id, OrderKind.IDENTIFY, wait, data_dir)


def reboot(device_id: Id, wait: Wait = None, data_dir: DataDir = None) -> None:
    """Restart a board; it says goodbye first, so that is no outage."""
    from svitlo.registry import OrderKind

    _order_one(device_id, OrderKind.REBOOT, wait, data_dir)


def rotate_over_the_air(device_id: str, wait: float | None, data_dir: Path | None) -> None:
    """Give a board a new password; the old one works until the board has stored the new one."""
    from svitlo.registry import OrderKind

    _order_one(device_id, OrderKind.ROTATE, wait, data_dir)


def update(
    device_ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="The devices' ids.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every device that runs another version.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Call back what is not stored yet.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also while updates are held back because boards failed.")
    ] = False,
    wait: Wait = None,
    data_dir: DataDir = None,
) -> None:
    """Bring boards to this server's firmware, over the air; three at a time, each with a way back."""
    from svitlo import registry
    from svitlo.errors import UserError
    from svitlo.firmware import bundle
    from svitlo.registry import OrderDetails, OrderKind

    if every == bool(device_ids):
        raise UserError("say which devices: their ids, or --all")
    where = target(data_dir)

    async def chosen(session: Any) -> list[DeviceRow]:
        if every:
            return await registry.list_devices(session)
        return [await registry.get_device(session, device_id) for device_id in dict.fromkeys(device_ids or ())]

    devices = with_session(where, chosen)
    if cancel:
        _cancel(where, [device.id for device in devices])
        return
    made = bundle()
    wanted = [device for device in devices if device.fw != made.version]
    for device in devices:
        if device not in wanted and not every:
            typer.echo(f"{device.id} runs {made.version} already.")
    if not wanted:
        if every:
            typer.echo(f"Every device runs {made.version} already." if devices else "There are no devices.")
        return
    details = OrderDetails(version=made.version, size=len(made.data), sha256=made.sha256, force=force)
    orders = _order(where, [(device.id, OrderKind.UPDATE) for device in wanted], details)
    typer.echo(f"To firmware {made.version}:")
    _tell_orders(orders, wanted, data_dir)
    _follow(where, orders, wait, data_dir)


def orders(
    device_id: Annotated[str | None, typer.Argument(metavar="ID", help="Only this device's.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List what boards were told to do and what became of it, the newest first."""
    from svitlo import registry

    where = target(data_dir)
    found = with_session(where, lambda session: registry.list_orders(session, device_id, limit=limit))
    if as_json:
        show_json([_plain(order) for order in found])
        return
    rows = [
        (order.device_id, _named(order), _state(order), order.updated_at, order.text or _WORDS[order.state])
        for order in found
    ]
    show_table("Orders", ("device", "order", "state", "since", "what"), rows, "No orders.")


def _order_one(device_id: str, kind: OrderKind, wait: float | None, data_dir: Path | None) -> None:
    from svitlo import registry

    where = target(data_dir)
    device = with_session(where, lambda session: registry.get_device(session, device_id))
    made = _order(where, [(device_id, kind)])
    _tell_orders(made, [device], data_dir)
    _follow(where, made, wait, data_dir)


def _order(
    where: Target, wanted: Sequence[tuple[str, OrderKind]], details: OrderDetails | None = None
) -> list[tuple[OrderRow, bool]]:
    """Order it all in one transaction; each with whether it is new."""
    from svitlo import registry
    from svitlo.clock import utc_now

    async def work(session: Any) -> list[tuple[OrderRow, bool]]:
        now = utc_now()
        if details is not None and details.force:  # in place of those that are held back
            states = [registry.OrderState.WAITING]
            await registry.cancel_orders(
                session, [name for name, _ in wanted], {kind for _, kind in wanted}, states=states
            )
        return [await registry.add_order(session, name, kind, now=now, details=details) for name, kind in wanted]

    return with_session(where, work)


def _cancel(where: Target, devices: list[str]) -> None:
    from svitlo import registry
    from svitlo.registry import OrderKind, OrderState

    states = [OrderState.WAITING, OrderState.SENT, OrderState.ACCEPTED, OrderState.LOADING]

    async def work(session: Any) -> list[OrderRow]:
        return await registry.cancel_orders(session, devices, [OrderKind.UPDATE], states=states)

    called_back = with_session(where, work)
    for order in called_back:
        typer.echo(f"Cancelled the update of {order.device_id}.")
    if not called_back:
        typer.echo("There is nothing to cancel: no update waits or is being loaded.")


def _tell_orders(made: Sequence[tuple[OrderRow, bool]], devices: Sequence[DeviceRow], data_dir: Path | None) -> None:
    """What was ordered, and of boards that were not heard lately that it waits."""
    from svitlo.clock import utc_now

    now, by_id = utc_now(), {device.id: device for device in devices}
    for order, new in made:
        said = f"{order.device_id}: {order.kind.value} {'ordered' if new else 'was ordered already'}"
        if not new:
            said += f" ({order.text or _WORDS[order.state]})"
        if (silence := _silence(by_id[order.device_id], now)) is not None:
            said += f"; {silence}, so it waits until {_local(order.expires_at)}"
        typer.echo(said + ".")
    if any(_silence(device, now) for device in devices):
        typer.echo(f"What becomes of it: {shown_command(data_dir, 'device', 'orders')}")


def _silence(device: DeviceRow, now: datetime) -> str | None:
    """What is to be said of a board that is not online."""
    if device.last_seen_at is None:
        return "the board was never heard"
    if now - device.last_seen_at > timedelta(seconds=max(3 * (device.interval_s or 10), 10)):
        return f"the board was last heard {_local(device.last_seen_at)}"
    return None


def _follow(where: Target, made: Sequence[tuple[OrderRow, bool]], wait: float | None, data_dir: Path | None) -> None:
    """Follow the orders to their ends. Exits with 1 when one came to nothing or is not there in time."""
    if wait is None:
        return
    ends = asyncio.run(_watch(where, [order for order, _ in made], wait))
    good = True
    for order in ends:
        said = f"{order.device_id}: {_WORDS[order.state]}" + (f" ({order.text})" if order.text else "")
        if order.state == "done":
            typer.echo(f"{said}.")
            continue
        good = False
        if order.open:
            orders_command = shown_command(data_dir, "device", "orders", order.device_id)
            typer.echo(f"svitlo: {said}; not over after {wait:g} s, and it goes on: {orders_command}", err=True)
        else:
            typer.echo(f"svitlo: {said}; {_NEXT[order.kind]}", err=True)
    if not good:
        raise typer.Exit(1)


async def _watch(where: Target, made: Sequence[OrderRow], wait: float) -> list[OrderRow]:
    """The orders when all have ended, or after `wait` seconds; progress is shown meanwhile."""
    from svitlo import registry
    from svitlo.db.session import Database

    until = time.monotonic() + wait
    async with Database(where.database_url, pool_size=1) as database:
        with _Progress(made) as progress:
            while True:
                async with database.transaction() as session:
                    now = [await registry.get_order(session, order.id) for order in made]
                progress.show(now)
                left = until - time.monotonic()
                if left <= 0 or not any(order.open for order in now):
                    return now
                await asyncio.sleep(min(LOOK_EVERY_S, left))


class _Progress:
    """A bar for each board on a terminal; elsewhere a line for each change."""

    def __init__(self, made: Sequence[OrderRow]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        console = Console(stderr=True)
        self._bars: Progress | None = None
        self._said = {order.id: order.state for order in made}
        if console.is_terminal:
            columns = (TextColumn("{task.fields[name]}", markup=False), BarColumn(), TextColumn("{task.description}"))
            self._bars = Progress(*columns, console=console, transient=True)
            self._tasks = {
                order.id: self._bars.add_task("", name=order.device_id, total=order.details.size or None)
                for order in made
            }

    def __enter__(self) -> _Progress:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, now: Sequence[OrderRow]) -> None:
        """How far they are."""
        for order in now:
            if self._bars is not None:
                whole = order.details.size or 1
                done = whole if order.state in ("stored", "done") else order.details.offset
                self._bars.update(self._tasks[order.id], completed=done, total=whole, description=_WORDS[order.state])
            elif order.open and self._said[order.id] != order.state:
                typer.echo(f"{order.device_id}: {_WORDS[order.state]} ...", err=True)
            self._said[order.id] = order.state


def _named(order: OrderRow) -> str:
    version = order.details.version
    return f"{order.kind.value} to {version}" if version else order.kind.value


def _state(order: OrderRow) -> str:
    size = order.details.size
    if order.state == "loading" and size:
        return f"loading {100 * order.details.offset // size} %"
    return order.state.value


def _plain(order: OrderRow) -> dict[str, Any]:
    """For programs: without what only the conversation with the board needs."""
    found = asdict(order)
    details = found.pop("details")
    told = {name: getattr(details, name) for name in ("version", "size", "offset", "generation", "sent_at")}
    return found | told


def _local(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


COMMANDS: dict[str, Callable[..., None]] = {
    "identify": identify,
    "reboot": reboot,
    "update": update,
    "orders": orders,
}
