"""What reports mean for orders, in every order they may come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.order_rules import FINAL, Pace, Standing, command, due, holds_place, restarted, step
from svitlo.contracts import CommandWord, Report, ReportState, encode
from svitlo.registry import OrderDetails, OrderKind, OrderRow, OrderState

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PACE = Pace()
FORWARD = list(OrderState)[:5]
"""The open states, each further than the one before."""


def an_order(kind: OrderKind = OrderKind.UPDATE, state: OrderState = OrderState.SENT, **details: object) -> OrderRow:
    return OrderRow(
        id=UUID("01a1fdad-065f-7713-bd73-72a3690406a1"),
        device_id="board-1",
        kind=kind,
        state=state,
        details=OrderDetails(**details),  # type: ignore[arg-type]
        text=None,
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW + timedelta(days=7),
        created_by="test",
    )


def a_report(state: ReportState, offset: int | None = None, text: str | None = None) -> Report:
    return Report(v=1, boot="b1", order="01a1fdad-065f-7713-bd73-72a3690406a1", state=state, offset=offset, text=text)


def after(order: OrderRow, said: list[ReportState]) -> list[OrderState]:
    """The states an order goes through."""
    states = [order.state]
    for state in said:
        if (to := step(order, a_report(state), PACE)) is not None:
            order = replace(order, state=to.state)
        states.append(order.state)
    return states


@given(
    kind=st.sampled_from(OrderKind),
    begin=st.sampled_from(FORWARD),
    said=st.lists(st.sampled_from(ReportState), max_size=12),
)
def test_an_order_only_goes_forward_and_its_end_is_its_end(
    kind: OrderKind, begin: OrderState, said: list[ReportState]
) -> None:
    states = after(an_order(kind, begin), said)
    for before, then in pairwise(states):
        if before in FINAL:
            assert then is before
        elif then not in FINAL:
            assert FORWARD.index(then) >= FORWARD.index(before)
    if kind is OrderKind.ROTATE and OrderState.DONE in states:
        assert OrderState.STORED in states
    if kind in (OrderKind.IDENTIFY, OrderKind.REBOOT):
        assert not {OrderState.LOADING, OrderState.STORED} & set(states[1:]) - {begin}


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.EXPIRED, OrderState.DONE, OrderState.FAILED])
@pytest.mark.parametrize("said", list(ReportState))
def test_a_report_of_an_ended_order_means_nothing(state: OrderState, said: ReportState) -> None:
    assert step(an_order(state=state), a_report(said), PACE) is None


def test_an_offset_is_never_past_the_end() -> None:
    to = step(an_order(size=5000), a_report(ReportState.LOADING, 2**31 - 1), PACE)
    assert to is not None
    assert to.offset == 5000


def test_a_board_that_still_loads_is_alive_and_one_that_repeats_what_it_stored_is_no_news() -> None:
    loading = an_order(state=OrderState.LOADING, size=5000)
    to = step(loading, a_report(ReportState.ACCEPTED), PACE)
    assert to is not None
    assert (to.state, to.offset) == (OrderState.LOADING, None)
    stored = an_order(state=OrderState.STORED)
    for said in (ReportState.STORED, ReportState.LOADING, ReportState.ACCEPTED):
        assert step(stored, a_report(said), PACE) is None


@pytest.mark.parametrize(
    ("state", "offset", "setbacks", "final"),
    [
        (OrderState.SENT, 0, 0, False),
        (OrderState.LOADING, 960, 4, False),
        (OrderState.LOADING, 960, 5, True),
        (OrderState.LOADING, 4039, 0, False),
        (OrderState.LOADING, 4040, 0, True),
        (OrderState.STORED, 0, 0, True),
    ],
)
def test_a_board_may_give_up_in_the_middle_some_times_and_with_the_whole_bundle_never(
    state: OrderState, offset: int, setbacks: int, final: bool
) -> None:
    order = an_order(state=state, size=5000, offset=offset, setbacks=setbacks)
    to = step(order, a_report(ReportState.FAILED, text="no data came"), PACE)
    assert to is not None
    assert (to.state, to.setback) == ((OrderState.FAILED, False) if final else (state, True))
    assert to.text == "no data came"


def test_it_is_due_a_minute_after_it_was_sent_or_came_forward() -> None:
    sent = an_order(sent_at=NOW + timedelta(seconds=30))
    assert not due(sent, NOW + timedelta(seconds=89), PACE)
    assert due(sent, NOW + timedelta(seconds=90), PACE)
    answered = replace(an_order(sent_at=NOW), updated_at=NOW + timedelta(seconds=20))
    assert not due(answered, NOW + timedelta(seconds=79), PACE)
    assert due(answered, NOW + timedelta(seconds=80), PACE)


def test_a_silent_board_loses_its_place_sooner_while_it_loads_than_while_it_tries() -> None:
    loading, stored = an_order(state=OrderState.LOADING), an_order(state=OrderState.STORED)
    assert holds_place(loading, NOW + timedelta(seconds=179), PACE)
    assert not holds_place(loading, NOW + timedelta(seconds=180), PACE)
    assert holds_place(stored, NOW + timedelta(seconds=599), PACE)
    assert not holds_place(stored, NOW + timedelta(seconds=600), PACE)


@pytest.mark.parametrize(
    ("kind", "state", "told", "present", "wanted"),
    [
        (OrderKind.REBOOT, OrderState.SENT, "b1", "b2", True),
        (OrderKind.REBOOT, OrderState.SENT, "b1", "b1", False),
        (OrderKind.REBOOT, OrderState.SENT, None, "b1", False),
        (OrderKind.REBOOT, OrderState.WAITING, "b1", "b2", False),
        (OrderKind.IDENTIFY, OrderState.SENT, "b1", "b2", False),
    ],
)
def test_only_a_new_boot_after_it_was_told_so_is_a_restart(
    kind: OrderKind, state: OrderState, told: str | None, present: str, wanted: bool
) -> None:
    standing = Standing(an_order(kind, state, boot=told), online=True, boot=present, generation=1)
    assert restarted(standing) is wanted


def test_a_command_says_what_its_kind_needs_and_no_more() -> None:
    known: dict[str, Any] = {"serial": 7, "version": "1.0", "size": 9, "sha256": "f" * 64, "generation": 2}
    texts = {kind: encode(command(an_order(kind, **known), password="secret")) for kind in OrderKind}
    assert b"secret" in texts[OrderKind.ROTATE]
    assert [kind for kind, text in texts.items() if b"secret" in text] == [OrderKind.ROTATE]
    assert [kind for kind, text in texts.items() if b"sha256" in text] == [OrderKind.UPDATE]
    assert [kind for kind, text in texts.items() if b"serial" in text] == [OrderKind.UPDATE, OrderKind.ROTATE]
    assert {kind.value for kind in OrderKind} == {word.value for word in CommandWord}
