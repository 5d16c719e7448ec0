"""What a board's report means for its order, and when an order is due. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from svitlo.contracts import CHUNK_BYTES, Command, CommandWord, Report
from svitlo.registry import OrderKind, OrderRow, OrderState


@dataclass(frozen=True)
class Pace:
    """How orders are carried out; times in seconds."""

    every_s: float = 2.0
    """How often it is looked for boards that have come online."""
    rest_s: float = 0.2
    """The least time between two looks, however much boards report."""
    resend_s: float = 60.0
    """How long an answer may take until the order is sent again; the board answers with where it stands."""
    slots: int = 3
    """How many boards load or try an update at a time."""
    slot_s: float = 180.0
    """How long a board that says nothing keeps its place among them while it loads."""
    back_s: float = 600.0
    """How long a board may take to come back with what it has stored: twice its own time-out."""
    serving_s: float = 15.0
    """How long a board is served after it last asked for a piece: three times as long as it waits for one."""
    failures: int = 2
    """After so many boards failed with a version, it goes to no more of them."""
    setbacks: int = 5
    """How often a board may give up in the middle of loading until that is the end of it."""
    unanswered: int = 5
    """After so many sends without any answer we say what may be the matter."""


@dataclass(frozen=True)
class Standing:
    """An open order beside its board: whether it is online, its present boot and the generation of its password."""

    order: OrderRow
    online: bool
    boot: str | None
    generation: int


@dataclass(frozen=True)
class Step:
    """What a report changes; `offset` None leaves what is there, `setback` says that the board gave up for now."""

    state: OrderState
    offset: int | None = None
    text: str | None = None
    setback: bool = False


FINAL = (OrderState.DONE, OrderState.REFUSED, OrderState.FAILED)
SIGNED = (OrderKind.UPDATE, OrderKind.ROTATE)

_SHORT = (OrderState.ACCEPTED, *FINAL)
_STATES: dict[OrderKind, tuple[OrderState, ...]] = {
    OrderKind.IDENTIFY: _SHORT,
    OrderKind.REBOOT: _SHORT,
    OrderKind.UPDATE: (OrderState.LOADING, OrderState.STORED, *_SHORT),
    OrderKind.ROTATE: (OrderState.STORED, *_SHORT),
}
"""What a board may say of each kind of order."""

_RANK = {
    state: rank
    for rank, state in enumerate(
        (OrderState.WAITING, OrderState.SENT, OrderState.ACCEPTED, OrderState.LOADING, OrderState.STORED)
    )
}


def step(order: OrderRow, report: Report, pace: Pace) -> Step | None:
    """What `report` means for `order`; None when nothing, as for one that comes twice or too late.

    A board that gives up before it has the whole bundle says nothing against the bundle. It keeps what it has, so the
    order stays open, and is sent again after its time.
    """
    state = OrderState(report.state)
    if not order.open or state not in _STATES[order.kind]:
        return None
    if order.kind is OrderKind.ROTATE and state is OrderState.DONE and order.state is not OrderState.STORED:
        return None  # the broker does not know the new password yet, so nobody can have used it
    if state is OrderState.FAILED and _in_the_middle(order) and order.details.setbacks < pace.setbacks:
        return Step(order.state, text=report.text, setback=True)
    if state in FINAL:
        return Step(state, order.details.size if state is OrderState.DONE else None, report.text)
    if _RANK[state] < _RANK[order.state] or order.state is state is OrderState.STORED:
        # Late, or where it stands once more. That the board still loads is news, what it has stored is not.
        return None if order.state is OrderState.STORED else Step(order.state, text=order.text)
    offset = min(report.offset or 0, order.details.size or 0) if state is OrderState.LOADING else None
    return Step(state, order.details.size if state is OrderState.STORED else offset, report.text)


def _in_the_middle(order: OrderRow) -> bool:
    """Whether a board has not asked for the last piece of its update yet."""
    return (
        order.kind is OrderKind.UPDATE
        and order.state is not OrderState.STORED
        and order.details.offset + CHUNK_BYTES < (order.details.size or 0)
    )


def due(order: OrderRow, now: datetime, pace: Pace) -> bool:
    """Whether an order that was sent wants sending again."""
    last = max(order.updated_at, order.details.sent_at or order.updated_at)
    return now - last >= timedelta(seconds=pace.resend_s)


def holds_place(order: OrderRow, now: datetime, pace: Pace) -> bool:
    """Whether an update that was sent keeps a place among those that go on at a time."""
    patience = pace.back_s if order.state is OrderState.STORED else pace.slot_s
    return now - order.updated_at < timedelta(seconds=patience)


def restarted(standing: Standing) -> bool:
    """Whether a board that was to restart has done so, though its word for it did not reach us."""
    order = standing.order
    return (
        order.kind is OrderKind.REBOOT
        and order.state is not OrderState.WAITING
        and order.details.boot is not None
        and standing.boot != order.details.boot
    )


def command(order: OrderRow, password: str | None = None) -> Command:
    """The order as it goes over the wire, without its MAC; `password` is the new one of a rotation."""
    details, word, name = order.details, CommandWord(order.kind), str(order.id)
    if order.kind is OrderKind.UPDATE:
        assert details.serial is not None
        assert details.version is not None
        assert details.size is not None
        assert details.sha256 is not None
        return Command(
            command=word,
            order=name,
            serial=details.serial,
            version=details.version,
            size=details.size,
            sha256=details.sha256,
        )
    if order.kind is OrderKind.ROTATE:
        assert details.serial is not None
        assert password is not None
        return Command(command=word, order=name, serial=details.serial, password=password)
    return Command(command=word, order=name)
