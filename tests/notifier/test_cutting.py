"""Long texts cut as Telegram counts, and whole in their markup."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.channels.cutting import fit, units


class Balance(HTMLParser):
    """Fails where tags do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).map(
    lambda text: html.escape(text, quote=False)
)
pieces = st.one_of(
    words,
    words.map(lambda text: f"<b>{text}</b>"),
    words.map(lambda text: f'<a href="https://example.org/?a=1&amp;b=2">{text} <i>{text}</i></a>'),
    st.sampled_from(["\n", "🔌", "💡 ", "&lt;", "<b>bold <i>both</i></b>"]),
)


@given(st.lists(pieces, max_size=30), st.integers(5, 120))
def test_what_is_cut_fits_is_a_beginning_and_closes_its_tags(parts: list[str], limit: int) -> None:
    text = "".join(parts)
    cut = fit(text, limit)
    assert units(cut) == utf16(plain(cut)) <= limit
    balance = Balance()
    balance.feed(cut)
    balance.close()
    assert balance.opened == []
    if utf16(plain(text)) <= limit:
        assert cut == text
    else:
        assert plain(cut).endswith("…")
        assert plain(text).startswith(plain(cut)[:-1])


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("🔌🔌🔌", 6, "🔌🔌🔌"),
        ("🔌🔌🔌", 5, "🔌🔌…"),
        ("one two\nthree four", 12, "one two…"),
        ("<b>bold words</b>", 5, "<b>bold…</b>"),
        ("a&amp;b&amp;c", 4, "a&amp;b…"),
    ],
)
def test_cuts(text: str, limit: int, cut: str) -> None:
    assert fit(text, limit) == cut
