"""What the firmware takes of a board: of its flash compiled, of its heap imported and running."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from svitlo.firmware import bundle
from svitlo.simulator.micropython import UmqttSource, environment, interpreter
from tests.support.flash import WORD_SHARE, lay_out
from tests.support.soak import live

SCRIPT = Path(__file__).parents[1] / "firmware" / "heap_mpy.py"
BEATING = ["app", "store", "board", "payloads", "lamp", "button", "net", "link", "journal", "keys", "orders"]
BEATING += ["presence", "supervisor"]
"""The modules every board has in memory while it beats; the others are for set-up, updates and sensors."""


@dataclass(frozen=True)
class Footprint:
    """Bytes: `files` compiled, and of an ESP32's heap `imported` by module and `running` after the first beats.

    Of the heap here half is counted: its blocks, pointers and words are twice as long as the ESP32's. Bytecode and
    texts are not, so a real board takes somewhat more for those, and the firmware must run in less than it has.
    """

    files: dict[str, int]
    imported: dict[str, int]
    running: int
    largest_free: int


def measure(directory: Path, umqtt: UmqttSource) -> Footprint:
    """Import in one board, run in another; seconds. Raises AssertionError with what a board said that failed."""
    first, second = directory / "imports", directory / "runs"
    lay_out(first)
    done = subprocess.run(
        [*interpreter("56wk", SCRIPT), *BEATING],
        cwd=first,
        env=environment(umqtt, first),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    imported = {name: size // WORD_SHARE for name, size in json.loads(done.stdout.splitlines()[-1])}
    life = live(second, umqtt, 100, heap="56wk", sample_every=10)
    empty, last = life.first("empty"), life.samples[-1]
    return Footprint(
        files={name: len(data) for name, data in bundle().files.items()},
        imported=imported,
        running=(last.used - empty.used) // WORD_SHARE,
        largest_free=last.largest // WORD_SHARE,
    )
