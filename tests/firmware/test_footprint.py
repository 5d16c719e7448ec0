"""What the firmware takes of flash and heap, printed and bounded; that every file compiles is in test_compiles.py."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from svitlo.simulator.micropython import UmqttSource, environment, interpreter
from tests.support.flash import lay_out
from tests.support.footprint import BEATING, Footprint, measure

KIB = 1024


@pytest.fixture(scope="module")
def footprint(umqtt: UmqttSource, tmp_path_factory: pytest.TempPathFactory) -> Footprint:
    found = measure(tmp_path_factory.mktemp("footprint"), umqtt)
    print(f"flash: {sum(found.files.values())} bytes in {len(found.files)} files: {_by_size(found.files)}")
    print(f"heap imported: {sum(found.imported.values())} bytes: {_by_size(found.imported)}")
    print(f"heap running: {found.running} bytes; the largest free piece has {found.largest_free}")
    return found


def test_flash_is_bounded(footprint: Footprint) -> None:
    """A board with 4 MB of flash has a file system of 2 MB: two slots and an update that is loading fit with ease."""
    assert sum(footprint.files.values()) < 72 * KIB
    assert max(footprint.files.values()) < 8 * KIB


def test_heap_is_bounded(footprint: Footprint) -> None:
    """An ESP32 has 56 KiB to begin with; what a connection, a message and TLS bring must find room."""
    assert sum(footprint.imported.values()) < 31 * KIB
    assert footprint.running < 36 * KIB


def test_names_of_the_firmware_fit_the_table_an_esp32_has_for_them(umqtt: UmqttSource, tmp_path: Path) -> None:
    """The next table would take 3.5 KiB: the desktop, whose shims have names too, is forgiven that one only."""
    lay_out(tmp_path)
    done = subprocess.run(
        [*interpreter("200wk", Path(__file__).parent / "names_mpy.py"), *BEATING],
        cwd=tmp_path,
        env=environment(umqtt, tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    before, after = map(int, re.findall(r"n_qstr=(\d+)", done.stdout))
    print(f"names: {after - before} of the firmware, {before} of the desktop")
    assert after - before < 20 + 40 + 80 + 160 + 320


def _by_size(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} {size}" for name, size in sorted(sizes.items(), key=lambda item: -item[1]))
