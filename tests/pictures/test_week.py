"""The picture of a week: bars where things happened, words that fit, and small copies that were looked at."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from svitlo.pictures.day import bounds
from svitlo.pictures.drawing import lines_of, width_of
from svitlo.pictures.render import png_of
from svitlo.pictures.week import DARK, LIGHT, WIDTH, Day, Labels, Week, week_svg
from tests.pictures.conftest import Image, agrees, read

KYIV = ZoneInfo("Europe/Kyiv")
MONDAY = date(2026, 11, 16)
LONG_NAME = "Житловий комплекс «Щасливе Подільське передмістя», вулиця Академіка Кримського, будинок 27-А, секція 3"
LABELS = Labels(
    title="Шевченка 12",
    dates="16–22 листопада 2026",
    summary="Без світла 18 год 5 хв, 9 відключень",
    column="без світла",
    on="світло є",
    off="немає",
    planned="планові роботи",
    blind="не стежили 5 год 10 хв",
)
HOUR = timedelta(hours=1)
LEFT, RIGHT = 75.0, WIDTH - 110.0


def at(day: int, hour: float) -> datetime:
    """An hour of a day of the week by Kyiv's clock."""
    return datetime(2026, 11, 16 + day, tzinfo=KYIV).astimezone(UTC) + hour * HOUR


def days(first: date = MONDAY, total: str = "12 год 40 хв") -> list[Day]:
    names = ["Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Нд"]
    dates = [first + timedelta(days=more) for more in range(7)]
    return [Day(date=day, label=f"{names[day.weekday()]} {day.day}", total=total) for day in dates]


def quiet(first: date = MONDAY) -> Week:
    """A week in which nothing happened."""
    shown = [replace(day, total="0", quiet=True) for day in days(first)]
    since, until = bounds(first, KYIV)[0], bounds(first + timedelta(days=6), KYIV)[1]
    return Week(days=shown, zone=KYIV, since=since, until=until, off=())


BUSY = replace(
    quiet(),
    days=days(),
    until=at(6, 17.5),
    off=[(at(day, 3 * day + 1.25), at(day, 3 * day + 5.5)) for day in range(6)]
    + [(at(0, 14), at(0, 14.05)), (at(2, 22), at(3, 6.4))],
    planned=[(at(4, 9), at(4, 12))],
    blind=[(at(1, 12), at(1, 17.2))],
)


def row_of(week: Week, labels: Labels = LABELS) -> tuple[Image, list[float]]:
    """The picture's pixels, a pixel a unit, and the middle of each day's bar."""
    svg = week_svg(week, labels)
    tops = [float(y) for y in re.findall(r'<rect x="75\.00" y="([\d.]+)" width="295\.00" height="26\.00"', svg)]
    return read(png_of(svg)), [top + 13 for top in dict.fromkeys(tops)]


def colour_at(picture: Image, y: float, hour: float) -> str:
    """Which colour a bar has there, as the theme names it."""
    red, green, blue = picture.at(LEFT + (RIGHT - LEFT) * hour / 24, y)
    named = {LIGHT.on: "on", LIGHT.off: "off", LIGHT.ahead: "ahead", LIGHT.blank: "blank"}
    return named.get(f"#{red:02x}{green:02x}{blue:02x}", f"#{red:02x}{green:02x}{blue:02x}")


def test_bars_stand_where_the_power_was_off() -> None:
    picture, rows = row_of(BUSY)
    assert len(rows) == 7
    assert [colour_at(picture, rows[0], hour) for hour in (0.5, 1.5, 5.4, 5.7)] == ["on", "off", "off", "on"]
    assert [colour_at(picture, rows[2], hour) for hour in (21.5, 23.5)] == ["on", "off"]
    assert [colour_at(picture, rows[3], hour) for hour in (0.5, 5.6, 7.5)] == ["off", "off", "on"]


def test_what_is_to_come_is_neither_on_nor_off() -> None:
    picture, rows = row_of(BUSY)
    assert [colour_at(picture, rows[6], hour) for hour in (16.5, 18.5, 23.5)] == ["on", "ahead", "ahead"]


def test_an_outage_of_three_minutes_is_seen() -> None:
    with_it, rows = row_of(BUSY)
    assert with_it.at(LEFT + 295 * 14.02 / 24, rows[0])[0] < 0xA0
    without, _ = row_of(replace(BUSY, off=BUSY.off[:6]))
    assert colour_at(without, rows[0], 14.02) != colour_at(with_it, rows[0], 14.02)


