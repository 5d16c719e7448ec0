"""The energy meter: its frames, its silence, and what comes in their stead."""

from __future__ import annotations

import json
import os
import threading
import time
import tty
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.pzem import REQUEST, Pzem, answer, crc16, fault

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

Answer = list[tuple[int, str]]
"""Milliseconds after the question, and bytes in hex."""

SILENCE: Answer = []
GOOD, ALIVE, BAD, SILENT = range(4)


def good(volts: float = 230.0, **more: Any) -> Answer:
    return [(80, answer(volts, **more).hex())]


def play(scripts: Scripts, answers: list[Answer], every: int = 10, **more: Any) -> dict[str, Any]:
    (scripts.folder / "wire.json").write_text(json.dumps({"every": every, "answers": answers, **more}))
    result: dict[str, Any] = scripts.run("pzem", "play")
    return result


def states(result: dict[str, Any]) -> list[bool | None]:
    """The states one after the other, without repetition."""
    found: list[bool | None] = []
    for _, state, _, _ in result["seen"]:
        if not found or state is not found[-1]:
            found.append(state)
    return found


def counts(result: dict[str, Any]) -> list[int]:
    last: list[int] = result["seen"][-1][3]
    return last


def test_frame_of_the_manual() -> None:
    assert crc16(REQUEST[:-2]) == REQUEST[-2:]
    assert answer(230.1)[:5].hex() == "f8041408fd"
    assert len(answer(230.1)) == 25


def test_voltage_is_read_every_two_seconds(scripts: Scripts) -> None:
    result = play(scripts, [good(229.7), good(229.7), good(231.2), good(0.1), good(400.0)], mains=False)

    assert [seen[2] for seen in result["seen"]] == [None, 229.7, 229.7, 231.2, 0.1, 400.0]


def test_every_question_is_the_same(scripts: Scripts) -> None:
    result = play(scripts, [good()] * 6, mains=False)

    assert {question for _, question in result["questions"]} == {REQUEST.hex()}
    times = [at for at, _ in result["questions"]]
    assert all(2000 <= later - earlier <= 2010 for earlier, later in pairwise(times))


@pytest.mark.parametrize(
    "noise",
    [
        [(5, REQUEST.hex()), (80, answer(230.0).hex())],
        [(5, "00ff84f804"), (80, answer(230.0).hex())],
        [(5, "f80414" * 15), (80, answer(230.0).hex())],
        [(5, "00" * 200), (80, answer(230.0).hex())],
        [(20 * i, answer(230.0)[i : i + 1].hex()) for i in range(25)],
        [(80, answer(230.0)[:12].hex()), (300, answer(230.0)[12:].hex() + "ffff")],
        [(80, answer(230.0, address=1).hex())],
    ],
    ids=["echo", "noise before", "false starts", "flood before", "trickle", "two pieces", "its own address"],
)
def test_answer_is_found_in_what_comes(scripts: Scripts, noise: Answer) -> None:
    result = play(scripts, [noise, noise], after=1000)

    assert result["seen"][-1][1:3] == [True, 230.0]
    assert counts(result) == [2, 0, 0, 0]


@pytest.mark.parametrize(
    ("came", "kind"),
    [
        (SILENCE, SILENT),
        ([(80, answer(230.0)[:24].hex())], BAD),
        ([(80, answer(230.0)[:-1].hex() + "00")], BAD),
        ([(80, answer(400.1).hex())], BAD),
        ([(80, "0055aaff" * 60)], BAD),
        ([(80, REQUEST.hex())], BAD),
        ([(80, fault().hex())], ALIVE),
        ([(80, "error")], SILENT),
        ([(0, "fail")], SILENT),
    ],
    ids=[
        "nothing",
        "short",
        "bad CRC",
        "implausible",
        "garbage",
        "echo alone",
        "exception",
        "read fails",
        "write fails",
    ],
)
def test_what_is_no_voltage_is_counted(scripts: Scripts, came: Answer, kind: int) -> None:
    result = play(scripts, [came, came, good(), good()], after=500)

    expected = [2, 0, 0, 0]
    expected[kind] += 2
    assert counts(result) == expected
    assert states(result) == ([None, True] if kind == ALIVE else [None, False, True])
    assert result["seen"][-1][2] == 230.0


