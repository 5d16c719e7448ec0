"""Power cuts during an update, on the file system of the board: a littlefs, and a process that dies with each boot."""

from __future__ import annotations

import hashlib
import json
import os
import random
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from svitlo.firmware import pack
from tests.firmware.test_launcher import APP, compile_to

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

BLOCK = 4_096
BLOCKS = 48
BOOTS = 6
"""More than any update needs from any cut on."""
ROUNDS = int(os.environ.get("SVITLO_TEST_ROUNDS", "1"))
"""1: 60 cuts. 2: at every change of the flash. 3 and more: that, and then as many second cuts in what follows."""


@dataclass(frozen=True)
class Change:
    """One program or erase of the flash."""

    at: int
    data: bytes

    def apply(self, image: bytearray, share: float = 1) -> None:
        data = self.data[: int(len(self.data) * share)]
        image[self.at : self.at + len(data)] = data


class Board:
    """Version 1 runs in slot a, 0 was before it in slot b, 2 comes as a bundle; between boots the flash is an image."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self.folder = scripts.folder
        self.files: dict[str, dict[str, bytes]] = {}
        for version in ("0", "1", "2"):
            source = self.folder / version
            compile_to(source / "app.mpy", APP.format(version=version))
            compile_to(source / "part.mpy", f'VERSION = "{version}"\n')
            (source / "zone.mpy").write_bytes(random.Random(version).randbytes(6_000))  # of more than one block
            self.files[version] = {file.name: file.read_bytes() for file in source.iterdir()}
        bundle = pack(self.files["2"])
        (self.folder / "bundle").write_bytes(bundle)
        digest = hashlib.sha256(bundle).hexdigest()
        self._order = {"order": "o-1", "version": "2", "size": len(bundle), "sha256": digest}

    def empty(self) -> bytearray:
        """The flash before the update."""
        image = bytearray(b"\xff" * BLOCK * BLOCKS)
        state = b'{"active": "a", "trial": null, "tries": 0}'
        files = {
            **{f"b/{name}": data for name, data in self.files["0"].items()},
            **{f"a/{name}": data for name, data in self.files["1"].items()},
            "state/slots": state + zlib.crc32(state).to_bytes(4, "little"),
            "flat/app.py": b'raise ImportError("nothing flat")\n',
        }
        _, changes = self._run(image, "make", files={path: data.hex() for path, data in files.items()})
        return after(image, changes)

    def boot(self, image: bytearray, heard: object = None) -> tuple[Any, list[Change]]:
        """One boot with a server that has `heard` the order's last word, or not; what it did, and to the flash."""
        return self._run(image, "boot", heard=heard)

    def _run(self, image: bytearray, mode: str, **options: object) -> tuple[Any, list[Change]]:
        (self.folder / "flash").write_bytes(image)
        (self.folder / "options.json").write_text(json.dumps({"order": self._order, **options}))
        result = self._scripts.run("update_littlefs", "flash", "log", mode, timeout=60)
        return result, changes_of((self.folder / "log").read_bytes())


def changes_of(log: bytes) -> list[Change]:
    changes = []
    while log:
        size = int.from_bytes(log[4:8], "big")
        changes.append(Change(int.from_bytes(log[:4], "big"), log[8 : 8 + size]))
        log = log[8 + size :]
    return changes


def after(image: bytearray, changes: list[Change], share: float = 1) -> bytearray:
    """The flash after these changes, only a share of the last one done."""
    image = bytearray(image)
    for number, change in enumerate(changes, 1):
        change.apply(image, share if number == len(changes) else 1)
    return image


def spread(cuts: list[tuple[int, float]], count: int) -> list[tuple[int, float]]:
    """Some of them, evenly."""
    return [cuts[index * len(cuts) // count] for index in range(count)]


@pytest.fixture
def board(scripts: Scripts) -> Board:
    return Board(scripts)


def whole(board: Board, slots: dict[str, dict[str, str]]) -> None:
    """What has an app.mpy is a version, nothing more and nothing less."""
    versions = [
        {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} for files in board.files.values()
    ]
    for slot, files in slots.items():
        assert "app.mpy" not in files or files in versions, f"slot {slot} is half a version"


def goes_on(board: Board, image: bytearray) -> tuple[str, list[Change]]:
    """Boots until the order given again is done; the version that ran first, and what that boot changed."""
    heard = None
    first: tuple[str, list[Change]] | None = None
    for _ in range(BOOTS):
        done, changes = board.boot(image, heard)
        whole(board, done["slots"])
        assert len(done["ran"]) == 1, f"not one version ran: {done}"
        first = first or (done["ran"][0][0], changes)
        if heard:
            assert done["ran"] == [["2", "b", False]]
            assert set(done["slots"]["b"]) == set(board.files["2"])
            return first
        heard = done["heard"]
        assert heard in (None, {"order": "o-1", "state": "done"})
        image = after(image, changes)
    raise AssertionError(f"not done after {BOOTS} boots: {done}")


@pytest.mark.timeout(120 if ROUNDS == 1 else 1_200)
def test_power_lost_at_any_change_of_a_littlefs(board: Board) -> None:
    start = board.empty()
    image, heard, changes = start, None, []
    phases = []
    for _ in range(3):
        done, more = board.boot(image, heard)
        phases.append((done["ran"], [report["state"] for report in done["reports"]], len(more)))
        image, heard = after(image, more), done["heard"]
        changes += more
    assert [ran for ran, _, _ in phases] == [[["1", "a", False]], [["2", "b", True]], [["2", "b", False]]]
    assert phases[1][1] == ["done"]

    total = len(changes)
    cuts = [(number, share) for number in range(1, total + 1) for share in (0, 0.5)]
    if ROUNDS == 1:  # most are the download's and the unpacking's; clearing the slot, switch and trial have few
        cuts = spread(cuts[:24], 12) + spread(cuts[24:-80], 16) + spread(cuts[-80:], 32)
    ran: dict[str, int] = {}
    chance = random.Random(1)
    for number, share in cuts:
        image = after(start, changes[:number], share)
        try:
            version, more = goes_on(board, image)
            ran[version] = ran.get(version, 0) + 1
            if ROUNDS > 2 and more:
                second = chance.randrange(len(more)) + 1
                goes_on(board, after(image, more[:second], chance.random()))
        except AssertionError as error:
            raise AssertionError(f"cut at {share} of change {number} of {total}: {error}") from error

    print(f"{len(cuts)} cuts in {total} changes {phases}; the next boot ran {ran}")
    assert set(ran) == {"1", "2"}
