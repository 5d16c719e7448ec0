"""Over-the-air updates, on a flash that fails and loses power at any moment, with the real launcher."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from svitlo.firmware import bundle, pack
from tests.firmware.test_launcher import APP, compile_to

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

HEAP_BYTES = 8192
"""What an update may hold between two turns of the main loop, here, where a word has 8 bytes."""


TURN = (("tick", 5), "report")
TRIAL = (("tick", 101), "confirm", "trial?", "report")


class Bench:
    """A board with version 1 in slot a, and a bundle of version 2."""

    def __init__(self, scripts: Scripts) -> None:
        self.folder = scripts.folder
        self._scripts = scripts
        self.files = {}
        for version, slot in (("1", "a"), ("2", "new")):
            compile_to(self.folder / slot / "app.mpy", APP.format(version=version))
            compile_to(self.folder / slot / "part.mpy", f'VERSION = "{version}"\n')
        for file in (self.folder / "new").iterdir():
            self.files[file.name] = file.read_bytes()
            file.unlink()
        self.old = self.slot("a")
        self.data = pack(self.files)

    def order(self, **fields: object) -> dict[str, object]:
        digest = hashlib.sha256(self.data).hexdigest()
        return {"order": "o-1", "version": "2", "size": len(self.data), "sha256": digest, **fields}

    def run(self, mode: str = "boots", *, order: dict[str, object] | None = None, **options: object) -> Any:
        """What update_mpy.py prints."""
        (self.folder / "bundle").write_bytes(self.data)
        (self.folder / "options.json").write_text(json.dumps({"order": order or self.order(), **options}))
        return self._scripts.run("update", mode, timeout=110)

    def boots(self, count: int = 1, **options: Any) -> list[Any]:
        done: list[Any] = self.run(boots=count, **options)["boots"]
        return done

    def slot(self, name: str) -> dict[str, bytes]:
        folder = self.folder / name
        return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}

    @property
    def part(self) -> Path:
        return self.folder / "update.part"

    def steps(self, *steps: Any) -> list[Any]:
        """What each call gave of an Updater that runs in slot a: a name, or (name, argument)."""
        listed = [(step, None) if isinstance(step, str) else step for step in steps]
        said: list[Any] = self.run("steps", steps=listed)
        return said

    def chunk(self, offset: int, size: int = 100) -> tuple[str, object]:
        return ("chunk", (offset, self.data[offset : offset + size].hex()))

    def state(self, **fields: object) -> None:
        state = {"active": "a", "trial": None, "tries": 0, "order": "o-1", "version": "2", "result": None, **fields}
        data = json.dumps(state).encode()
        (self.folder / "state").mkdir()
        (self.folder / "state" / "slots").write_bytes(data + zlib.crc32(data).to_bytes(4, "little"))


@pytest.fixture
def bench(scripts: Scripts) -> Bench:
    return Bench(scripts)


def states(boot: Any) -> list[str]:
    return [report["state"] for report in boot["reports"]]


def ran(boot: Any) -> list[Any]:
    found: list[Any] = boot["ran"]
    return found[0] if found else found


def test_a_new_version_is_loaded_tried_and_kept(bench: Bench) -> None:
    first, second, third = bench.boots(3, chunk=100)

    assert ran(first) == ["1", "a", False]
    assert states(first) == ["accepted", *["loading"] * -(-len(bench.data) // 100), "stored"]
    assert first["state"]["trial"] == "b"
    assert ran(second) == ["2", "b", True]
    assert second["reports"] == [{"order": "o-1", "state": "done"}]
    assert ran(third) == ["2", "b", False]
    assert third["reports"] == []
    assert bench.slot("b") == bench.files
    assert bench.slot("a") == bench.old
    assert not bench.part.exists()


def test_the_next_update_goes_into_the_other_slot(bench: Bench) -> None:
    bench.boots(2)
    compile_to(bench.folder / "new" / "app.mpy", APP.format(version="3"))
    compile_to(bench.folder / "new" / "part.mpy", 'VERSION = "3"\n')
    bench.data = pack({file.name: file.read_bytes() for file in (bench.folder / "new").iterdir()})
    (bench.folder / "a" / "forgotten.mpy").write_bytes(b"of an older version")

    boots = bench.boots(3, order=bench.order(order="o-2", version="3"))

    assert [ran(boot) for boot in boots] == [["2", "b", False], ["3", "a", True], ["3", "a", False]]
    assert sorted(bench.slot("a")) == ["app.mpy", "part.mpy"]


def test_offsets_follow_each_other(bench: Bench) -> None:
    (boot,) = bench.boots(chunk=100)

    offsets = [report["offset"] for report in boot["reports"] if report["state"] == "loading"]
    assert offsets == list(range(0, len(bench.data), 100))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"version": "1"}, "version 1 runs already"),
        ({"version": ""}, "the version must be a text of 1 to 32 characters"),
        ({"version": 2}, "the version must be a text of 1 to 32 characters"),
        ({"size": 0}, "the size must be a whole number"),
        ({"size": True}, "the size must be a whole number"),
        ({"size": "9"}, "the size must be a whole number"),
        ({"sha256": "12"}, "the sha256 must be 64 hex digits"),
        ({"sha256": "z" * 64}, "the sha256 must be 64 hex digits"),
        ({"sha256": None}, "the sha256 must be 64 hex digits"),
    ],
    ids=str,
)
def test_an_order_that_makes_no_sense_is_refused(bench: Bench, fields: dict[str, object], text: str) -> None:
    (boot,) = bench.boots(order=bench.order(**fields))

    assert boot["reports"] == [{"order": "o-1", "state": "refused", "text": text}]


def test_a_bundle_too_big_for_the_flash_is_refused(bench: Bench) -> None:
    need = 2 * len(bench.data) + 65_536

    (boot,) = bench.boots(free=need - 7)
    assert boot["reports"] == [
        {"order": "o-1", "state": "refused", "text": "the flash is too full: 7 bytes more are needed"}
    ]
    (boot,) = bench.boots(free=need)
    assert states(boot)[-1] == "stored"


def test_what_the_last_update_left_makes_room(bench: Bench) -> None:
    (bench.folder / "b").mkdir()
    (bench.folder / "b" / "part.mpy").write_bytes(bytes(500))
    bench.part.write_bytes(bytes(300))

    (boot,) = bench.boots(free=2 * len(bench.data) + 65_536 - 800)

    assert states(boot)[-1] == "stored"


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ("cut", "the bundle is cut short"),
        ("head", "the bundle is cut short"),
        ("folder", "the bundle has a file with a bad name"),
        ("capital", "the bundle has a file with a bad name"),
        ("source", "the bundle has a file with a bad name"),
        ("nameless", "the bundle has a file with a bad name"),
        ("long", "the bundle has a file with a bad name"),
        ("no app", "the bundle has no app.mpy"),
        ("hash", "the data came damaged: wrong SHA-256"),
    ],
)
def test_a_bad_bundle_changes_nothing(bench: Bench, damage: str, text: str) -> None:
    names = {
        "folder": "../a/part.mpy",
        "capital": "Part.mpy",
        "source": "part.py",
        "nameless": ".mpy",
        "long": "p" * 40 + ".mpy",
    }
    if damage == "cut":
        bench.data = bench.data[:-1]
    elif damage == "head":
        bench.data += b"\x08part"
    elif damage in names:
        name = names[damage].encode()
        bench.data += bytes([len(name)]) + name + (3).to_bytes(4, "big") + b"abc"
    elif damage == "no app":
        bench.data = pack({"part.mpy": bench.files["part.mpy"]})
    order = bench.order(sha256="00" * 32) if damage == "hash" else None

    first, second = bench.boots(2, order=order, again=True)

    assert first["reports"][-1] == {"order": "o-1", "state": "failed", "text": text}
    assert bench.slot("b") == {}
    assert bench.slot("a") == bench.old
    assert not bench.part.exists()
    assert ran(second) == ["1", "a", False]


def test_a_wrong_bit_is_found(bench: Bench) -> None:
    (boot,) = bench.boots(chunk=100, spoil=100)

    assert boot["reports"][-1]["text"] == "the data came damaged: wrong SHA-256"


def test_a_silent_server_is_asked_twelve_times(bench: Bench) -> None:
    (boot,) = bench.boots(chunk=100, send=1)

    assert states(boot) == ["accepted", "loading", *["loading"] * 12, "failed"]
    assert boot["reports"][-1]["text"] == "no data came for a minute; another order goes on at byte 100"


def test_the_download_goes_on_where_it_stopped(bench: Bench) -> None:
    bench.boots(chunk=100, send=2)
    assert bench.part.stat().st_size == 32 + 200

    (boot,) = bench.boots(chunk=100)

    assert boot["reports"][1] == {"order": "o-1", "state": "loading", "offset": 200}
    assert states(boot)[-1] == "stored"


def test_the_part_of_another_bundle_is_thrown_away(bench: Bench) -> None:
    bench.part.write_bytes(hashlib.sha256(b"another").digest() + bytes(200))

    (boot,) = bench.boots()

    assert boot["reports"][1]["offset"] == 0
    assert states(boot)[-1] == "stored"


def test_a_trial_that_is_not_heard_is_given_up(bench: Bench) -> None:
    boots = bench.boots(3, confirm=False)

    assert [ran(boot)[0] for boot in boots] == ["1", "2", "1"]
    assert boots[2]["reports"] == [{"order": "o-1", "state": "failed", "text": "the broker was not reached in time"}]


def test_three_trials_cut_short_end_in_the_old_version(bench: Bench) -> None:
    bench.boots(1)

    boots = bench.boots(5, confirm=False, turns=5)

    assert [ran(boot)[0] for boot in boots] == ["2", "2", "2", "1", "1"]
    assert boots[3]["reports"] == [{"order": "o-1", "state": "failed", "text": "did not prove itself in 3 starts"}]
    assert boots[4]["reports"] == []


def test_a_trial_that_crashes_is_told(bench: Bench) -> None:
    boots = bench.boots(3, crash="2")

    assert [ran(boot)[0] for boot in boots] == ["1", "2", "1"]
    assert boots[2]["reports"] == [{"order": "o-1", "state": "failed", "text": "ValueError: it does not work"}]


def test_the_last_word_is_told_until_it_is_heard(bench: Bench) -> None:
    bench.boots(1)
    bench.boots(2, acknowledge=False, turns=20)

    heard, after = bench.boots(2, again=False, turns=20)

    assert heard["reports"] == [{"order": "o-1", "state": "done"}]
    assert after["reports"] == []


@pytest.mark.parametrize("crash", [None, "2"])
def test_the_same_order_again_is_answered_with_its_last_word(bench: Bench, crash: str | None) -> None:
    bench.boots(3, crash=crash)

    (boot,) = bench.boots(1, crash=crash)

    assert states(boot) == ["failed" if crash else "done"]


def loading(offset: int, order: str = "o-1") -> dict[str, object]:
    return {"order": order, "state": "loading", "offset": offset}


def test_while_the_link_is_down_no_time_counts(bench: Bench) -> None:
    said = bench.steps(("offer", bench.order()), ("tick", 9_000), "report", "reported", ("tick", 9_000), "report")

    assert said[2]["state"] == "accepted"
    assert said[5] == loading(0)


def test_data_are_asked_for_again_after_five_seconds(bench: Bench) -> None:
    begin = (("offer", bench.order()), "reported", ("tick", 5), "report", "active", "reported")

    said = bench.steps(*begin, ("tick", 49), "report", ("tick", 1), "report")

    assert said[3:5] == [loading(0), True]
    assert said[7] is None
    assert said[9] == loading(0)


def test_data_that_were_not_asked_for_are_ignored(bench: Bench) -> None:
    begin = (bench.chunk(0), ("offer", bench.order()), "reported", ("tick", 5), "reported")

    said = bench.steps(*begin, bench.chunk(100), ("chunk", (0, "")), ("tick", 2), "report", bench.chunk(0), *TURN)

    assert said[8] is None
    assert said[-1] == loading(100)


def test_data_that_came_twice_count_once(bench: Bench) -> None:
    begin = (("offer", bench.order()), "reported", ("tick", 5), "reported")

    said = bench.steps(*begin, bench.chunk(0), bench.chunk(0), *TURN, "reported", bench.chunk(0), *TURN)

    assert said[7] == loading(100)
    assert said[-1] is None


def test_more_data_than_announced_is_an_error(bench: Bench) -> None:
    said = bench.steps(("offer", bench.order(size=99)), "reported", ("tick", 5), "reported", bench.chunk(0), *TURN)

    assert said[-1] == {"order": "o-1", "state": "failed", "text": "more data came than was announced"}


def test_the_order_under_way_again_is_told_its_offset(bench: Bench) -> None:
    begin = (("offer", bench.order()), "reported", ("tick", 5), "reported", bench.chunk(0), *TURN, "reported")

    assert bench.steps(*begin, ("offer", bench.order()), "report")[-1] == loading(100)


def test_a_newer_order_takes_the_place_of_the_one_under_way(bench: Bench) -> None:
    begin = (("offer", bench.order()), "reported", ("tick", 5), "reported", bench.chunk(0), *TURN, "reported")
    newer = bench.order(order="o-2", sha256="ab" * 32)

    said = bench.steps(*begin, ("offer", newer), "active", "reported", *TURN)

    assert said[9] is False
    assert said[-1] == loading(0, "o-2")


@pytest.mark.parametrize(("turns", "held"), [(1, 1), (3, 2)], ids=["checked", "unpacked"])
def test_the_files_of_an_order_that_is_replaced_are_closed(bench: Bench, turns: int, held: int) -> None:
    bench.files["ballast.mpy"] = bytes(6_000)
    bench.data = pack(bench.files)
    begin = (("offer", bench.order()), "reported", ("tick", 5), "reported", bench.chunk(0, 10_000), "files")

    said = bench.steps(*begin, ("tick", turns), "files", ("offer", bench.order(order="o-2")), "files")

    before, during, after = said[5], said[7], said[9]
    assert during == before + held
    assert after == before


def test_what_is_stored_waits_until_that_is_told(bench: Bench) -> None:
    whole = bench.chunk(0, 10_000)
    begin = (("offer", bench.order()), "reported", ("tick", 5), "reported", whole, ("tick", 50), "report")

    said = bench.steps(*begin, ("offer", bench.order(order="o-2")), "report", "reported", ("tick", 1))

    assert said[5] is False
    assert said[6] == {"order": "o-1", "state": "stored"}
    assert said[8]["text"] == "another update waits for its restart"
    assert said[10] is True


def test_what_is_stored_waits_a_minute_at_most(bench: Bench) -> None:
    whole = bench.chunk(0, 10_000)

    said = bench.steps(("offer", bench.order()), "reported", ("tick", 5), "reported", whole, ("tick", 700))

    assert said[-1] is True


def test_during_a_trial_other_orders_are_refused(bench: Bench) -> None:
    bench.state(trial="a", active="b", tries=1)

    said = bench.steps("trial", ("offer", bench.order(order="o-2")), "report", ("offer", bench.order()), "report")

    assert said[2]["text"] == "a new version is on trial: ask again in a few minutes"
    assert said[4] == {"order": "o-1", "state": "stored"}


def test_a_trial_that_nobody_ordered_is_kept_without_a_word(bench: Bench) -> None:
    bench.state(trial="a", active="b", tries=1, order=None)

    said = bench.steps("trial", "trial?", "confirm", "report", "trial?")

    assert said == [None, True, None, None, False]


def test_a_full_flash_keeps_a_trial_open(bench: Bench) -> None:
    bench.state(trial="a", active="b", tries=1)

    said = bench.steps("trial", ("full", True), "confirm", "trial?", ("full", False), "confirm", "trial?", *TRIAL)

    assert said[3] is True
    assert said[6] is True  # not at once again
    assert said[-2:] == [False, {"order": "o-1", "state": "done"}]


def test_what_could_not_be_tried_is_told(bench: Bench) -> None:
    bench.state(trial="b")

    assert bench.steps("report") == [
        {"order": "o-1", "state": "failed", "text": "the flash is full: the new version could not be tried"}
    ]


def test_an_update_holds_little_memory(bench: Bench, record_property: Any) -> None:
    bench.files["ballast.mpy"] = bytes(range(256)) * 160
    bench.data = pack(bench.files)

    result = bench.run(boots=1, measure=True)

    print(f"an update of {len(bench.data)} bytes holds {result['heap']} bytes of heap at most")
    record_property("update_heap_bytes", result["heap"])
    assert states(result["boots"][0])[-1] == "stored"
    assert result["heap"] < HEAP_BYTES


def test_power_lost_at_any_byte_leaves_a_whole_version(bench: Bench) -> None:
    result = bench.run("cuts", boots=3, chunk=64)

    print(f"cut at each of {result['total']} bytes and changes; the next boot ran {result['first']}")
    assert result["total"] > 1000
    assert result["bad"] == []
    assert set(result["first"]) == {"1", "2"}
    assert bench.slot("a") == bench.old


def test_a_full_flash_at_any_byte_is_told_and_survived(bench: Bench) -> None:
    result = bench.run("full", boots=3, chunk=64)

    print(f"full at each of {result['total']} bytes and changes; the next boot ran {result['first']}")
    assert result["bad"] == []
    assert result["texts"] == ["the flash is full"]
    assert bench.slot("a") == bench.old


def test_the_real_firmware_goes_through_an_update(bench: Bench, scripts: Scripts) -> None:
    real = bundle()
    bench.data = real.data

    (boot,) = bench.boots(order=bench.order(version="9"))

    assert states(boot)[-1] == "stored"
    assert bench.slot("b") == real.files
    imported = scripts.run("imported", "b")
    assert imported == {name: f"b/{name}" for name in real.files}
    print(f"the firmware is {len(real.data)} bytes in {len(real.files)} files")
