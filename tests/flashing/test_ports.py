"""The board's port is found where there is only one, and what keeps it shut is told in words."""

from __future__ import annotations

import errno
import os
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial  # type: ignore[import-untyped]

from svitlo.flashing.console import Console
from svitlo.flashing.errors import BoardSilentError, FlashError
from svitlo.flashing.ports import Port, choose, explain
from svitlo.flashing.rom import loader

BOARD = Port("/dev/ttyUSB0", "Silicon Labs CP210x", "CP2102 USB to UART Bridge")
OTHER = Port("/dev/ttyACM0", None, "A modem")


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A port with nobody at its other end."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_the_only_board_is_taken() -> None:
    assert choose([OTHER, BOARD]) == BOARD


def test_with_several_boards_one_has_to_be_chosen() -> None:
    second = Port("/dev/ttyUSB1", "FTDI", "UART")
    with pytest.raises(FlashError, match=r"choose one with --port: /dev/ttyUSB0 \(Silicon.*, /dev/ttyUSB1 \(FTDI\)"):
        choose([BOARD, second])


def test_without_a_board_the_cable_is_suspected_and_other_ports_are_named() -> None:
    with pytest.raises(FlashError, match=r"a USB cable that carries data.*$"):
        choose([])
    with pytest.raises(FlashError, match=r"unknown USB ports: /dev/ttyACM0 \(A modem\)"):
        choose([OTHER])


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (serial.SerialException(errno.EACCES, "could not open port: Permission denied"), "usermod -aG dialout"),
        (serial.SerialException(errno.EAGAIN, "Could not exclusively lock port"), "close the other program"),
        (OSError(errno.ENOENT, "No such file"), "is the board plugged in"),
        (OSError(errno.EIO, "Input/output error"), "cannot be used: .*Input/output error"),
    ],
    ids=["permission", "busy", "gone", "other"],
)
def test_what_keeps_a_port_shut_is_told_with_what_to_do(error: OSError, wanted: str) -> None:
    assert explain("/dev/ttyUSB0", error).args[0].startswith(("/dev/ttyUSB0", "there is no port /dev/ttyUSB0"))
    with pytest.raises(FlashError, match=wanted):
        raise explain("/dev/ttyUSB0", error)


def test_a_port_another_program_holds_is_busy(silent_port: str) -> None:
    with serial.Serial(silent_port, exclusive=True):
        with pytest.raises(FlashError, match="is busy"):
            Console(silent_port)
        with pytest.raises(FlashError, match="is busy"), loader(silent_port):
            pass


def test_a_port_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlashError, match=r"there is no port .*/ttyUSB9"):
        Console(str(tmp_path / "ttyUSB9"))


def test_where_nothing_answers_the_button_is_named(silent_port: str) -> None:
    with Console(silent_port) as console:
        assert console.interrupt(print, 0.5) is None
    with pytest.raises(BoardSilentError, match="hold the button BOOT"), loader(silent_port):
        pass
