"""The watchdog of the desktop bites as the chip's does, and the firmware feeds it only while it turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from svitlo.simulator.micropython import MicroPythonBoard
    from tests.firmware.conftest import BoardMaker, Observer

HANG = Path(__file__).parent / "hang_mpy.py"
LIMIT_MS = 2_000


@pytest.mark.parametrize("way", ["in_a_loop", "in_a_call", "without_memory"])
def test_board_that_hangs_is_bitten_and_boots_again(way: str, make_board: BoardMaker, observer: Observer) -> None:
    board = make_board(script=HANG)
    board.world("watchdog", LIMIT_MS)
    board.world("hang", way)
    board.start()
    first = observer.heartbeat(boots=1).body

    board.restart_after_bite(30)

    second = observer.heartbeat(boots=2, timeout=30).body
    assert second["reset"] == "watchdog"
    assert second["boot"] != first["boot"]
    observer.status("offline", boot=first["boot"], reason="lwt")
    assert f"hangs {way}" in board.log_text()


def test_frozen_board_is_not_bitten_when_it_thaws(board: MicroPythonBoard, observer: Observer) -> None:
    board.world("watchdog", LIMIT_MS)
    board.start()
    boot = observer.heartbeat().body["boot"]

    board.freeze()
    time.sleep(2 * LIMIT_MS / 1000)
    board.thaw()

    observer.heartbeat(boot=boot, since=time.monotonic(), timeout=30)
    assert not (board.directory / "world" / "bitten").exists()


def test_board_that_works_is_never_bitten(
    board: MicroPythonBoard, observer: Observer, wait_until: Callable[..., None]
) -> None:
    """Also while it waits for a broker that is not there: each turn of the back-off feeds."""
    board.world("watchdog", LIMIT_MS)
    board.start()
    boot = observer.heartbeat().body["boot"]

    observer.heartbeat(boot=boot, seq=5)
    assert board.running
    assert board.goodbye() == 0


def test_watchdog_can_be_taken_off(board: MicroPythonBoard, observer: Observer) -> None:
    board.world("watchdog", "off")
    board.start()

    observer.heartbeat(seq=2)
    assert board.goodbye() == 0


def test_board_that_ends_otherwise_is_not_said_to_be_bitten(board: MicroPythonBoard, observer: Observer) -> None:
    board.start()
    observer.heartbeat()
    board.kill()

    with pytest.raises(RuntimeError, match="not by its watchdog"):
        board.restart_after_bite(30)
