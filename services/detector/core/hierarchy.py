"""Sites stand under sites: which, and what those above show of those below.

A public site shows nothing of private ones: all may see it, and those only some. Whoever sees a private site was let in
to what stands below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.detector.core.place import Place
from services.detector.core.site import SiteState
from svitlo.contracts import ChildTally, PowerState


class Hierarchy:
    """Which sites stand directly under which and show there; a parent that is not there counts as none."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places
        below: dict[str, list[str]] = {}
        for slug, place in places.items():
            above = places.get(place.parent) if place.parent is not None else None
            if place.parent is not None and above is not None and (place.public or not above.public):
                below.setdefault(place.parent, []).append(slug)
        self._below = {slug: tuple(children) for slug, children in below.items()}

    def below(self, slug: str) -> tuple[str, ...]:
        """The sites directly under a site that show there."""
        return self._below.get(slug, ())

    def from_below(self, slugs: Iterable[str]) -> list[str]:
        """Some sites and all above them, those further down first."""
        found: set[str] = set()
        for slug in slugs:
            above: str | None = slug
            while above is not None and above in self._places and above not in found:
                found.add(above)
                above = self._places[above].parent
        return sorted(found, key=lambda slug: -self._depth(slug))

    def tally(self, slug: str, sites: Mapping[str, SiteState]) -> ChildTally | None:
        """How the sites under a site stand; None if there are none."""
        below = [sites[child] for child in self.below(slug)]
        if not below:
            return None
        partial = sum(child.power is PowerState.ON and _some_off(child.children) for child in below)
        powers = [child.power for child in below]
        on, off = powers.count(PowerState.ON), powers.count(PowerState.OFF)
        return ChildTally(total=len(below), on=on - partial, off=off, partial=partial, unknown=len(below) - on - off)

    def _depth(self, slug: str) -> int:
        seen, above = {slug}, self._places[slug].parent
        while above is not None and above in self._places and above not in seen:
            seen.add(above)
            above = self._places[above].parent
        return len(seen)


def _some_off(children: ChildTally | None) -> bool:
    return children is not None and (children.off > 0 or children.partial > 0)
