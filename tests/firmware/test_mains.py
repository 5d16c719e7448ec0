"""Whether the mains is there: the pin, the converter, and what lies between a pulse and a state."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

GPIO = {"kind": "gpio", "pin": 34, "active": "low", "debounce_ms": 60}
ADC = {"kind": "adc", "pin": 35, "lost_below_mv": 1500, "debounce_ms": 60}
DEBOUNCE_MS = 60
BACK_MS = 500
THIRD_MS = DEBOUNCE_MS // 3 + 1
"""The most that a single look counts for."""

Steps = list[list[Any]]


def play(scripts: Scripts, steps: Steps, mains: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    script = {"config": {"mains": mains, **more.pop("config", {})}, "steps": steps, **more}
    (scripts.folder / "script.json").write_text(json.dumps(script))
    result: dict[str, Any] = scripts.run("mains", "play")
    return result


def test_lost_within_a_tenth_of_a_second_and_back_after_half_a_second(scripts: Scripts) -> None:
    result = play(
        scripts,
        [
            ["world", "pin-34", "0"],
            ["poll", 10, 2000],
            ["world", "pin-34", "1"],
            ["poll", 10, 3000],
            ["world", "pin-34", "0"],
            ["poll", 10, 1000],
        ],
        GPIO,
    )

    first, lost, back = result["seen"]
    assert first[1:] == [True, False], "that the mains is there at the start is no news"
    assert lost[1:] == [False, True]
    assert 2000 + DEBOUNCE_MS <= lost[0] <= 2100
    assert back[1:] == [True, True]
    assert 5000 + BACK_MS <= back[0] <= 5520
    assert result["poll_ms"] == 10


def test_start_without_mains_is_told(scripts: Scripts) -> None:
    result = play(scripts, [["world", "pin-34", "1"], ["poll", 10, 1000]], GPIO)

    assert [seen[1:] for seen in result["seen"]] == [[False, True]]


def test_wire_that_came_off_reads_as_lost(scripts: Scripts) -> None:
    assert play(scripts, [["poll", 10, 1000]], GPIO)["state"] is False
    assert play(scripts, [["poll", 10, 1000]], {**GPIO, "active": "high"})["state"] is False


def test_active_high(scripts: Scripts) -> None:
    steps: Steps = [["world", "pin-34", "1"], ["poll", 10, 1000], ["world", "pin-34", "0"], ["poll", 10, 200]]

    assert [seen[1] for seen in play(scripts, steps, {**GPIO, "active": "high"})["seen"]] == [True, False]


@pytest.mark.parametrize(("pulses", "look"), [("~50", 10), ("~100", 10), ("~50", 13), ("~50", 20), ("~50", 100)])
def test_pulses_without_a_capacitor_are_the_mains(scripts: Scripts, pulses: str, look: int) -> None:
    for active, gone in (("low", "1"), ("high", "0")):
        steps: Steps = [["world", "pin-34", pulses], ["poll", look, 60_000]]
        steps += [["world", "pin-34", gone], ["poll", look, 1000]]

        first, lost = play(scripts, steps, {**GPIO, "active": active})["seen"]

        assert first[1:] == [True, False]
        assert lost[1:] == [False, True]
        assert lost[0] <= 60_000 + DEBOUNCE_MS + 4 * look


def test_return_that_bounces_is_told_once(scripts: Scripts) -> None:
    steps: Steps = [["world", "pin-34", "1"], ["poll", 10, 500]]
    for _ in range(5):
        steps += [["world", "pin-34", "0"], ["poll", 10, 300], ["world", "pin-34", "1"], ["poll", 10, 100]]
    steps += [["world", "pin-34", "0"], ["poll", 10, 800]]

    assert [seen[1] for seen in play(scripts, steps, GPIO)["seen"]] == [False, True]


@pytest.mark.parametrize("gap", [61, 200, 1001, 8000, 400_000_000])
def test_loop_that_stood_still_has_not_seen_the_mains_missing(scripts: Scripts, gap: int) -> None:
    steps: Steps = [
        ["world", "pin-34", "0"],
        ["poll", 10, 1000],
        ["world", "pin-34", "1"],
        ["poll", 10, 20],
        ["stick", gap],
        ["poll", 10, 10],
        ["world", "pin-34", "0"],
        ["poll", 10, 1000],
    ]

    assert [seen[1] for seen in play(scripts, steps, GPIO)["seen"]] == [True]


def test_slow_loop_still_notices(scripts: Scripts) -> None:
    steps: Steps = [["world", "pin-34", "0"], ["poll", 200, 3000], ["world", "pin-34", "1"], ["poll", 200, 800]]

    assert [seen[1] for seen in play(scripts, steps, GPIO)["seen"]] == [True, False]


def test_sensor_that_fails_is_survived_and_unknown_in_the_end(scripts: Scripts) -> None:
    result = play(
        scripts,
        [
            ["world", "pin-34", "0"],
            ["poll", 10, 1000],
            ["world", "pin-34", "error"],
            ["poll", 10, 9000],
            ["world", "pin-34", "0"],
            ["poll", 10, 1000],
            ["world", "pin-34", "error"],
            ["poll", 10, 11_000],
            ["world", "pin-34", "0"],
            ["poll", 10, 1000],
            ["world", "pin-34", "1"],
            ["poll", 10, 1000],
        ],
        GPIO,
    )

    assert [seen[1:] for seen in result["seen"]] == [[True, False], [None, False], [True, False], [False, True]]
    assert len(result["lines"]) == 4, "a failure and its end are said once each"


def test_voltage_is_lost_below_and_back_a_tenth_above(scripts: Scripts) -> None:
    steps: Steps = []
    for millivolts in (1600, 1499, 1600, 1660, 1510, 1499):
        steps += [["world", "adc-35", str(millivolts)], ["poll", 10, 1000]]

    result = play(scripts, steps, ADC)

    assert [(seen[1], seen[0] // 1000) for seen in result["seen"]] == [(True, 0), (False, 1), (True, 3), (False, 5)]


def test_converter_that_fails_is_survived(scripts: Scripts) -> None:
    steps: Steps = [["world", "adc-35", "2000"], ["poll", 10, 1000], ["world", "adc-35", "error"], ["poll", 10, 20_000]]

    assert [seen[1:] for seen in play(scripts, steps, ADC)["seen"]] == [[True, False], [None, False]]


PLAIN = "Generic ESP32 module with ESP32"
S3 = "Generic ESP32S3 module with ESP32S3"
C3 = "ESP32C3 module with ESP32C3"


@pytest.mark.parametrize(
    ("chip", "pin", "instead"),
    [(PLAIN, pin, "32 to 39") for pin in (0, 4, 12, 15, 25, 27)]
    + [(S3, 11, "1 to 10"), (S3, 20, "1 to 10"), (C3, 5, "0 to 4")],
)
def test_pin_whose_converter_wifi_takes_is_refused(scripts: Scripts, chip: str, pin: int, instead: str) -> None:
    """MicroPython tells nobody that a conversion failed: it would read as a loss of the mains."""
    result = play(scripts, [["poll", 10, 100]], {**ADC, "pin": pin}, machine=chip)

    assert not result["fitted"]
    assert result["state"] is None
    assert result["lines"] == [f"mains: not used: pin {pin} cannot measure while Wi-Fi is on, take one of {instead}"]


@pytest.mark.parametrize(("chip", "pin"), [(PLAIN, 35), (S3, 4), (S3, 10), (C3, 4), ("linux [GCC 14.2.1] version", 12)])
def test_pin_whose_converter_is_left_alone_is_used(scripts: Scripts, chip: str, pin: int) -> None:
    assert play(scripts, [], {**ADC, "pin": pin}, machine=chip)["fitted"]


def test_a_wired_board_measures_where_it_likes(scripts: Scripts) -> None:
    wired = {"ethernet": {"phy": "LAN8720"}}

    assert play(scripts, [], {**ADC, "pin": 4}, machine=PLAIN, config=wired)["fitted"]


def test_chips_are_told_apart(scripts: Scripts) -> None:
    names = {
        "Generic ESP32 module with ESP32": "",
        "Generic ESP32 module with OTA with ESP32": "",
        "Generic ESP32 module with SPIRAM with ESP32": "",
        "UM TinyPICO with ESP32-PICO-D4": "",
        "ESP32C3 module with ESP32C3": "C3",
        "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3": "S3",
        "LOLIN_S2_MINI with ESP32-S2FN4R2": "S2",
        "M5Stack NanoC6 with ESP32C6": "C6",
        "linux [GCC 14.2.1] version": None,
    }

    assert scripts.run("mains", "chips", *names) == list(names.values())


def test_pin_that_does_not_exist_is_said_and_left_out(scripts: Scripts) -> None:
    result = play(scripts, [["poll", 10, 100]], {**GPIO, "pin": 99})

    assert result["lines"] == ["mains: not used: invalid pin"]
    assert not result["fitted"]


def test_no_sensor_no_state(scripts: Scripts) -> None:
    result = play(scripts, [["poll", 100, 10_000]])

    assert (result["fitted"], result["state"], result["poll_ms"], result["seen"]) == (False, None, 100, [])


class Train:
    """What the pin did, millisecond by millisecond, and when it was looked at."""

    def __init__(self, rng: random.Random, looks: str) -> None:
        self.signal = [bit for _ in range(rng.randint(2, 6)) for bit in _stretch(rng)]
        self.looks: list[int] = []
        self.quiet: list[int] = []
        """For each millisecond, how long ago the signal was active."""
        for bit in self.signal:
            self.quiet.append(0 if bit else (self.quiet[-1] if self.quiet else 0) + 1)
        moment = 0
        while (moment := moment + _pause(rng, looks)) < len(self.signal):
            self.looks.append(moment)

    def __str__(self) -> str:
        rises = [i for i in range(1, len(self.signal)) if self.signal[i] > self.signal[i - 1]]
        risen = [0] * (len(self.signal) + 1)
        for i in rises:
            risen[i + 1] = 1
        total = 0
        for i, new in enumerate(risen):
            total += new
            risen[i] = total
        parts = []
        for before, at in pairwise([0, *self.looks]):
            parts.append(f"{at - before},{self.signal[at]},{int(risen[at + 1] > risen[before + 1])}")
        return " ".join(parts)


def _stretch(rng: random.Random) -> Iterator[int]:
    length = rng.choice((30, 70, 150, 600, 1500))
    kind = rng.choice(("on", "off", "off", "pulses", "pulses", "noise"))
    if kind == "pulses":
        period = rng.choice((10, 20))
        width, phase = rng.randint(1, period - 1), rng.randrange(period)
        return iter([int((i + phase) % period < width) for i in range(length)])
    if kind == "noise":
        return iter([int(rng.random() < 0.02) for _ in range(length)])
    return iter([int(kind == "on")] * length)


def _pause(rng: random.Random, looks: str) -> int:
    if looks == "uneven" and rng.random() < 0.05:
        return rng.choice((70, 150, 400, 1000, 1001, 1500))
    if looks == "slow":
        return rng.randint(90, 250)
    return rng.randint(5, 15)


@pytest.mark.parametrize("looks", ["fast", "slow", "uneven"])
def test_any_train_of_pulses_is_told_as_it_was(scripts: Scripts, looks: str) -> None:
    rng = random.Random(20261121)
    trains = [Train(rng, looks) for _ in range(150)]
    (scripts.folder / "trains").write_text("".join(f"{train}\n" for train in trains))

    scripts.run("mains", "debounce", DEBOUNCE_MS)

    answers = (scripts.folder / "states").read_text().splitlines()
    changes = 0
    for train, states in zip(trains, answers, strict=True):
        assert len(states) == len(train.looks)
        for number, (at, state) in enumerate(zip(train.looks, states, strict=True)):
            before = states[number - 1] if number else "?"
            changes += state != before
            _never_too_early(train, number, before, state, looks)
            _never_too_late(train, number, at, state, looks)
    assert changes > 100


def _never_too_early(train: Train, number: int, before: str, state: str, looks: str) -> None:
    at = train.looks[number]
    if number and at - train.looks[number - 1] > 1000:
        assert state == before, "nothing is known after a stand-still"
    if state == "0" and before != "0":
        # It may have gone just after a look that saw it.
        assert train.quiet[at] >= DEBOUNCE_MS - THIRD_MS
        assert len(_blank(train, number)) >= 3, "a single look proves nothing"
    if state == "1" and before != "1":
        assert at - train.looks[0] >= BACK_MS - 1
        if looks == "fast":
            assert max(train.quiet[at - BACK_MS : at + 1]) < DEBOUNCE_MS + 2 * 15


def _never_too_late(train: Train, number: int, at: int, state: str, looks: str) -> None:
    gaps = [later - earlier for earlier, later in pairwise(_blank(train, number))]
    if max(gaps, default=0) <= 1000 and sum(min(gap, THIRD_MS) for gap in gaps) >= DEBOUNCE_MS:
        assert state == "0", "it was gone at look after look"
    settled = BACK_MS + DEBOUNCE_MS + 30
    if looks == "fast" and at >= settled and max(train.quiet[at - settled : at + 1]) < DEBOUNCE_MS // 2:
        assert state == "1" or not train.signal[at], "it is there for long enough"


def _blank(train: Train, number: int) -> list[int]:
    """The latest looks, up to twenty, since the signal was last active."""
    since = train.looks[number] - train.quiet[train.looks[number]]
    return [look for look in train.looks[max(number - 19, 0) : number + 1] if look > since]
