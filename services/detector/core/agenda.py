"""When to look at what: a heap whose outdated entries are passed over."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime


class Agenda:
    """One planned moment for each name."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []
        self._planned: dict[str, datetime] = {}
        self.entries = 0
        """How many entries were ever made: unchanged, nothing is due earlier than it was."""

    def __contains__(self, name: str) -> bool:
        return name in self._planned

    def plan(self, name: str, at: datetime | None) -> None:
        """Look at `name` at that moment and not before; None for not at all."""
        if at is None:
            self._planned.pop(name, None)
        elif self._planned.get(name) != at:
            self._planned[name] = at
            self.entries += 1
            heapq.heappush(self._heap, (at, name))

    def bring_forward(self, name: str, at: datetime) -> None:
        """Look at `name` at that moment at the latest."""
        planned = self._planned.get(name)
        if planned is None or at < planned:
            self.plan(name, at)

    def due(self, now: datetime) -> Iterator[str]:
        """Take out what is planned up to `now`, in order."""
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._planned.get(name) == at:
                del self._planned[name]
                yield name

    def first(self) -> datetime | None:
        """The earliest planned moment."""
        while self._heap:
            at, name = self._heap[0]
            if self._planned.get(name) == at:
                return at
            heapq.heappop(self._heap)
        return None

    def clear(self) -> None:
        """Plan nothing any more."""
        self._heap.clear()
        self._planned.clear()
