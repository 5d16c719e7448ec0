"""What pictures are made of: text that fits, and SVG elements. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from html import escape

FONT = "Manrope, 'DejaVu Sans', system-ui, sans-serif"

_EMS = {
    character: ems
    for ems, characters in (
        (0.25, "iIlіїІЇ'’·ʼ "),
        (0.34, ',.:;j|!()"'),
        (0.44, "-/1[]frt{}*"),
        (0.54, "7?FJLksvxyzгґзкстухГ«»„“–"),
        (0.76, "CDGHNOQRSUXмцАДЄИЙЛНОПСФХЦЧЯы…&_~"),
        (0.86, "wжфшщ=—Ж"),
        (1.02, "mMWМюЮШЩ@%#"),
        (1.15, "№"),
    )
    for character in characters
}
"""How wide the font's characters are, rounded up; the others are 0.66."""


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is, rather too much than too little: what is measured here is never cut off."""
    return sum(_EMS.get(character, 0.66) for character in text) * size * (1.0 if bold else 0.96)


def plain(words: str) -> str:
    """The words without what the font has no shapes for: emoji and what goes with them."""
    # Nor has it U+02BC, with which Ukrainian is written too.
    kept = (character for character in words.replace("\u02bc", "’") if not _is_emoji(character))
    return " ".join("".join(kept).split())


def lines_of(text: str, room: float, size: float, most: int, *, bold: bool = False) -> list[str]:
    """The text in at most `most` lines no wider than `room`, broken between words; cut with `…` where it must be."""
    lines: list[str] = []
    rest = plain(text).split()
    while rest and len(lines) < most:
        line = rest.pop(0)
        while rest and width_of(f"{line} {rest[0]}", size, bold=bold) <= room:
            line = f"{line} {rest.pop(0)}"
        if rest and len(lines) == most - 1:
            line = f"{line} {' '.join(rest)}"
        lines.append(_cut(line, room, size, bold=bold))
    return lines


def text(x: float, y: float, words: str, size: float, fill: str, *, bold: bool = False, anchor: str = "start") -> str:
    """A line of text on the base line `y`."""
    weight = ' font-weight="700"' if bold else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    shown = escape(plain(words))
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}"{weight}{place}>{shown}</text>'


def rect(x: float, y: float, width: float, height: float, fill: str, *, radius: float = 0, more: str = "") -> str:
    """A rectangle."""
    rounded = f' rx="{radius:g}"' if radius else ""
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{fill}"{rounded}{more}/>'


def picture(
    width: float,
    height: float,
    title: str,
    description: str,
    parts: Iterable[str],
    size: tuple[str, str] | None = None,
    more: Mapping[str, str] | None = None,
) -> str:
    """A whole SVG with a title and a description for those who cannot see it; `size` is its size on the page."""
    shown_width, shown_height = size or (f"{width:g}", f"{height:g}")
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in (more or {}).items())
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{shown_width}" height="{shown_height}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" font-family="{FONT}"{attributes}>'
    )
    said = (f"<title>{escape(title)}</title>", f"<desc>{escape(description)}</desc>")
    return "\n".join([head, *said, *parts, "</svg>"]) + "\n"


def _is_emoji(character: str) -> bool:
    joins = character in "\u200d\ufe0e\ufe0f\u20e3"
    return joins or ord(character) > 0xFFFF or (ord(character) >= 0x2190 and unicodedata.category(character) == "So")


def _cut(line: str, room: float, size: float, *, bold: bool) -> str:
    if width_of(line, size, bold=bold) <= room:
        return line
    while line and width_of(line + "…", size, bold=bold) > room:
        shorter = line.rpartition(" ")[0]
        # Between words, unless one word alone is too long.
        line = shorter if shorter and " " in line[:-1] else line[:-1]
    return line.rstrip(" ,.-–—«(") + "…"
