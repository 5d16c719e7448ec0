"""The button: what a finger means, and what is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

DOWN, UP = 0, 1
Steps = list[tuple[Any, int]]


def play(scripts: Scripts, steps: Steps, every: int = 10, button: int | None = 0) -> list[tuple[int, str]]:
    (scripts.folder / "script.json").write_text(json.dumps({"button": button, "every": every, "steps": steps}))
    return [(at, word) for at, word in scripts.run("button", "play")]


def words(scripts: Scripts, steps: Steps, every: int = 10, button: int | None = 0) -> list[str]:
    return [word for _, word in play(scripts, steps, every, button)]


@pytest.mark.parametrize("every", [10, 100])
def test_short_press_is_told_on_release(scripts: Scripts, every: int) -> None:
    told = play(scripts, [(UP, 500), (DOWN, 300), (UP, 1000)], every)

    assert [word for _, word in told] == ["short"]
    assert 800 <= told[0][0] <= 800 + 3 * every


@pytest.mark.parametrize("every", [10, 100])
def test_long_press_is_told_once_and_while_it_lasts(scripts: Scripts, every: int) -> None:
    told = play(scripts, [(UP, 500), (DOWN, 9000), (UP, 1000)], every)

    assert [word for _, word in told] == ["long"]
    assert 5500 <= told[0][0] <= 5500 + 3 * every


def test_in_between_is_neither(scripts: Scripts) -> None:
    assert words(scripts, [(UP, 500), (DOWN, 1100), (UP, 500), (DOWN, 4800), (UP, 500)]) == []


def test_each_press_counts(scripts: Scripts) -> None:
    steps: Steps = [(UP, 500), *[(DOWN, 200), (UP, 200)] * 3, (DOWN, 6000), (UP, 100), (DOWN, 100), (UP, 100)]

    assert words(scripts, steps) == ["short", "short", "short", "long", "short"]


def test_held_from_before_the_boot_it_says_nothing_until_released(scripts: Scripts) -> None:
    assert words(scripts, [(DOWN, 20_000), (UP, 500)]) == []
    assert words(scripts, [(DOWN, 200), (UP, 500)]) == []
    assert words(scripts, [(DOWN, 20_000), (UP, 500), (DOWN, 200), (UP, 500)]) == ["short"]


def test_contact_that_bounces_is_one_press(scripts: Scripts) -> None:
    bounce: Steps = [(DOWN, 5), (UP, 5), (DOWN, 5), (UP, 5)]

    assert words(scripts, [(UP, 500), *bounce, (DOWN, 300), *bounce, (UP, 500)], every=5) == ["short"]
    assert words(scripts, [(UP, 500), *bounce, (DOWN, 5500), *bounce, (UP, 500)], every=5) == ["long"]


def test_spike_is_no_press(scripts: Scripts) -> None:
    assert words(scripts, [(UP, 500), (DOWN, 10), (UP, 500)]) == []
    assert words(scripts, [(UP, 500), (DOWN, 15), (UP, 500)], every=5) == []


def test_loop_that_stood_still_counts_anew(scripts: Scripts) -> None:
    assert words(scripts, [(UP, 500), (DOWN, 200), ("stick", 9000), (DOWN, 1500), (UP, 500)]) == []
    assert words(scripts, [(UP, 500), (DOWN, 200), ("stick", 9000), (DOWN, 300), (UP, 500)]) == []
    assert words(scripts, [(UP, 500), (DOWN, 200), ("stick", 9000), (DOWN, 5500), (UP, 500)]) == ["long"]


def test_pin_that_fails_is_survived(scripts: Scripts) -> None:
    assert words(scripts, [("error", 3000), (UP, 500), (DOWN, 200), ("error", 50), (DOWN, 100), (UP, 500)]) == ["short"]
    assert words(scripts, [(UP, 500), (DOWN, 200), ("error", 9000), (UP, 500)]) == []


@pytest.mark.parametrize("button", [None, 99])
def test_without_button_nothing_is_pressed(scripts: Scripts, button: int | None) -> None:
    assert words(scripts, [(UP, 500), (DOWN, 200), (UP, 500), (DOWN, 6000)], button=button) == []
