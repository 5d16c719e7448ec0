"""The bundle a board is updated with, and the MAC of orders."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import pytest

from svitlo.contracts import CHUNK_BYTES, Command, decode_as, update_chunk
from svitlo.errors import StackError
from svitlo.firmware import bundle, pack, sign, unpack, update_key

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "firmware" / "micropython"
GOLDEN = ROOT / "tests" / "contracts" / "golden"


def test_it_holds_every_module_but_the_launcher() -> None:
    wanted = {f"{path.stem}.mpy" for path in SOURCES.glob("*.py")} - {"main.mpy"}
    made = bundle()
    assert made.files.keys() == wanted
    assert all(data.startswith(b"M\x06") for data in made.files.values())  # MicroPython's bytecode, version 6


def test_its_version_is_the_boards() -> None:
    found = re.search(r'FIRMWARE = "(.*)"', (SOURCES / "board.py").read_text())
    assert found is not None
    assert bundle().version == found.group(1)


def test_what_is_packed_is_unpacked() -> None:
    made = bundle()
    assert unpack(made.data) == made.files
    assert hashlib.sha256(made.data).hexdigest() == made.sha256
    assert pack({"b.mpy": b"two", "a.mpy": b""}) == b"\x05a.mpy\x00\x00\x00\x00\x05b.mpy\x00\x00\x00\x03two"


def test_it_is_compiled_once() -> None:
    assert bundle() is bundle()


def test_the_same_sources_elsewhere_give_the_same_bytes(tmp_path: Path) -> None:
    for path in SOURCES.glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert bundle(tmp_path).data == bundle().data


@pytest.mark.parametrize("end", range(1, 30))
def test_a_bundle_that_is_cut_short_is_refused(end: int) -> None:
    whole = pack({"a.mpy": b"0123456789", "b.mpy": b"0123456789"})
    if end == len(pack({"a.mpy": b"0123456789"})):
        return
    with pytest.raises(ValueError, match="cut short"):
        unpack(whole[:end])


@pytest.mark.parametrize("name", ["", "a/b.mpy", "x" * 256, "світло.mpy"])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of codecs as well as ours
        pack({name: b""})


def test_sources_that_do_not_compile_are_named(tmp_path: Path) -> None:
    (tmp_path / "board.py").write_text('FIRMWARE = "1.0"\n')
    (tmp_path / "odd.py").write_text("def\n")
    with pytest.raises(StackError, match=r"odd\.py"):
        bundle(tmp_path)


def test_sources_without_a_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "board.py").write_text("pass\n")
    with pytest.raises(StackError, match="does not say its version"):
        bundle(tmp_path)


def test_a_chunk_says_where_it_belongs() -> None:
    data = bytes(range(256)) * 8
    assert update_chunk(data, 960) == b"\x00\x00\x03\xc0" + data[960:1920]
    assert update_chunk(data, 1920) == b"\x00\x00\x07\x80" + data[1920:]
    assert CHUNK_BYTES == 960


def test_each_board_has_a_key_of_its_own() -> None:
    key = update_key("a secret", "board-1")
    assert key == hmac.new(b"a secret", b"svitlo update key v1\nboard-1", "sha256").digest()
    assert len({key, update_key("a secret", "board-2"), update_key("another", "board-1")}) == 3


@pytest.mark.parametrize(
    ("golden", "lines"),
    [
        ("command_update", ("update", "order", "serial", "version", "size", "sha256")),
        ("command_rotate", ("rotate", "order", "serial", "password")),
    ],
)
def test_the_mac_covers_the_order_and_whom_it_is_for(golden: str, lines: tuple[str, ...]) -> None:
    command = decode_as(Command, (GOLDEN / f"{golden}.json").read_bytes())
    key = update_key("the tests' master secret", "board-1")
    text = "\n".join(["svitlo order v1", "board-1", lines[0], *(str(getattr(command, name)) for name in lines[1:])])
    assert sign(key, "board-1", command) == hmac.new(key, text.encode(), "sha256").hexdigest() == command.mac
    assert sign(key, "board-2", command) != command.mac
