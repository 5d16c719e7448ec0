"""A short soak: some thousand beats with breaks of the connection; `python -m bench firmware_soak` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from svitlo.simulator.micropython import UmqttSource
from tests.support.soak import Life, live

BEATS = 3_000
GROWTH = 100.0
"""Bytes a thousand beats; the long soak has a bar of a few. A leak of one small object a beat is 32,000."""


@pytest.mark.parametrize("heap", ["56wk", "40wk"])
def test_heap_does_not_grow(heap: str, umqtt: UmqttSource, tmp_path: Path) -> None:
    """The compiled firmware, in an ESP32's heap and in a smaller one."""
    life = live(tmp_path / "board", umqtt, BEATS, heap=heap, cut_every=300, sample_every=20)

    assert len(life.boots) == 1, life.log
    assert life.cut >= 5
    assert life.connections >= life.cut
    assert len(life.steady) > 50
    assert life.growth() < GROWTH, _heap(life)
    assert min(sample.largest for sample in life.steady) > 4096, _heap(life)
    assert "Traceback" not in life.log
    assert "MemoryError" not in life.log


def _heap(life: Life) -> str:
    return "\n".join(f"{sample.at_s} s: {sample.used} used, {sample.largest} in one piece" for sample in life.samples)
