"""A run against a whole board: its loader, its MicroPython, its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svitlo.flashing.errors import BoardSilentError, FlashError, PortLostError
from svitlo.flashing.job import Job, load
from tests.flashing.conftest import MakeBoard, Notes
from tests.support.board_console import Board
from tests.support.rom import ESP32, ESP32_C3, Kind, make_image

FILES = {
    "a/app.mpy": bytes(range(256)) * 20,
    "a/link.mpy": b"\r\n\x03\x04'\xc0" * 300,
    "main.py": b"def run():\n    return 0\n",
    "config.json": '{"password": "é"}'.encode(),
}
"""In place of a firmware; the command's own test takes the real one."""

HANGS = """\
import time
while True:
    time.sleep_ms(200)
"""

MakeJob = Callable[..., Job]


@pytest.fixture
def job(tmp_path: Path) -> MakeJob:
    def make(board: Board, **options: Any) -> Job:
        given = tmp_path / "image.bin"
        given.write_bytes(make_image(board.rom.kind))
        choices: dict[str, Any] = {
            "image": given,
            "files": FILES,
            "cache": tmp_path / "cache",
        } | options
        return Job(board.port, **choices)

    return make


@pytest.mark.parametrize("kind", [ESP32, ESP32_C3], ids=lambda kind: kind.name)
def test_a_blank_board_gets_micropython_and_the_firmware(
    make_board: MakeBoard, job: Callable[..., Job], kind: Kind
) -> None:
    board, notes = make_board(kind), Notes()

    load(job(board), notes).close()

    image = make_image(kind)
    assert board.rom.flash[kind.offset : kind.offset + len(image)] == image
    assert board.tree() == FILES
    assert notes.steps == ["board", "MicroPython", "firmware"]
    assert notes.results[0] == f"{kind.name}, no MicroPython answers"
    assert notes.results[1] == "MicroPython 1.28.0 written"
    assert {title for title, _, _ in notes.bars} == {"write", "copy"}


def test_a_new_enough_micropython_is_kept_and_its_chip_left_running(make_board: MakeBoard, job: MakeJob) -> None:
    board, notes = make_board(image=make_image(ESP32, "1.26.1")), Notes()

    load(job(board), notes).close()

    assert notes.results[:2] == ["ESP32, answers as MicroPython 1.26.1", "MicroPython 1.26.1 is new enough, kept"]
    assert board.rom.commands == []
    assert board.tree() == FILES


def test_an_old_micropython_is_replaced_and_other_files_stay(make_board: MakeBoard, job: MakeJob) -> None:
    board, notes = make_board(image=make_image(ESP32, "1.24.1")), Notes()
    (board.files / "notes.txt").write_text("mine")

    load(job(board), notes).close()

    assert notes.results[:2] == ["ESP32, answers as MicroPython 1.24.1", "MicroPython 1.28.0 written"]
    assert board.rom.erased == 0
    assert board.tree() == FILES | {"notes.txt": b"mine"}


def test_erase_begins_with_an_empty_flash(make_board: MakeBoard, job: MakeJob) -> None:
    board = make_board(image=make_image(ESP32))
    (board.files / "notes.txt").write_text("mine")

    load(job(board, erase=True), Notes()).close()

    assert board.rom.erased == 1
    assert board.tree() == FILES


def test_what_an_older_firmware_left_goes_but_its_boot_counter(make_board: MakeBoard, job: MakeJob) -> None:
    board, notes = make_board(image=make_image(ESP32)), Notes()
    left = ("app.py", "wifi.py", "link.mpy", "b/app.mpy", "a/gone.mpy", "state/slots", "update.part", "ca.der")
    for name in (*left, "state/boots", "lib/mine.py"):
        path = board.files / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)

    load(job(board), notes).close()

    assert board.tree() == FILES | {"state/boots": b"state/boots", "lib/mine.py": b"lib/mine.py"}
    assert notes.results[-1].endswith(f"{len(left)} old ones removed")


