"""Text in pictures, on machines without any font too."""

from __future__ import annotations

import time
from itertools import combinations

import pytest

from svitlo.pictures.drawing import FONT, picture, rect, text
from svitlo.pictures.render import png_of
from tests.pictures.conftest import read

ALPHABET = "АБВГҐДЕЄЖЗИІЇЙКЛМНОПРСТУФХЦЧШЩЬЮЯ"
ABSENT = "\uf8ff"
"""A character no font of ours has."""


def drawn(words: str, *, bold: bool = False) -> bytes:
    svg = picture(40, 40, "t", "d", [rect(0, 0, 40, 40, "#ffffff"), text(4, 30, words, 24, "#000000", bold=bold)])
    return png_of(svg)


def test_every_ukrainian_letter_is_drawn_as_itself() -> None:
    assert drawn("Ж") != drawn(""), "nothing is drawn at all"
    shapes = {letter: drawn(letter) for letter in [*ALPHABET, *ALPHABET.lower(), "’", "–", "«", ABSENT]}
    alike = [(one, other) for one, other in combinations(shapes, 2) if shapes[one] == shapes[other]]
    assert alike == []


def test_both_apostrophes_are_drawn() -> None:
    assert drawn("\u02bc") == drawn("’") != drawn(ABSENT)


def test_emoji_in_a_name_are_left_out_and_leave_no_boxes() -> None:
    assert drawn("Ж🏠") == drawn("🏠 Ж") == drawn("❤️Ж ⚡") == drawn("Ж")
    assert drawn("№") != drawn("") != drawn("°")


def test_bold_is_bolder() -> None:
    def ink(png: bytes) -> int:
        return sum(255 - value for row in read(png).rows for value in row[::4])

    assert ink(drawn("Ж", bold=True)) > 1.2 * ink(drawn("Ж"))


def test_the_fonts_of_the_machine_play_no_part() -> None:
    def with_family(name: str) -> bytes:
        svg = picture(40, 40, "t", "d", [text(4, 30, "Ж", 24, "#000000")])
        return png_of(svg.replace(f'font-family="{FONT}"', f'font-family="{name}"'))

    assert with_family("DejaVu Sans") == with_family("No Such Font") != with_family("Manrope")


def test_millimetres_become_as_many_pixels_as_are_asked_for() -> None:
    svg = picture(210, 297, "t", "d", [], ("210mm", "297mm"))
    assert (read(png_of(svg, dpi=30)).width, read(png_of(svg, dpi=30)).height) == (248, 351)


def test_what_is_no_svg_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        png_of("no picture")


def test_drawing_takes_no_longer_than_a_person_notices() -> None:
    parts = [text(4, 20 + 10 * line, ALPHABET, 10, "#000000") for line in range(30)]
    svg = picture(480, 400, "t", "d", [rect(0, 0, 480, 400, "#ffffff"), *parts])
    png_of(svg, zoom=2)
    began = time.process_time()
    png_of(svg, zoom=2)
    assert time.process_time() - began < 1.0