def test_late_answer_is_none_to_the_next_question(scripts: Scripts) -> None:
    late = [(1900, answer(111.0).hex())]

    result = play(scripts, [late, good(230.0), good(230.0)], mains=False)

    assert {seen[2] for seen in result["seen"]} == {None, 230.0}
    assert counts(result) == [2, 0, 0, 1]


def test_one_lost_answer_is_no_outage_two_are(scripts: Scripts) -> None:
    result = play(
        scripts, [good(), good(), SILENCE, good(), good(), SILENCE, SILENCE, SILENCE, good(), good()], after=500
    )

    assert states(result) == [None, True, False, True]
    assert [state for _, state in result["told"]] == [False, True]
    (lost, _), (back, _) = result["told"]
    asked = [at for at, _ in result["questions"]]
    assert lost - asked[4] <= 4000, "from the last answer to the word"
    assert back - asked[8] >= 500


def test_low_voltage_is_lost(scripts: Scripts) -> None:
    result = play(scripts, [good(), good(), good(99.9), good(99.9), good(100.0), good(100.0)], after=500)

    assert states(result) == [None, True, False, True]


def test_voltage_grows_old(scripts: Scripts) -> None:
    result = play(scripts, [good(230.0)] + [SILENCE] * 8, mains=False)

    came = next(at for at, _, volts, _ in result["seen"] if volts is not None)
    gone = next(at for at, _, volts, _ in result["seen"] if at > came and volts is None)
    assert 10_000 <= gone - came <= 10_020


def test_voltage_of_before_the_outage_is_not_told_in_it(scripts: Scripts) -> None:
    result = play(scripts, [good(), good(), SILENCE, SILENCE], after=600)

    assert result["seen"][-1][1:3] == [False, None]


def test_meter_that_only_measures_says_nothing_of_the_mains(scripts: Scripts) -> None:
    result = play(scripts, [good(), good(), SILENCE, SILENCE, SILENCE], mains=False)

    assert states(result) == [None]
    assert result["told"] == []


def test_loop_that_stood_still_finds_the_answers_waiting(scripts: Scripts) -> None:
    result = play(scripts, [good()] * 8, sticks=[[at, 5_000] for at in range(2_030, 30_000, 7_000)])

    assert states(result) == [None, True]
    assert counts(result)[SILENT] == 0


@pytest.mark.parametrize("every", [10, 100, 300])
def test_any_pace_of_looks_will_do(scripts: Scripts, every: int) -> None:
    result = play(scripts, [good(), good(), good(), SILENCE, SILENCE], every, after=600)

    assert states(result) == [None, True, False]


@pytest.mark.parametrize("wire", ["socket", "terminal"])
def test_over_the_desktops_uart(scripts: Scripts, wire: str) -> None:
    world = scripts.folder / "world"
    world.mkdir()
    with Pzem(231.5) as meter:
        path = meter.path if wire == "socket" else _terminal()
        (world / "uart-2").write_text(path)

        _, state, volts, _ = scripts.run("pzem", "live", "there", timeout=90)
        assert (state, volts) == (True, 231.5)

        meter.volts = None
        if wire == "socket":
            _, state, volts, found = scripts.run("pzem", "live", "lost", timeout=90)
            assert (state, volts, found[GOOD]) == (False, None, 0)
            assert meter.asked >= 4


def test_wire_that_nobody_is_at_is_silent(scripts: Scripts) -> None:
    _, state, _, found = scripts.run("pzem", "live", "lost", timeout=90)

    assert state is False
    assert found == [0, 0, 0, 2]


def _terminal() -> str:
    """A pseudo-terminal with a meter of 231.5 V at its end."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)

    def serve() -> None:
        pending = b""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            pending += os.read(ours, 64)
            if REQUEST in pending:
                pending = b""
                os.write(ours, answer(231.5))

    threading.Thread(target=serve, daemon=True).start()
    return os.ttyname(theirs)
