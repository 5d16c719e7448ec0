"""A poster for the hall: scan it, and the bot tells of this place. Pure; A4, in Ukrainian and English.

Black on white, so that any printer will do.
"""

from __future__ import annotations

from dataclasses import dataclass

import segno

from svitlo.pictures.drawing import lines_of, picture, text, width_of

A4 = (210.0, 297.0)
"""Millimetres, which are the units of the drawing."""

_INK, _QUIET = "#111111", "#444444"
_QR_MM = 128.0
_NAMES = ((12.0, 1), (9.5, 2), (7.6, 3))
"""How large a place's name stands, and in how many lines, by its length."""
_MIDDLE, _ROOM = A4[0] / 2, 174.0


@dataclass(frozen=True)
class Invitation:
    """What the code leads to: `link` is the bot's deep link, `bot` its name without the @."""

    place: str
    bot: str
    link: str
    group: bool = False


_SAID = {
    False: (
        "Наведіть камеру телефона: бот у Telegram напише, щойно світло зникне чи зʼявиться.",
        "Scan it: a Telegram bot tells you as soon as the power goes off or comes back.",
    ),
    True: (
        "Наведіть камеру телефона: додайте бота до чату будинку, і він напише, щойно світло зникне чи зʼявиться.",
        "Scan it to add the bot to your house chat: it tells all of you as soon as the power goes off or comes back.",
    ),
}


def deep_link(bot: str, payload: str, *, group: bool = False) -> str:
    """The address that opens the bot with a payload, such as `s_<slug>`; with `group`, to add it to a group."""
    return f"https://t.me/{bot}?{'startgroup' if group else 'start'}={payload}"


def poster_svg(invitation: Invitation) -> str:
    """The poster as SVG, one unit a millimetre."""
    ukrainian, english = _SAID[invitation.group]
    parts = [f'<rect width="{A4[0]:g}" height="{A4[1]:g}" fill="#ffffff"/>', _bulb(_MIDDLE, 27)]
    y = 41.0
    for line in lines_of("Чи є зараз світло?", _ROOM, 17, 1, bold=True):
        y += 17
        parts.append(_centred(y, line, 17, _INK, bold=True))
    y += 2
    y += 1
    size, most = next(
        fit for fit in _NAMES if width_of(invitation.place, fit[0]) <= _ROOM * 0.9 * fit[1] or fit[1] == 3
    )
    for line in _even(invitation.place, size, most):
        y += size * 1.2
        parts.append(_centred(y, line, size, _INK))
    first, second = _even(ukrainian, 7.6, 3, bold=True), _even(english, 5.6, 3)
    below = 9.6 * len(first) + 7.4 * len(second) + 30
    top = max(y + 8, 82.0)
    code = min(_QR_MM, A4[1] - below - top)
    parts += _code(invitation.link, _MIDDLE - code / 2, top, code)
    y = top + code + 3
    for line in first:
        y += 9.6
        parts.append(_centred(y, line, 7.6, _INK, bold=True))
    y += 3
    for line in second:
        y += 7.4
        parts.append(_centred(y, line, 5.6, _QUIET))
    parts.append(_centred(A4[1] - 12, f"Telegram: @{invitation.bot}", 6.2, _INK, bold=True))
    size_mm = (f"{A4[0]:g}mm", f"{A4[1]:g}mm")
    return picture(*A4, invitation.place, f"{ukrainian} {english} {invitation.link}", parts, size_mm)


def _even(words: str, size: float, most: int, *, bold: bool = False) -> list[str]:
    """The words in as few lines as they need, of about the same length."""
    lines, room = lines_of(words, _ROOM, size, most, bold=bold), _ROOM
    while room > _ROOM / 2:
        room -= 4
        tighter = lines_of(words, room, size, most, bold=bold)
        if len(tighter) > len(lines) or "…" in "".join(tighter):
            break
        lines = tighter
    return lines


def _centred(y: float, words: str, size: float, fill: str, *, bold: bool = False) -> str:
    return text(_MIDDLE, y, words, size, fill, bold=bold, anchor="middle")


def _code(link: str, left: float, top: float, size: float) -> list[str]:
    """The QR code with its quiet zone inside `size`; a quarter of it may be torn or dirty."""
    matrix = segno.make_qr(link, error="q").matrix
    modules = len(matrix)
    unit = size / (modules + 4)  # two modules of white, besides the white paper round it
    runs = []
    for row, line in enumerate(matrix):
        start = None
        for column, dark in enumerate([*line, 0]):
            if dark and start is None:
                start = column
            elif not dark and start is not None:
                runs.append(f"M{start} {row}h{column - start}v1h-{column - start}z")
                start = None
    move = f"translate({left + 2 * unit:.4f} {top + 2 * unit:.4f}) scale({unit:.5f})"
    return [f'<path transform="{move}" fill="#000000" shape-rendering="crispEdges" d="{"".join(runs)}"/>']


def _bulb(x: float, y: float) -> str:
    """A light bulb with rays, 26 mm high."""
    return (
        f'<g transform="translate({x:g} {y:g})" fill="none" stroke="{_INK}" stroke-width="1.6" '
        'stroke-linecap="round" stroke-linejoin="round">'
        '<path fill="#ffd257" d="M-3.6 7.4C-3.6 4.6-7.4 2.8-7.4-1.8a7.4 7.4 0 0 1 14.8 0C7.4 2.8 3.6 4.6 3.6 7.4z"/>'
        '<path d="M-3.2 10.4H3.2M-1.8 13.2H1.8M0-16v-3M-11.3-13.1l-2.1-2.1M11.3-13.1l2.1-2.1M-15-1.8h-3M15-1.8h3"/>'
        "</g>"
    )
