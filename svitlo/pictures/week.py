"""The last days of a place, hour by hour: on, off, planned, not observed. Pure.

Bars are exact; what would be too thin to see is drawn as wide as can be seen. Each kind differs in lightness and, where
lightness is near, in pattern: the picture reads in grey and by those who do not tell colours apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from svitlo.pictures.day import DAY_H, Span, Stretch, bounds, on_scale, stretches
from svitlo.pictures.drawing import lines_of, picture, rect, text, width_of

WIDTH = 480
"""Units a picture is wide; as PNG at twice that it fills a phone."""

_EDGE, _LABEL, _TOTAL = 18.0, 57.0, 92.0
_ROW, _BAR = 34.0, 26.0
_THIN = 1.5


@dataclass(frozen=True)
class Theme:
    """Colours; `lines` are those of patterns on `off` and on `blank`."""

    paper: str
    ink: str
    quiet: str
    on: str
    off: str
    lines_off: str
    blank: str
    lines_blank: str
    ahead: str
    guide: str
    now: str


LIGHT = Theme(
    paper="#ffffff",
    ink="#1d2735",
    quiet="#5d6978",
    on="#ffd257",
    off="#24344f",
    lines_off="#9db4d8",
    blank="#eceff3",
    lines_blank="#a9b3bf",
    ahead="#f4f6f8",
    guide="#c9d0d9",
    now="#d1495b",
)
DARK = Theme(
    paper="#161c26",
    ink="#eef2f7",
    quiet="#a3afbd",
    on="#f2c14e",
    off="#4a6391",
    lines_off="#c9d8f0",
    blank="#2b3442",
    lines_blank="#66717f",
    ahead="#1e2632",
    guide="#3b4657",
    now="#ff7b89",
)


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What stands on the picture, in the reader's language; `description` is for those who cannot see it.

    Of the legend: an empty label takes its kind out.
    """

    title: str
    dates: str
    summary: str
    column: str
    on: str
    off: str
    planned: str = ""
    blind: str = ""
    notes: Sequence[str] = ()
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Day:
    """A local day: what stands on its left, and on its right how long the power was off (`quiet`: not at all)."""

    date: date
    label: str
    total: str
    quiet: bool = False


@dataclass(frozen=True, kw_only=True)
class Week:
    """What happened: known is `[since, until)`; what is neither `off` nor `planned` nor `blind` was on."""

    days: Sequence[Day]
    zone: ZoneInfo
    since: datetime
    until: datetime
    off: Sequence[Span]
    planned: Sequence[Span] = ()
    blind: Sequence[Span] = ()


def week_svg(week: Week, labels: Labels, *, theme: Theme = LIGHT, width: int = WIDTH) -> str:
    """The picture as SVG, `width` units wide (at least 400) and as high as it needs."""
    room = width - 2 * _EDGE
    left, right = _EDGE + _LABEL, width - _EDGE - _TOTAL
    parts: list[str] = []
    size = 22.0 if width_of(labels.title, 22, bold=True) <= room * 1.8 else 17.0
    y = 14.0
    for line in lines_of(labels.title, room, size, 2 if size > 17 else 3, bold=True):
        y += round(size * 1.2)
        parts.append(text(_EDGE, y - 6, line, size, theme.ink, bold=True))
    y += 17
    parts.append(text(_EDGE, y, labels.dates, 13.5, theme.quiet))
    for line in lines_of(labels.summary, room, 16, 2, bold=True):
        y += 23
        parts.append(text(_EDGE, y + 3, line, 16, theme.ink, bold=True))
    y += 36
    parts.append(text(width - _EDGE, y - 8, labels.column, 12, theme.quiet, anchor="end"))
    for hour in (0, 6, 12, 18, 24):
        at = left + (right - left) * hour / DAY_H
        parts.append(text(at, y - 8, str(hour), 12, theme.quiet, anchor="middle"))
        parts.append(rect(at - 0.5, y - 4, 1, len(week.days) * _ROW, theme.guide))
    for day in week.days:
        parts += _row(week, day, left, right, y, width - _EDGE, theme)
        y += _ROW
    legend, y = _legend(labels, room, y + 12, theme)
    parts += legend
    y += 4 if labels.notes else 0
    for note in labels.notes:
        for line in lines_of(note, room, 11.5, 3):
            y += 17
            parts.append(text(_EDGE, y, line, 11.5, theme.quiet))
    height = round(y + 18)
    paper = rect(0, 0, width, height, theme.paper)
    return picture(width, height, f"{labels.title}, {labels.dates}", labels.description or labels.summary, [
        _patterns(theme), paper, *parts,
    ])  # fmt: skip


