"""`svitlo device identify | reboot | update | rotate | orders`: what is asked of boards, and what became of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingest.service import run
from svitlo import registry
from svitlo.db.session import Database
from svitlo.firmware import bundle, update_key
from tests.cli.conftest import CommandLine
from tests.support.broker import Broker
from tests.support.house import let_in
from tests.support.order_board import OrderBoard
from tests.support.service import serving, settings_for


@pytest.fixture
def house(svitlo: CommandLine) -> CommandLine:
    """A house with two boards that were never heard."""

    async def work(session: AsyncSession) -> None:
        await registry.add_site(session, "house", "House")
        await registry.add_device(session, "house", "hall")
        await registry.add_device(session, "house", "attic")

    svitlo.prepare(work)
    return svitlo


def test_a_boards_configuration_holds_its_own_key_for_orders(house: CommandLine) -> None:
    hall, attic = (house("device", "config", name).json["update_key"] for name in ("hall", "attic"))
    assert hall == update_key("x" * 32, "hall").hex() != attic


def change(house: CommandLine, statement: str, **values: Any) -> int:
    """How many rows it changed."""
    changed: list[Any] = []

    async def work(session: AsyncSession) -> None:
        changed.extend(await session.execute(text(f"{statement} RETURNING true"), values))

    house.prepare(work)
    return len(changed)


def heard(house: CommandLine, device: str, ago_s: float = 1, fw: str | None = None) -> None:
    change(
        house,
        "UPDATE devices SET last_seen_at = now() - make_interval(secs => :ago), interval_s = 10, fw = :fw "
        "WHERE id = :id",
        ago=ago_s,
        fw=fw,
        id=device,
    )


@contextmanager
def meanwhile(house: CommandLine, *steps: str) -> Iterator[None]:
    """Something else changes the orders while a command waits for them; each change is there to be seen for a while."""
    done = threading.Event()

    def work() -> None:
        for step in steps:
            while not done.wait(1) and not change(house, f"UPDATE device_orders SET {step}, updated_at = now()"):
                pass

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("kind", ["identify", "reboot"])
def test_an_order_for_a_board_that_is_online_is_one_line(house: CommandLine, kind: str) -> None:
    heard(house, "hall")
    assert house("device", kind, "hall").out == f"hall: {kind} ordered.\n"
    (order,) = house("device", "orders", "--json").json
    assert (order["device_id"], order["kind"], order["state"], order["created_by"]) == ("hall", kind, "waiting", "cli")


def test_of_a_board_that_was_never_heard_it_says_so_and_until_when_the_order_waits(house: CommandLine) -> None:
    said = house("device", "reboot", "hall").out
    assert "the board was never heard, so it waits until 20" in said
    assert "device orders" in said


def test_of_a_board_that_was_not_heard_lately_it_says_when_it_was(house: CommandLine) -> None:
    heard(house, "hall", ago_s=31)
    assert "the board was last heard 20" in house("device", "identify", "hall").out
    heard(house, "attic", ago_s=15)
    assert "last heard" not in house("device", "identify", "attic").out


def test_what_is_ordered_already_is_not_ordered_twice(house: CommandLine) -> None:
    heard(house, "hall")
    house("device", "identify", "hall")
    assert "identify was ordered already (waits for the board)" in house("device", "identify", "hall").out
    assert len(house("device", "orders", "--json").json) == 1


def test_an_update_names_the_version_and_goes_to_those_that_lack_it(house: CommandLine) -> None:
    made = bundle()
    heard(house, "hall", fw="0.0.1")
    heard(house, "attic", fw=made.version)
    assert house("device", "update", "--all").out.splitlines() == [
        f"To firmware {made.version}:",
        "hall: update ordered.",
    ]
    (order,) = house("device", "orders", "hall", "--json").json
    assert (order["kind"], order["version"], order["size"]) == ("update", made.version, len(made.data))
    assert f"attic runs {made.version} already" in house("device", "update", "attic").out
    assert len(house("device", "orders", "--json").json) == 1


def test_when_all_run_it_there_is_nothing_to_order(house: CommandLine) -> None:
    for device in ("hall", "attic"):
        heard(house, device, fw=bundle().version)
    assert house("device", "update", "--all").out == f"Every device runs {bundle().version} already.\n"


def test_force_takes_the_place_of_an_update_that_is_held_back(house: CommandLine) -> None:
    house("device", "update", "hall")
    change(house, "UPDATE device_orders SET text = 'held back: 2 boards failed'")
    assert "held back" in house("device", "update", "hall").out
    assert "update ordered" in house("device", "update", "hall", "--force").out
    assert [o["state"] for o in house("device", "orders", "--json").json] == ["waiting", "cancelled"]


def test_updates_are_called_back_until_they_are_stored(house: CommandLine) -> None:
    house("device", "update", "--all")
    house("device", "reboot", "hall")
    change(house, "UPDATE device_orders SET state = 'stored' WHERE device_id = 'attic' AND kind = 'update'")
    assert house("device", "update", "--all", "--cancel").out == "Cancelled the update of hall.\n"
    assert "nothing to cancel" in house("device", "update", "--all", "--cancel").out
    states = {(o["device_id"], o["kind"]): o["state"] for o in house("device", "orders", "--json").json}
    assert states == {("hall", "update"): "cancelled", ("attic", "update"): "stored", ("hall", "reboot"): "waiting"}


def test_a_rotation_over_the_air_changes_nothing_at_once(house: CommandLine) -> None:
    before = house("device", "config", "hall").json["password"]
    assert "hall: rotate ordered" in house("device", "rotate", "hall", "--over-the-air").out
    assert house("device", "config", "hall").json["password"] == before
    assert house("device", "orders", "--json").json[0]["generation"] == 2


def test_orders_are_listed_with_how_far_they_are(house: CommandLine) -> None:
    assert house("device", "orders").out == "No orders.\n"
    house("device", "update", "hall")
    change(
        house,
        "UPDATE device_orders SET state = 'loading', text = 'goes [on]', "
        "details = details || jsonb_build_object('offset', CAST(details->>'size' AS integer) / 2 + 1)",
    )
    shown = house("device", "orders").out
    for said in ("hall", f"update to {bundle().version}", "loading 50 %", "goes [on]"):
        assert said in shown, said


def test_waiting_ends_with_the_order_and_says_what_came_of_it(house: CommandLine) -> None:
    heard(house, "hall")
    with meanwhile(house, "state = 'sent'", "state = 'done', text = 'the lamp blinks'"):
        outcome = house("device", "identify", "hall", "--wait", "60")
    assert outcome.out.splitlines() == ["hall: identify ordered.", "hall: done (the lamp blinks)."]
    assert outcome.err.splitlines() == ["hall: sent, not answered yet ..."]


@pytest.mark.parametrize(
    ("command", "state", "next_step"),
    [
        (("update", "hall"), "failed", "still runs what it ran before"),
        (("rotate", "hall", "--over-the-air"), "refused", "keeps the password that works"),
        (("reboot", "hall"), "expired", "order it again"),
        (("identify", "hall"), "cancelled", "order it again"),
    ],
)
def test_an_order_that_comes_to_nothing_ends_with_1_and_says_what_to_do(
    house: CommandLine, command: tuple[str, ...], state: str, next_step: str
) -> None:
    with meanwhile(house, f"state = '{state}', text = 'for a reason'"):
        outcome = house.try_("device", *command, "--wait", "60")
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert line.startswith("svitlo: hall: ")
    assert "for a reason" in line
    assert next_step in line


def test_an_order_that_is_not_over_in_time_goes_on_and_the_command_says_how_to_look(house: CommandLine) -> None:
    outcome = house.try_("device", "identify", "hall", "--wait", "0.5")
    assert outcome.code == 1
    assert "not over after 0.5 s, and it goes on" in outcome.err
    assert "device orders hall" in outcome.err
    assert house("device", "orders", "--json").json[0]["state"] == "waiting"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("device identify cellar", "no device 'cellar'"),
        ("device reboot cellar", "no device 'cellar'"),
        ("device update cellar", "no device 'cellar'"),
        ("device rotate cellar --over-the-air", "no device 'cellar'"),
        ("device orders cellar", "no device 'cellar'"),
        ("device update", "their ids, or --all"),
        ("device update hall --all", "their ids, or --all"),
    ],
)
def test_what_cannot_be_ordered_is_one_line(house: CommandLine, given: str, says: str) -> None:
    assert says in house.refused(*given.split())
    assert house("device", "orders", "--json").json == []


def test_there_is_nothing_to_wait_for_where_a_password_changes_at_once(house: CommandLine) -> None:
    assert house.try_("device", "rotate", "hall", "--wait", "5").code == 2


async def test_a_command_reaches_a_real_board_through_ingest(
    house: CommandLine, broker: Broker, database_url: str
) -> None:
    async with Database(database_url) as database:
        await let_in(broker, database)
    settings = settings_for("ingest", broker, database_url)
    board = OrderBoard(broker, "hall")
    async with serving(run, settings), board.living():
        waiting = asyncio.create_task(asyncio.to_thread(house.try_, "device", "identify", "hall", "--wait", "60"))
        command = await board.commanded()
        await board.report(str(command.order), "done", text="blinks")
        outcome = await waiting
    assert outcome.code == 0, outcome.err
    assert "hall: done (blinks)." in outcome.out


def test_on_a_terminal_a_bar_shows_how_much_a_board_has(house: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    heard(house, "hall", fw="0.0.1")
    half = "details = details || jsonb_build_object('offset', CAST(details->>'size' AS integer) / 2)"
    with meanwhile(house, f"state = 'loading', {half}", "state = 'stored'", "state = 'done'"):
        outcome = house("device", "update", "hall", "--wait", "60")
    assert outcome.out.splitlines()[-1] == "hall: done."
    for said in ("hall", "the board loads it", "stored; the board comes back with it", "━"):
        assert said in outcome.err, said
