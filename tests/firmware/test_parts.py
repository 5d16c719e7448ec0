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


def test_wifi_is_asked_once(scripts: Scripts) -> None:
    result = scripts.run("wifi", "fine", 20)

    assert result["calls"] == ["active True", "connect home"]
    assert result["lines"][0] == "wifi: joining home"
    assert result["lines"][-1] == "wifi: joined, address 10.0.0.2"
    assert "wifi-word" not in "".join(result["lines"])
    assert result["rssi"] is None


def test_wifi_that_does_not_come_is_started_over(scripts: Scripts) -> None:
    calls = scripts.run("wifi", "slow", 50)["calls"]

    assert calls[:6] == ["active True", "connect home", "disconnect", "active False", "active True", "connect home"]


def test_wifi_driver_errors_are_said_and_survived(scripts: Scripts) -> None:
    assert "wifi: Wifi Internal Error" in scripts.run("wifi", "busy", 5)["lines"]
