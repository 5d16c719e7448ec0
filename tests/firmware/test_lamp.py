"""The status LED: what a person sees."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

Steps = list[list[Any]]
STATES = ("boot", "wifi", "broker", "online", "battery", "setup", "update", "denied", "config", "identify")


def play(scripts: Scripts, steps: Steps, led: int | None = 2, **more: Any) -> list[list[int]]:
    (scripts.folder / "script.json").write_text(json.dumps({"led": led, "steps": steps, **more}))
    changes: list[list[int]] = scripts.run("lamp", "play")["changes"]
    return changes


def patterns(scripts: Scripts) -> dict[str, tuple[int, ...] | None]:
    (scripts.folder / "script.json").write_text('{"led": 2, "steps": []}')
    found: dict[str, list[int] | None] = scripts.run("lamp", "play")["patterns"]
    return {name: None if steps is None else tuple(steps) for name, steps in found.items()}


def lengths(changes: list[list[int]]) -> list[int]:
    return [later[0] - earlier[0] for earlier, later in pairwise(changes)]


def test_each_state_has_a_pattern_of_its_own(scripts: Scripts) -> None:
    found = patterns(scripts)

    assert set(found) == set(STATES)
    assert len(set(found.values())) == len(STATES)
    assert all(steps is None or len(steps) % 2 == 0 for steps in found.values())


def test_online_is_discreet_and_trouble_is_not(scripts: Scripts) -> None:
    found = patterns(scripts)

    def lit(name: str) -> float:
        steps = found[name]
        assert steps
        return sum(steps[::2]) / sum(steps)

    assert lit("online") < 0.02
    assert lit("battery") < 0.06, "light is paid for by the battery"
    for name in ("denied", "config"):
        steps = found[name]
        assert steps
        assert lit(name) > 0.4
        assert sum(steps) / (len(steps) / 2) < 500, "restless"


@pytest.mark.parametrize("every", [10, 100])
def test_pattern_is_shown_again_and_again(scripts: Scripts, every: int) -> None:
    changes = play(scripts, [["show", "broker"], ["tick", 9_000]], every=every)

    assert [level for _, level in changes[:6]] == [0, 1, 0, 1, 0, 1]
    found = lengths(changes)[1:]
    for begin in (0, 4, 8, 12):
        assert found[begin : begin + 4] == pytest.approx([150, 200, 150, 1000], abs=every)


def test_short_blink_is_seen_however_slowly_the_loop_turns(scripts: Scripts) -> None:
    changes = play(scripts, [["show", "online"], ["tick", 20_000]], every=300)

    assert len(changes) >= 8


def test_loop_that_stood_still_makes_no_burst(scripts: Scripts) -> None:
    changes = play(scripts, [["show", "wifi"], ["tick", 3_000], ["show", "wifi"]], every=3_000)

    assert len(changes) <= 2


def test_boot_is_steady(scripts: Scripts) -> None:
    assert play(scripts, [["show", "boot"], ["tick", 5_000]]) == [[0, 0], [10, 1]]


def test_inverted_led(scripts: Scripts) -> None:
    straight = play(scripts, [["show", "setup"], ["tick", 5_000]])
    inverted = play(scripts, [["show", "setup"], ["tick", 5_000]], inverted=True)

    assert inverted == [[at, 1 - level] for at, level in straight]


def test_flash_is_over_the_steady_pattern_and_ends(scripts: Scripts) -> None:
    steps: Steps = [["show", "setup"], ["tick", 500], ["flash", "identify", 3_000], ["tick", 1_000]]
    steps += [["show", "boot"], ["tick", 9_000]]

    changes = play(scripts, steps)

    during = [change for change in changes if 600 < change[0] < 3_400]
    assert len(during) > 5
    assert all(length in (100, 500) for length in lengths(during))
    assert all(at <= 3_520 for at, _ in changes), "then the steady one of now"
    assert changes[-1][1] == 1


def test_same_state_again_does_not_begin_anew(scripts: Scripts) -> None:
    steps: Steps = [["show", "online"], ["tick", 1_000]] * 10

    assert [level for _, level in play(scripts, steps)] == [0, 1, 0, 1, 0]


def test_word_nobody_knows_is_dark(scripts: Scripts) -> None:
    assert play(scripts, [["show", "boot"], ["tick", 50], ["show", "?"], ["tick", 5_000]])[-1][1] == 0


def test_without_led_nothing_happens(scripts: Scripts) -> None:
    steps: Steps = [["show", "boot"], ["tick", 100], ["flash", "identify", 50], ["tick", 100]]

    assert play(scripts, steps, None) == []
    assert play(scripts, steps, 34) == []


def test_led_that_fails_is_survived(scripts: Scripts) -> None:
    changes = play(scripts, [["show", "wifi"], ["break"], ["tick", 5_000], ["break"], ["tick", 2_000]])

    assert len(changes) > 3
