"""The tree of places people may choose from, and finding one by what somebody types. Pure."""

from __future__ import annotations

import functools
import heapq
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from svitlo.contracts import SiteStateWord

FOUND = 8
"""How many places a search shows at most."""


@dataclass(frozen=True)
class Spot:
    """A place in the tree: `parent` is the nearest one above it that may be seen, None at the top.

    `private`: seen by a role only.
    """

    id: int
    slug: str
    name: str
    parent: int | None
    state: SiteStateWord
    followed: bool = False
    private: bool = False


class Tree:
    """Places by the one above."""

    def __init__(self, spots: Sequence[Spot]) -> None:
        self._spots = {spot.id: spot for spot in spots}
        self._under: dict[int | None, list[Spot]] = defaultdict(list)
        for spot in spots:
            self._under[spot.parent if spot.parent in self._spots else None].append(spot)

    def __len__(self) -> int:
        return len(self._spots)

    def get(self, key: int) -> Spot | None:
        """A place by its key."""
        return self._spots.get(key)

    def named(self, slug: str) -> Spot | None:
        """A place by its slug."""
        return next((spot for spot in self._spots.values() if spot.slug == slug), None)

    def under(self, key: int | None) -> list[Spot]:
        """The places directly under one (None: at the top), by name, numbers by their value."""
        return sorted(self._under.get(key, ()), key=lambda spot: (_in_order(spot.name), spot.id))

    def below(self, key: int) -> list[Spot]:
        """All places below one, at any depth."""
        found = list(self._under.get(key, ()))
        for spot in found:
            found += self._under.get(spot.id, ())
        return found

    def path(self, spot: Spot) -> list[Spot]:
        """From the top down to the place itself."""
        path = [spot]
        while (above := self._spots.get(path[-1].parent or 0)) is not None and above not in path:
            path.append(above)
        return path[::-1]

    def search(self, typed: str) -> list[Spot]:
        """The best fits for what somebody typed, best first; each of its words must fit something."""
        asked = list(_words(typed))
        asked = [word for word in asked if word not in _GENERIC] or asked
        if not asked:
            return []
        scored = []
        for spot in self._spots.values():
            own, path = _words(spot.name), self.path(spot)
            around = [*_words(spot.slug), *(word for above in path[:-1] for word in _words(above.name))]
            if score := _score(asked, own, around):
                scored.append(((-score, len(path), len(own)), spot))
        best = heapq.nsmallest(FOUND, scored, key=lambda entry: (entry[0], _in_order(entry[1].name), entry[1].id))
        return [spot for _, spot in best]


_APOSTROPHES = re.compile("['’ʼ`´‘′ʹ\u02bb\uff07\"]")
_MARKS = re.compile("[\u0300-\u036f]")
_WORD = re.compile(r"\d+|[^\W\d_]+")
_LOOKALIKES = str.maketrans("ґё", "ге")
_GENERIC = {"вул", "вулиця", "буд", "будинок", "просп", "проспект", "пров", "провулок", "street", "st", "str"}
"""Words that people add to an address and the names of places leave out, or the other way round."""


def normal(name: str) -> str:
    """A name as people compare it: no case, no apostrophes, no stress marks."""
    plain = unicodedata.normalize("NFKC", _APOSTROPHES.sub("", name)).casefold().translate(_LOOKALIKES)
    return _MARKS.sub("", plain)


@functools.lru_cache(maxsize=65_536)
def _words(name: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(normal(name)))


def _in_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which 9 stands before 10, and the alphabet is the Ukrainian one."""
    return tuple((0, int(word), "") if word.isdigit() else (1, 0, word.translate(_ALPHABET)) for word in _words(name))


# Unicode has ґ, є, і and ї behind я.
_ALPHABET = {ord(letter): chr(0x1000 + place) for place, letter in enumerate("абвгґдеєжзиіїйклмнопрстуфхцчшщьюя")}


_SAME = 6


def _score(asked: Sequence[str], own: Sequence[str], around: Sequence[str]) -> int:
    """How well all words fit; 0 if one of them does not fit at all. What a place itself is called counts most."""
    total = 0
    for word in asked:
        best = 0
        for candidate in own:
            best = max(best, 2 * _fit(word, candidate))
        if best < _SAME:
            for candidate in around:
                best = max(best, _fit(word, candidate))
        if not best:
            return 0
        total += best
    return total


def _fit(asked: str, word: str) -> int:
    """The same word 6, its beginning 4, the same word in another case 3, a part of it 2."""
    if asked == word:
        return _SAME
    if word.startswith(asked):
        return 4
    if asked.isdigit() or word.isdigit() or len(asked) < 3:
        return 0
    if len(asked) >= 5 and asked[:3] == word[:3] and _common(asked, word) >= max(len(asked), len(word)) - 2:
        return 3
    return 2 if asked in word else 0


def _common(one: str, other: str) -> int:
    """How many letters two words share at their beginning."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
