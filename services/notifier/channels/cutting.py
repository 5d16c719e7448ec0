"""Long texts cut to what Telegram takes: counted as it counts, and never through a tag or a letter."""

from __future__ import annotations

import html
import re

TEXT_UNITS = 4096
"""UTF-16 units of a message, and of a picture's caption, after its markup is taken out (core.telegram.org/bots/api)."""
CAPTION_UNITS = 1024

_PIECES = re.compile(r"<[^<>]*>|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+);|.", re.DOTALL)
_MARK = "…"


def units(text: str) -> int:
    """The length of a text of Telegram's HTML in UTF-16 units, as Telegram counts it."""
    return sum(_width(piece) for piece in _PIECES.findall(text))


def fit(text: str, limit: int) -> str:
    """The text if it has at most `limit` units; else its beginning, cut where a line ends if one ends in its second
    half, with the open tags closed and `…` at the end."""
    room, kept, last_line = limit - len(_MARK), 0, 0
    pieces = _PIECES.findall(text)
    total = 0
    for number, piece in enumerate(pieces):
        total += _width(piece)
        if total <= room:
            kept = number + 1
            if piece == "\n" and total > room // 2:
                last_line = number
    if total <= limit:
        return text
    beginning = pieces[: last_line or kept]
    joined = "".join(beginning).rstrip()
    return joined + _MARK + "".join(f"</{name}>" for name in reversed(_open_tags(beginning)))


def _width(piece: str) -> int:
    if piece.startswith("<") and len(piece) > 1:
        return 0
    return len(html.unescape(piece).encode("utf-16-le")) // 2


def _open_tags(pieces: list[str]) -> list[str]:
    opened: list[str] = []
    for piece in pieces:
        if piece.startswith("</"):
            if opened:
                opened.pop()
        elif piece.startswith("<") and len(piece) > 1:
            opened.append(piece[1:-1].split()[0])
    return opened
