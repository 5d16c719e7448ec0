"""A short soak: some thousand beats with breaks of the connection; `python -m bench firmware_soak` is the long one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from svitlo.simulator.micropython import MicroPythonBoard, UmqttSource
from tests.support.flash import lay_out
from tests.support.hostile import HostileBroker, Session, Step, Treatment, close, instead, of, reset
from tests.support.soak import SCRIPT, Life, live, samples
from tests.support.wait import eventually

BEATS = 3_000
GROWTH = 100.0
"""Bytes a thousand beats; the long soak has a bar of a few. A leak of one small object a beat is 32,000."""
FAILURES = 120


@pytest.mark.parametrize("heap", ["56wk", "44wk", "40wk"])
def test_heap_does_not_grow(heap: str, umqtt: UmqttSource, tmp_path: Path) -> None:
    """The compiled firmware, in an ESP32's heap and in a smaller one."""
    life = live(tmp_path / "board", umqtt, BEATS, heap=heap, cut_every=300, sample_every=20)

    assert len(life.boots) == 1, life.log
    assert life.cut >= 5
    assert life.connections >= life.cut
    assert len(life.steady) > 50
    assert life.growth() < GROWTH, _heap(life)
    assert min(sample.free for sample in life.steady) > 4096, _heap(life)
    assert "Traceback" not in life.log
    assert "MemoryError" not in life.log


def test_connections_that_fail_leave_nothing_behind(umqtt: UmqttSource, tmp_path: Path) -> None:
    """Neither memory nor sockets, however they fail."""
    ways = itertools.cycle(
        [close(), close(2), reset(), reset(3), of(b"\x20\x02\x00\x03", close(4)), instead(b"HTTP/1.1")]
    )
    lay_out(tmp_path)
    with (
        HostileBroker() as broker,
        MicroPythonBoard(
            tmp_path,
            device_id="board",
            password="secret",
            umqtt=umqtt,
            mqtt_port=broker.port,
            interval_s=1,
            keepalive_s=120,
            modules=tmp_path,
            script=SCRIPT,
        ) as board,
    ):
        board.world("sample_ms", 1_000)
        board.start()
        eventually(lambda: len(broker.beats) > 20, 60, "the board beats")
        before, files = samples(board.log_text())[-1], psutil.Process(board.pid).num_fds()

        broker.treat(Step.CONNECT, _each_of(ways), times=FAILURES)
        broker.drop()
        eventually(lambda: not broker.left, 100, "the board has failed often enough")
        known = len(broker.beats)
        eventually(lambda: len(broker.beats) > known + 20, 60, "the board beats again")

        after = samples(board.log_text())[-1]
        assert psutil.Process(board.pid).num_fds() <= files + 1
        assert after.used < before.used + 2_000, board.log_text()
        assert len({beat.body["boot"] for beat in broker.beats}) == 1


def _each_of(ways: Iterator[Treatment]) -> Treatment:
    def treatment(session: Session, answer: bytes) -> bool:
        return next(ways)(session, answer)

    return treatment


def _heap(life: Life) -> str:
    return "\n".join(f"{sample.at_s} s: {sample.used} used, {sample.largest} in one piece" for sample in life.samples)
