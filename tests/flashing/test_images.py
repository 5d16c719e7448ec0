"""MicroPython comes from a file, the cache or the download site, and is looked at before it is written."""

from __future__ import annotations

import hashlib
import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest

from svitlo.flashing import images
from svitlo.flashing.errors import FlashError
from svitlo.flashing.images import RELEASES, Chip, Release, check, obtain
from tests.support.rom import ESP32, ESP32_C3, make_image

CHIP = Chip("ESP32", 0, 0x1000)
IMAGE = make_image(ESP32)


def silent(done: int, total: int) -> None:
    pass


def serve(data: bytes, asked: list[str]) -> images.Fetch:
    def fetch(url: str, progress: Callable[[int, int], None]) -> bytes:
        asked.append(url)
        progress(len(data), len(data))
        return data

    return fetch


def changed(at: int, *values: int) -> bytes:
    data = bytearray(IMAGE)
    data[at : at + len(values)] = values
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no firmware image"),
        (IMAGE[:100_000], "no firmware image"),
        (changed(0, 0x00), "no firmware image"),
        (make_image(ESP32_C3), "for another chip"),
        (changed(0x7000, 0, 0), r"not the \.app-bin"),
        (IMAGE.replace(b"MicroPython v", b"CircuitPython"), "is not MicroPython"),
        (make_image(ESP32, "1.24.1"), r"is MicroPython 1\.24, the firmware needs 1\.25 or newer"),
    ],
    ids=["empty", "cut short", "no magic", "other chip", "application only", "other firmware", "too old"],
)
def test_what_cannot_be_right_is_refused(data: bytes, why: str) -> None:
    check(IMAGE, CHIP, "this file")
    with pytest.raises(FlashError, match=f"this file .*{why}"):
        check(data, CHIP, "this file")


def test_a_download_is_checked_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RELEASES, "ESP32", Release("ESP32_GENERIC", hashlib.sha256(IMAGE).hexdigest()))
    asked: list[str] = []

    assert obtain(CHIP, None, tmp_path, silent, serve(IMAGE, asked)) == IMAGE
    assert obtain(CHIP, None, tmp_path, silent, serve(b"", asked)) == IMAGE

    assert asked == ["https://micropython.org/resources/firmware/ESP32_GENERIC-20260406-v1.28.0.bin"]
    kept = tmp_path / "micropython" / "ESP32_GENERIC-20260406-v1.28.0.bin"
    kept.write_bytes(IMAGE[:-1])  # damaged since: fetched anew
    assert obtain(CHIP, None, tmp_path, silent, serve(IMAGE, asked)) == IMAGE
    assert kept.read_bytes() == IMAGE


def test_a_download_that_is_not_the_known_file_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(FlashError, match=r"is not the file it was .*give it with --image"):
        obtain(CHIP, None, tmp_path, silent, serve(IMAGE, []))
    assert not list(tmp_path.rglob("*.bin"))


def test_without_internet_the_page_to_get_it_from_is_named(tmp_path: Path) -> None:
    def fetch(url: str, progress: Callable[[int, int], None]) -> bytes:
        raise urllib.error.URLError("Name or service not known")

    wanted = (
        r"cannot be downloaded \(Name or service not known\): get ESP32_GENERIC_C3-20260406-v1\.28\.0\.bin from "
        r"https://micropython\.org/download/ESP32_GENERIC_C3/ and give it with --image"
    )
    with pytest.raises(FlashError, match=wanted):
        obtain(Chip("ESP32-C3", 5, 0), None, tmp_path, silent, fetch)


def test_a_chip_without_a_known_download_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(FlashError, match=r"for ESP32-H2 is not downloaded by itself: give its \.bin file with --image"):
        obtain(Chip("ESP32-H2", 16, 0), None, tmp_path, silent)
