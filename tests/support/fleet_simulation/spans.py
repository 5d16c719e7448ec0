"""Spans of time: sorted, apart from one another, `[start, end)`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """A half-open span of time."""

    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


class Spans:
    """Sorted spans; those that touch or overlap are made one."""

    def __init__(self, spans: Iterable[tuple[float, float]] = ()) -> None:
        self._spans: list[Span] = []
        for start, end in sorted(spans):
            if self._spans and start <= self._spans[-1].end:
                self._spans[-1] = Span(self._spans[-1].start, max(end, self._spans[-1].end))
            elif end > start:
                self._spans.append(Span(start, end))
        self._starts = [span.start for span in self._spans]

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def at(self, when: float) -> Span | None:
        """The span that holds a moment."""
        place = bisect_right(self._starts, when) - 1
        return self._spans[place] if place >= 0 and when < self._spans[place].end else None

    def after(self, when: float) -> Span | None:
        """The first span that begins at a moment or later."""
        place = bisect_right(self._starts, when)
        if place and self._starts[place - 1] == when:
            place -= 1
        return self._spans[place] if place < len(self._spans) else None

    def within(self, start: float, end: float) -> list[Span]:
        """The spans that overlap `[start, end)`."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        last = bisect_right(self._starts, end)
        return [span for span in self._spans[first:last] if span.start < end and start < span.end]


def holds(judge: Callable[[float], bool], edges: Iterable[float]) -> Spans:
    """The spans in which `judge` is true, which may change its mind at the `edges` only."""
    spans: list[tuple[float, float]] = []
    since: float | None = None
    for edge in sorted(set(edges)):
        if judge(edge):
            since = edge if since is None else since
        elif since is not None:
            spans.append((since, edge))
            since = None
    return Spans(spans)
