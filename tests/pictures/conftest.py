"""Pixels of a PNG, and pictures kept small to compare with."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

REFERENCES = Path(__file__).parent / "reference"
BLOCK = 8


@dataclass(frozen=True)
class Image:
    """A PNG's pixels, four bytes each: red, green, blue, alpha."""

    width: int
    height: int
    rows: list[bytes]

    def at(self, x: float, y: float) -> tuple[int, int, int]:
        red, green, blue = self.rows[int(y)][4 * int(x) : 4 * int(x) + 3]
        return red, green, blue

    def difference(self, other: Image) -> float:
        """How far apart two pictures of one size are where they differ most: the mean over 8 x 8 pixels, of 255."""
        assert (self.width, self.height) == (other.width, other.height)
        return max(self._apart(other, x, y) for y in range(0, self.height, BLOCK) for x in range(0, self.width, BLOCK))

    def _apart(self, other: Image, x: int, y: int) -> float:
        pairs = [
            (mine, theirs)
            for one, two in zip(self.rows[y : y + BLOCK], other.rows[y : y + BLOCK], strict=True)
            for mine, theirs in zip(one[4 * x : 4 * (x + BLOCK)], two[4 * x : 4 * (x + BLOCK)], strict=True)
        ]
        return sum(abs(mine - theirs) for mine, theirs in pairs) / len(pairs)


def read(png: bytes) -> Image:
    """The pixels of a PNG of 8 bits a channel with transparency, as resvg writes it."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    packed, at = b"", 8
    width = height = 0
    while at < len(png):
        (length,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        data = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[:10])
            assert (depth, colour) == (8, 6)
        elif kind == b"IDAT":
            packed += data
        at += 12 + length
    raw, stride = zlib.decompress(packed), 4 * width
    rows, before = [], bytes(stride)
    for row in range(height):
        start = row * (stride + 1)
        before = _unfiltered(raw[start], raw[start + 1 : start + 1 + stride], before)
        rows.append(before)
    return Image(width, height, rows)


def agrees(png: bytes, name: str, tolerance: float = 12.0) -> bool:
    """Whether a small picture is about the one kept; `UPDATE_PICTURES=1` keeps it instead."""
    kept = REFERENCES / f"{name}.png"
    if os.environ.get("UPDATE_PICTURES"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(png)
    now, then = read(png), read(kept.read_bytes())
    return (now.width, now.height) == (then.width, then.height) and now.difference(then) < tolerance


def _unfiltered(kind: int, line: bytes, above: bytes) -> bytes:
    """One line of pixels (PNG specification, section 9)."""
    out = bytearray(line)
    for index in range(len(out)):
        left = out[index - 4] if index >= 4 else 0
        corner = above[index - 4] if index >= 4 else 0
        out[index] = (out[index] + _guess(kind, left, above[index], corner)) & 0xFF
    return bytes(out)


def _guess(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        distances = [(abs(left + up - corner - value), order) for order, value in enumerate((left, up, corner))]
        return (left, up, corner)[min(distances)[1]]
    return (0, left, up, (left + up) // 2)[kind]
