"""`svitlo device flash` as a person runs it: the stack, a board on a port, and in the end its first heartbeat."""

from __future__ import annotations

import json
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

pytestmark = pytest.mark.timeout(400)

COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    """The stack, with a site and a board of it that was never heard."""
    running = StackUnderTest(tmp_path_factory.mktemp("stack") / "data")
    try:
        running.start(timeout_s=150)
        running.svitlo("site", "add", "home", "--name", "Home")
        running.svitlo("device", "add", "home", "--id", "home-1")
        yield running
    finally:
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
        os.environ.update(TERM="xterm", COLUMNS="100")
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

    # To another door of the broker, without waiting; what is there already stays.
    ca = tmp_path / "ca.der"
    ca.write_bytes(b"0 a certificate")
    wired = ("--port", board.port, "--ethernet", "wt32-eth01", "--led", "2", "--button", "0", "--mains-pin", "34")
    done = flash(stack, "home-1", *wired, "--tls", "--ca", str(ca), "--broker-port", "8884", "--no-wait")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3/4 firmware        2 of " in done.stdout
    files = board.tree()
    assert files["ca.der"] == b"0 a certificate"
    config = json.loads(files["config.json"])
    assert config.pop("password")
    assert len(bytes.fromhex(config.pop("update_key"))) == 32
    assert config == {
        "v": 1,
        "device_id": "home-1",
        "mqtt": {"host": "127.0.0.1", "port": 8884, "tls": True},
        "ethernet": {"board": "wt32-eth01"},
        "interval_s": 10,
        "keepalive_s": 10,
        "pins": {"led": 2, "button": 0},
        "mains": {"kind": "gpio", "pin": 34, "active": "low"},
    }


def test_what_is_missing_is_told_before_the_board_is_touched(stack: StackUnderTest, tmp_path: Path) -> None:
    port = ("--port", str(tmp_path / "ttyUSB9"))
    wifi = ("--ssid", "x", "--wifi-password", "y")

    for arguments, wanted in (
        (("home-2", *port, *wifi), "there is no device 'home-2'; svitlo device list shows what there is"),
        (("home-1", *port), "name the Wi-Fi network with --ssid (and --wifi-password), or the board with --ethernet"),
        (("home-1", *port, "--ssid", "x"), "give the password of x with --wifi-password (an empty one for an open"),
        (("home-1", *port, *wifi, "--ethernet", "wt32-eth01"), "--ssid and --ethernet exclude each other"),
        (("home-1", *port, *wifi, "--tls"), "ca.der cannot be read (No such file or directory): make it with svitlo"),
        (("home-1", *port, *wifi, "--keep-micropython", "--erase"), "--keep-micropython writes no MicroPython"),
        (("home-1", *port, *wifi), f"there is no port {tmp_path}/ttyUSB9; is the board plugged in?"),
    ):
        done = flash(stack, *arguments)
        assert done.returncode == 1
        assert wanted in done.stderr
