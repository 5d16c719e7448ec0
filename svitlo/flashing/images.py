"""MicroPython for a chip: which file, where it comes from, and whether it is what it should be."""

from __future__ import annotations

import hashlib
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from svitlo.flashing.errors import FlashError

MINIMUM = (1, 25)
"""The first version whose frozen umqtt (1.6) takes a time-out."""

VERSION = "1.28.0"
_DATE = "20260406"
_SITE = "https://micropython.org"
_SIZES = range(256 * 1024, 16 * 1024 * 1024)
_MAGIC = 0xE9
_PARTITION_TABLE = 0x8000
_PARTITION_MAGIC = b"\xaa\x50"
_BANNER = re.compile(rb"MicroPython v?(\d+)\.(\d+)[\w.+-]* on 20\d\d-")

Fetch = Callable[[str, Callable[[int, int], None]], bytes]


@dataclass(frozen=True)
class Chip:
    """A kind of chip as its loader tells: image_id stands in the header of its images, offset is where they begin."""

    name: str
    image_id: int
    offset: int


@dataclass(frozen=True)
class Release:
    """One file of MicroPython's download site."""

    board: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.board}-{_DATE}-v{VERSION}.bin"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{_SITE}/resources/firmware/{self.name}"

    @property
    def page(self) -> str:
        """The page for people."""
        return f"{_SITE}/download/{self.board}/"


RELEASES = {
    "ESP32": Release("ESP32_GENERIC", "cd7820d02c35d34dd403b44263129c6a511b350aea8446c229890753fe240784"),
    "ESP32-C3": Release("ESP32_GENERIC_C3", "c749c22b6fe00cb8211a3b227ed6c0ce9babb518fd8f5a661f7496eb878fa895"),
    "ESP32-S3": Release("ESP32_GENERIC_S3", "8c6039d40024cae3c6b04bb434f77901548f5487df9789af15548c54f9e11d7f"),
}


def obtain(
    chip: Chip, given: Path | None, cache: Path, progress: Callable[[int, int], None], fetch: Fetch | None = None
) -> bytes:
    """MicroPython for the chip: the file given, else the one kept in `cache`, else downloaded and kept there.

    progress takes bytes done and bytes in all. Raises `FlashError` when there is none, or it is not for this chip.
    """
    if given is not None:
        try:
            data = given.read_bytes()
        except OSError as error:
            raise FlashError(f"{given} cannot be read: {error.strerror}") from error
        check(data, chip, str(given))
        return data
    release = RELEASES.get(chip.name)
    if release is None:
        raise FlashError(f"MicroPython for {chip.name} is not downloaded by itself: give its .bin file with --image")
    kept = cache / "micropython" / release.name
    if kept.is_file():
        data = kept.read_bytes()
        if hashlib.sha256(data).hexdigest() == release.sha256:
            check(data, chip, str(kept))
            return data
    data = _download(release, progress, fetch or _https)
    check(data, chip, release.url)
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".part")
    partial.write_bytes(data)
    partial.replace(kept)
    return data


def check(data: bytes, chip: Chip, origin: str) -> None:
    """Refuse what cannot be a whole MicroPython image for this chip. Raises `FlashError`."""
    if len(data) not in _SIZES or data[0] != _MAGIC:
        raise FlashError(f"{origin} is no firmware image for an ESP32 (it must be a .bin file of 1 to 4 MB)")
    found = int.from_bytes(data[12:14], "little")
    if found != chip.image_id:
        raise FlashError(f"{origin} is for another chip (its header says {found}, {chip.name} is {chip.image_id})")
    table = _PARTITION_TABLE - chip.offset
    if data[table : table + 2] != _PARTITION_MAGIC:
        raise FlashError(f"{origin} holds no partition table: take the whole image (.bin), not the .app-bin")
    version = _BANNER.search(data)
    if version is None:
        raise FlashError(f"{origin} is not MicroPython")
    if (int(version[1]), int(version[2])) < MINIMUM:
        raise FlashError(
            f"{origin} is MicroPython {int(version[1])}.{int(version[2])}, "
            f"the firmware needs {'.'.join(map(str, MINIMUM))} or newer"
        )


def _download(release: Release, progress: Callable[[int, int], None], fetch: Fetch) -> bytes:
    by_hand = f"get {release.name} from {release.page} and give it with --image"
    try:
        data = fetch(release.url, progress)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise FlashError(f"MicroPython cannot be downloaded ({reason}): {by_hand}") from error
    if hashlib.sha256(data).hexdigest() != release.sha256:
        raise FlashError(f"what came from {release.url} is not the file it was ({len(data)} bytes): {by_hand}")
    return data


def _https(url: str, progress: Callable[[int, int], None]) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "svitlo"})  # noqa: S310 - the address is ours
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        total = int(answer.headers.get("Content-Length") or 0)
        data = bytearray()
        while len(data) < _SIZES.stop and (piece := answer.read(65_536)):
            data += piece
            progress(len(data), max(total, len(data)))
    return bytes(data)
