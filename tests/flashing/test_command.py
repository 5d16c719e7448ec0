"""`svitlo device flash` as a person runs it: the stack, a board on a port, and in the end its first heartbeat."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flashing.conftest import MakeBoard
from tests.support.rom import ESP32, make_image
from tests.support.stack import StackUnderTest

pytestmark = pytest.mark.timeout(240)

COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackUnderTest]:
    running = StackUnderTest(tmp_path / "data")
    running.start()
    yield running
    running.close()


def flash(stack: StackUnderTest, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "svitlo", "device", "flash", *arguments, "--data-dir", str(stack.directory)],
        env={name: value for name, value in os.environ.items() if not name.startswith("SVITLO_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def in_a_terminal(stack: StackUnderTest, answers: list[bytes], *arguments: str) -> tuple[int, str]:
    """Run it with a terminal and a person at it, who types an answer at each question."""
    pid, screen = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", COLUMNS="200")
        os.execv(
            sys.executable,
            [sys.executable, "-m", "svitlo", "device", "flash", *arguments, "--data-dir", str(stack.directory)],
        )
    shown, answered, until = b"", 0, time.monotonic() + 100
    while time.monotonic() < until:
        ready, _, _ = select.select([screen], [], [], 1)
        try:
            shown += os.read(screen, 65_536) if ready else b""
        except OSError:  # the end of a terminal
            break
        if answers and shown[answered:].endswith(b": "):
            answered = len(shown)
            os.write(screen, answers.pop(0) + b"\n")
    os.close(screen)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), COLOURS.sub("", shown.decode())


def test_from_a_bare_board_to_its_first_heartbeat_and_again(
    stack: StackUnderTest, make_board: MakeBoard, tmp_path: Path
) -> None:
    stack.svitlo("site", "add", "home", "--name", "Home")
    stack.svitlo("device", "add", "home", "--id", "home-1")
    image = tmp_path / "micropython.bin"
    image.write_bytes(make_image(ESP32))
    board = make_board()

    done = flash(
        stack, "home-1", "--port", board.port, "--ssid", "Flat 7", "--wifi-password", "a secret", "--image", str(image)
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1/5 board           ESP32, no MicroPython answers\n" in done.stdout
    assert "2/5 MicroPython     MicroPython 1.28.0 written\n" in done.stdout
    assert re.search(r"5/5 first heartbeat received: boot [0-9a-f]{8} \(number 1\), signal -\d+ dBm", done.stdout)
    assert re.search(r"board: .*link: connected to 127\.0\.0\.1:", done.stdout)
    assert "a secret" not in done.stdout + done.stderr

    # The firmware runs now: it says goodbye, is written again, and comes back as another boot.
    code, shown = in_a_terminal(stack, [b"Flat 7", b"another secret"], "home-1", "--port", board.port)

    assert code == 0, shown
    assert "answers as MicroPython 1.28.0" in shown
    assert "said goodbye" in shown
    assert "1 of " in shown  # of all the files only the configuration differs
    assert "first heartbeat received: boot" in shown
    assert "another secret" not in shown
    assert b"another secret" in board.tree()["config.json"]