def test_time_nobody_watched_covers_what_was_guessed_of_it() -> None:
    picture, rows = row_of(replace(BUSY, off=[(at(1, 11), at(1, 18))]))
    stripes = {colour_at(picture, rows[1] + shift, 14.5) for shift in range(-12, 13)}
    assert "blank" in stripes
    assert not {"on", "off"} & stripes
    assert colour_at(picture, rows[1], 11.5) == "off"


def test_planned_work_is_striped() -> None:
    picture, rows = row_of(BUSY)
    stripes = {colour_at(picture, rows[4] + shift, 10.5) for shift in range(-12, 13)}
    assert "off" in stripes
    assert len(stripes) > 2


def test_kinds_differ_in_lightness_or_in_pattern() -> None:
    def lightness(colour: str) -> float:
        red, green, blue = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    for theme in (LIGHT, DARK):
        assert abs(lightness(theme.on) - lightness(theme.off)) > 80
        assert abs(lightness(theme.off) - lightness(theme.lines_off)) > 80
        assert abs(lightness(theme.blank) - lightness(theme.lines_blank)) > 50


def test_the_legend_leaves_out_what_did_not_happen() -> None:
    svg = week_svg(quiet(), replace(LABELS, planned="", blind=""))
    assert "світло є" in svg
    assert "планові" not in svg
    assert "url(#" not in svg


def test_a_night_of_changing_clocks_is_marked_and_noted() -> None:
    note = "25 жовтня: годинник переведено, у добі 25 год."
    svg = week_svg(quiet(date(2026, 10, 19)), replace(LABELS, notes=[note]))
    assert note in svg
    plain = week_svg(quiet(), LABELS)
    assert svg.count("<rect") == plain.count("<rect") + 2  # marks at the hour that comes twice


@pytest.mark.parametrize("width", [400, 480, 900])
@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_every_part_lies_within_the_picture(width: int, theme: object) -> None:
    assert theme in (LIGHT, DARK)
    chosen = LIGHT if theme is LIGHT else DARK
    root = ElementTree.fromstring(week_svg(BUSY, replace(LABELS, title=LONG_NAME), theme=chosen, width=width))
    assert float(root.get("width", 0)) == width
    height = float(root.get("height", 0))
    for part in root.iter("{http://www.w3.org/2000/svg}text"):
        words, x = part.text or "", float(part.get("x", 0))
        wide = width_of(words, float(part.get("font-size", 0)), bold=part.get("font-weight") == "700")
        start = {"end": x - wide, "middle": x - wide / 2}.get(part.get("text-anchor", ""), x)
        assert start >= 0, words
        assert start + wide <= width, words
        assert float(part.get("y", 0)) < height


def test_a_name_is_broken_between_words_and_cut_where_it_must_be() -> None:
    assert lines_of("Шевченка 12", 440, 22, 2) == ["Шевченка 12"]
    lines = lines_of(LONG_NAME, 444, 17, 3, bold=True)
    assert (len(lines), " ".join(lines)) == (3, LONG_NAME)
    (line,) = lines_of(LONG_NAME, 200, 17, 1)
    assert line.endswith("…")
    assert width_of(line, 17) <= 200
    assert lines_of("Х" * 200, 100, 17, 1)[0].endswith("Х…")


def test_markup_in_a_name_is_text() -> None:
    svg = week_svg(quiet(), replace(LABELS, title="<b>&"))
    assert "&lt;b&gt;&amp;" in svg
    ElementTree.fromstring(svg)


@pytest.mark.parametrize(
    ("name", "svg"),
    [
        ("busy", week_svg(BUSY, replace(LABELS, title=LONG_NAME))),
        ("busy-dark", week_svg(BUSY, LABELS, theme=DARK)),
        ("quiet", week_svg(quiet(), replace(LABELS, summary="Відключень не було", planned="", blind=""))),
        ("clock-back", week_svg(replace(quiet(date(2026, 10, 19)), blind=[]), LABELS)),
    ],
)
def test_the_picture_is_as_it_was_when_somebody_looked(name: str, svg: str) -> None:
    assert agrees(png_of(svg, zoom=0.5), f"week-{name}")


def test_the_comparison_notices_one_bar() -> None:
    less = replace(BUSY, off=BUSY.off[1:])
    assert not agrees(png_of(week_svg(less, replace(LABELS, title=LONG_NAME)), zoom=0.5), "week-busy")
