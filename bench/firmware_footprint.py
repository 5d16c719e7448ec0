"""What the firmware takes of a board's flash and heap: bars that leave room in an ESP32's 56 KiB."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.figure import Bar, Figure, Sense
from bench.micropython import umqtt
from tests.support.footprint import measure as measure_footprint

FLASH_BAR = 72 * 1024
MODULE_BAR = 8 * 1024
IMPORTED_BAR = 31 * 1024
RUNNING_BAR = 36 * 1024

_SCALED = "half of the 64-bit heap's bytes"


def measure() -> list[Figure]:
    """Sizes in bytes: compiled, imported, running."""
    with tempfile.TemporaryDirectory(prefix="svitlo-bench-") as folder:
        found = measure_footprint(Path(folder), umqtt())
    name, size = max(found.files.items(), key=lambda item: item[1])
    heavy = ", ".join(f"{module} {took}" for module, took in sorted(found.imported.items(), key=lambda item: -item[1]))
    return [
        Figure("flash", sum(found.files.values()), "bytes", Bar(Sense.BELOW, FLASH_BAR), f"{len(found.files)} files"),
        Figure("largest module", size, "bytes", Bar(Sense.BELOW, MODULE_BAR), name),
        Figure("heap, imported", sum(found.imported.values()), "bytes", Bar(Sense.BELOW, IMPORTED_BAR), heavy),
        Figure("heap, running", found.running, "bytes", Bar(Sense.BELOW, RUNNING_BAR), _SCALED),
        Figure("largest free piece", found.largest_free, "bytes", note=f"{_SCALED}, in 56 KiB"),
    ]
