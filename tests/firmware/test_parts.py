"""The parts of the firmware that need no broker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts


def test_uptime_goes_on_when_the_ticks_wrap(scripts: Scripts) -> None:
    uptimes = scripts.run("board")["uptimes"]

    assert uptimes == pytest.approx([86_400 * day for day in range(1, 31)], abs=2)


def test_time_is_the_real_epoch_or_null(scripts: Scripts) -> None:
    clock = scripts.run("board")

    assert clock["epoch"] == pytest.approx(time.time(), abs=5)
    assert clock["cold"] is None
