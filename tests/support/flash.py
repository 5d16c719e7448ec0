"""The firmware as it lies on a board's flash: the launcher, and every other module compiled in slot a."""

from __future__ import annotations

from pathlib import Path

from svitlo.firmware import LAUNCHER, bundle
from svitlo.simulator.micropython import firmware_path

WORD_SHARE = 2
"""How many bytes of this machine's heap stand for one of the ESP32's: 64-bit words, blocks and pointers to 32-bit."""


def lay_out(directory: Path) -> None:
    """Fill a board's directory. `MicroPythonBoard(directory, modules=directory)` then starts from it."""
    slot = directory / "a"
    slot.mkdir(parents=True, exist_ok=True)
    (directory / LAUNCHER).write_bytes((firmware_path() / "micropython" / LAUNCHER).read_bytes())
    for name, data in bundle().files.items():
        (slot / name).write_bytes(data)
