"""The poster: its code leads where it says, and it reads from afar."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
import segno

from svitlo.pictures.drawing import width_of
from svitlo.pictures.poster import A4, Invitation, deep_link, poster_svg
from svitlo.pictures.render import png_of
from tests.pictures.conftest import agrees, read

LONG_NAME = "Житловий комплекс «Щасливе Подільське передмістя», вулиця Академіка Кримського, будинок 27-А, секція 3"


def invitation(place: str = "Шевченка 12", *, group: bool = False) -> Invitation:
    link = deep_link("svitlo_test_bot", "s_shevchenka-12", group=group)
    return Invitation(place, "svitlo_test_bot", link, group)


def test_the_link_opens_the_bot_or_adds_it_to_a_group() -> None:
    assert deep_link("a_bot", "s_home") == "https://t.me/a_bot?start=s_home"
    assert deep_link("a_bot", "i_Ab1-_", group=True) == "https://t.me/a_bot?startgroup=i_Ab1-_"


def test_the_code_on_paper_is_that_of_the_link() -> None:
    asked, dpi = invitation(), 100
    svg = poster_svg(asked)
    placed = re.search(r"translate\(([\d.]+) ([\d.]+)\) scale\(([\d.]+)\)", svg)
    assert placed is not None
    left, top, unit = (float(number) * dpi / 25.4 for number in placed.groups())
    paper = read(png_of(svg, dpi=dpi))

    def dark(column: float, row: float) -> int:
        return int(paper.at(left + (column + 0.5) * unit, top + (row + 0.5) * unit)[0] < 128)

    matrix = segno.make_qr(asked.link, error="q").matrix
    size = len(matrix)
    assert [[dark(column, row) for column in range(size)] for row in range(size)] == [list(line) for line in matrix]
    around = [*range(-4, 0), *range(size, size + 4)]
    assert not any(dark(column, row) for column in around for row in range(size)), "a quiet zone of four modules"
    assert not any(dark(column, row) for row in around for column in range(size))


@pytest.mark.parametrize("place", ["Шевченка 12", "Садова 1, секція 2, підʼїзд 3", LONG_NAME, "Щ" * 120])
@pytest.mark.parametrize("group", [False, True])
def test_every_word_lies_on_the_paper(place: str, group: bool) -> None:
    root = ElementTree.fromstring(poster_svg(invitation(place, group=group)))
    last = 0.0
    for part in root.iter("{http://www.w3.org/2000/svg}text"):
        size, y = float(part.get("font-size", 0)), float(part.get("y", 0))
        assert width_of(part.text or "", size, bold=part.get("font-weight") == "700") <= A4[0] - 20
        assert y - size > last - 1, part.text
        last = y
    assert last < A4[1] - 8


def test_both_languages_stand_on_it() -> None:
    words = " ".join(ElementTree.fromstring(poster_svg(invitation())).itertext())
    assert "Чи є зараз світло?" in words
    assert "Шевченка 12" in words
    assert "@svitlo_test_bot" in words
    assert "as the power goes off or comes back." in words


@pytest.mark.parametrize(("name", "place", "group"), [("one", "Шевченка 12", False), ("group", LONG_NAME, True)])
def test_the_poster_is_as_it_was_when_somebody_looked(name: str, place: str, group: bool) -> None:
    assert agrees(png_of(poster_svg(invitation(place, group=group)), dpi=30), f"poster-{name}")