def test_a_second_run_writes_only_what_differs(make_board: MakeBoard, job: MakeJob) -> None:
    board, notes = make_board(image=make_image(ESP32)), Notes()
    load(job(board), Notes()).close()
    (board.files / "a" / "app.mpy").write_bytes(b"damaged")

    load(job(board), notes).close()

    assert notes.results[-1].startswith("1 of ")
    assert board.tree() == FILES


def test_a_firmware_that_hangs_is_woken_by_a_reset(make_board: MakeBoard, job: MakeJob) -> None:
    (board := make_board(image=make_image(ESP32))).unplug()
    (board.files / "main.py").write_text(HANGS)
    board, notes = make_board(image=make_image(ESP32)), Notes()
    board.deaf_boots = 1

    load(job(board, answer_s=0.5), notes).close()

    assert notes.results[0] == "ESP32, answers as MicroPython 1.28.0 after a reset"
    assert board.tree() == FILES


def test_a_board_that_resets_as_the_port_opens_is_interrupted_again(make_board: MakeBoard, job: MakeJob) -> None:
    (board := make_board(image=make_image(ESP32))).unplug()
    (board.files / "main.py").write_text(HANGS)
    board, notes = make_board(image=make_image(ESP32)), Notes()
    board.resets_when_opened = True

    load(job(board), notes).close()

    assert notes.results[0] == "ESP32, answers as MicroPython 1.28.0"
    assert board.rom.commands == []
    assert not [line for line in notes.lines if line.startswith(("rst:", "entry"))]


@pytest.mark.parametrize("image", [None, make_image(ESP32)], ids=["while MicroPython is written", "while files are"])
def test_unplugged_in_the_middle_it_can_be_run_again(make_board: MakeBoard, job: MakeJob, image: bytes | None) -> None:
    board = make_board(image=image)
    board.stop_after = 60_000
    with pytest.raises(PortLostError, match="run the same command again"):
        load(job(board, files={"a/app.mpy": bytes(100_000)} | FILES | {"ca.der": bytes(100_000)}), Notes())
    board.unplug()

    board = make_board(image=None if image is None else bytes(image))
    load(job(board), Notes()).close()

    assert board.tree() == FILES


def test_micropython_is_not_written_against_ones_will(make_board: MakeBoard, job: MakeJob) -> None:
    board = make_board(image=make_image(ESP32, "1.24.0"))
    with pytest.raises(FlashError, match=r"MicroPython 1\.24\.0 is too old, the firmware needs 1\.25 or newer"):
        load(job(board, keep_micropython=True), Notes())
    board.unplug()

    blank = make_board()
    with pytest.raises(BoardSilentError, match="leave --keep-micropython out"):
        load(job(blank, keep_micropython=True), Notes())
    assert not {0x02, 0x10, 0xD0}.intersection(blank.rom.commands)


def test_an_image_for_another_chip_is_not_written(make_board: MakeBoard, job: MakeJob, tmp_path: Path) -> None:
    board, other = make_board(), tmp_path / "other.bin"
    other.write_bytes(make_image(ESP32_C3))

    with pytest.raises(FlashError, match=r"other\.bin is for another chip \(its header says 5, ESP32 is 0\)"):
        load(job(board, image=other), Notes())
    assert not {0x02, 0x10, 0xD0}.intersection(board.rom.commands)


def test_the_board_s_own_words_are_shown(make_board: MakeBoard, job: MakeJob) -> None:
    (board := make_board(image=make_image(ESP32))).unplug()
    (board.files / "main.py").write_text("print('wifi: wrong password')\n" + HANGS)
    board, notes = make_board(image=make_image(ESP32)), Notes()

    load(job(board), notes).close()

    assert any("KeyboardInterrupt" in line for line in notes.lines)
    assert not [line for line in notes.lines if line.startswith((">>>", "MicroPython v"))]
