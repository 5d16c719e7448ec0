"""Pictures are whole, say in words what they show, and stand on a page; the LED's shows what the firmware does."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent.parent
SVG = "{http://www.w3.org/2000/svg}"
PICTURES = sorted((ROOT / "docs").rglob("*.svg"))

every_picture = pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)


def patterns() -> dict[str, tuple[int, ...] | None]:
    """The LED's patterns, as the firmware has them: milliseconds on, off, on, off, ...; None is on all the time."""
    tree = ast.parse((ROOT / "firmware/micropython/lamp.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["PATTERNS"]:
            value: dict[str, tuple[int, ...] | None] = ast.literal_eval(node.value)
            return value
    raise AssertionError("lamp.py has no PATTERNS")


def lit(pattern: tuple[int, ...] | None, until: int) -> tuple[tuple[int, int], ...]:
    """From when to when a pattern is on, in milliseconds."""
    if pattern is None:
        return ((0, until),)
    spans = []
    at = step = 0
    while at < until:
        length = pattern[step % len(pattern)]
        if step % 2 == 0:
            spans.append((at, min(at + length, until)))
        at += length
        step += 1
    return tuple(spans)


@every_picture
def test_every_picture_is_well_formed_and_described(picture: Path) -> None:
    root = ElementTree.parse(picture).getroot()
    assert root.tag == SVG + "svg"
    for name in ("title", "desc"):
        found = root.find(SVG + name)
        assert found is not None, f"no {name}"
        assert (found.text or "").strip(), f"an empty {name}"
    width, height = root.get("width"), root.get("height")
    assert root.get("viewBox") == f"0 0 {width} {height}"


@every_picture
def test_no_picture_fetches_or_runs_anything(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"<script|<foreignObject|@import|@font-face|https?:|\bon\w+=", text)


@every_picture
def test_every_picture_stands_on_a_page_with_words_for_who_cannot_see_it(picture: Path) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {
        (page.parent / link).resolve(): words
        for page in pages
        for words, link in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    }
    assert shown.get(picture.resolve(), "").strip()


@pytest.mark.parametrize("picture", sorted((ROOT / "docs/firmware").glob("*.svg")), ids=lambda path: path.name)
def test_wiring_reads_on_a_dark_page_too(picture: Path) -> None:
    root = ElementTree.parse(picture).getroot()
    paper = next((element for element in root if element.tag == SVG + "rect"), None)
    assert paper is not None
    assert paper.get("class") == "paper", "the first shape is the paper"
    assert ".paper { fill: #fff" in picture.read_text(encoding="utf-8")
    assert float(paper.get("width", 0)) >= float(root.get("width", 0)) - 1


def test_the_picture_of_the_led_shows_the_firmwares_patterns() -> None:
    root = ElementTree.parse(ROOT / "docs/firmware/led.svg").getroot()
    bars = [path.get("d", "") for path in root.iter(SVG + "path") if path.get("class") == "on"]
    grey = next(rect for rect in root.iter(SVG + "rect") if rect.get("class") == "off")
    left, a_second = float(grey.get("x", 0)), float(grey.get("width", 0)) / 6
    drawn = {
        tuple(
            (round((float(x) - left) / a_second, 2), round(float(width) / a_second, 2))
            for x, width in re.findall(r"M([\d.]+) [\d.]+h([\d.]+)v", bar)
        )
        for bar in bars
    }
    wanted = {
        name: tuple((begin / 1000, (end - begin) / 1000) for begin, end in lit(pattern, 6000))
        for name, pattern in patterns().items()
    }
    assert len(bars) == len(wanted)
    for name, spans in wanted.items():
        assert any(
            len(bar) == len(spans)
            and all(
                abs(a - b) < 0.011
                for have, want in zip(bar, spans, strict=True)
                for a, b in zip(have, want, strict=True)
            )
            for bar in drawn
        ), f"{name} is drawn otherwise; it is on from, for (s): {spans}"