def _row(week: Week, day: Day, left: float, right: float, top: float, edge: float, theme: Theme) -> list[str]:
    base = top + _BAR / 2 + 4.8
    scale = (right - left) / DAY_H
    even = stretches(day.date, week.zone)
    parts = [text(_EDGE, base, day.label, 13.5, theme.ink, bold=True)]

    def bars(span: Span, fill: str, least: float = 0.0) -> None:
        for start, end in on_scale(span, even):
            x, wide = left + start * scale, (end - start) * scale
            if wide < least:
                x, wide = min(max(x - (least - wide) / 2, left), right - least), least
            parts.append(rect(x, top, wide, _BAR, fill))

    bars(bounds(day.date, week.zone), theme.ahead)
    bars((week.since, week.until), theme.on)
    for span in week.off:
        bars(span, theme.off, _THIN)
    for span in week.planned:
        bars(span, theme.off, _THIN)
        bars(span, "url(#planned)", _THIN)
    for span in week.blind:
        bars(span, theme.blank, _THIN)
        bars(span, "url(#blind)", _THIN)
    parts += [_line(left + hour * scale, top, theme, strong=hour % 6 == 0) for hour in range(1, 24)]
    parts += _twice(even, left, scale, top, theme)
    if week.since < week.until:
        for start, _ in on_scale((week.until, bounds(day.date, week.zone)[1]), even)[:1]:
            if bounds(day.date, week.zone)[0] < week.until:
                parts.append(rect(left + start * scale - 1, top - 3, 2, _BAR + 6, theme.now, radius=1))
    fill = theme.quiet if day.quiet else theme.ink
    parts.append(text(edge, base, day.total, 13.5, fill, bold=not day.quiet, anchor="end"))
    return parts


def _line(x: float, top: float, theme: Theme, *, strong: bool) -> str:
    """The end of an hour: seen on bright and dark bars, and not so strong that it looks like an event."""
    wide, seen = (1.2, 0.75) if strong else (0.8, 0.4)
    return rect(x - wide / 2, top, wide, _BAR, theme.paper, more=f' fill-opacity="{seen}"')


def _twice(even: list[Stretch], left: float, scale: float, top: float, theme: Theme) -> list[str]:
    """A mark over the hour that comes twice, and one in the hour that does not come."""
    marks = []
    for part, later in pairwise(even):
        if later.start > part.end:
            x, wide = left + part.end * scale, (later.start - part.end) * scale
            marks.append(rect(x + wide / 2 - 0.5, top + 5, 1, _BAR - 10, theme.quiet))
    if len(even) == 4:
        x = left + even[1].end * scale
        # Outside of the bar, where it cannot be taken for a short outage.
        marks += [rect(x - 0.75, y, 1.5, 4, theme.quiet) for y in (top - 4, top + _BAR)]
    return marks


def _legend(labels: Labels, room: float, y: float, theme: Theme) -> tuple[list[str], float]:
    kinds = (
        (labels.on, (theme.on,)),
        (labels.off, (theme.off,)),
        (labels.planned, (theme.off, "url(#planned)")),
        (labels.blind, (theme.blank, "url(#blind)")),
    )
    parts: list[str] = []
    x = _EDGE
    y += 6
    for label, fills in kinds:
        if not label:
            continue
        wide = 24 + width_of(label, 12.5)
        if x > _EDGE and x + wide > _EDGE + room:
            x, y = _EDGE, y + 20
        parts += [rect(x, y - 11, 16, 14, fill) for fill in fills]
        parts.append(text(x + 21, y, label, 12.5, theme.ink))
        x += wide + 12
    return parts, y


def _patterns(theme: Theme) -> str:
    """Stripes that lean one way for planned work and the other way for what nobody watched."""

    def stripes(name: str, colour: str, angle: int, step: float, wide: float) -> str:
        return (
            f'<pattern id="{name}" width="{step}" height="{step}" patternUnits="userSpaceOnUse" '
            f'patternTransform="rotate({angle})"><rect width="{wide}" height="{step}" fill="{colour}"/></pattern>'
        )

    planned = stripes("planned", theme.lines_off, 45, 6, 2.2)
    return f"<defs>{planned}{stripes('blind', theme.lines_blank, -45, 5, 1.2)}</defs>"
