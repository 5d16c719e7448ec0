"""What is to happen later, in order."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from itertools import count

Deed = Callable[[float], None]
"""Called with the moment it was planned for."""


class Agenda:
    """Deeds by their moments; those of one moment in the order they were planned."""

    def __init__(self) -> None:
        self._deeds: list[tuple[float, int, Deed]] = []
        self._order = count()

    @property
    def next_at(self) -> float:
        """When the next deed is due; infinity if nothing is planned."""
        return self._deeds[0][0] if self._deeds else math.inf

    def plan(self, at: float, deed: Deed) -> None:
        """Enter a deed."""
        heapq.heappush(self._deeds, (at, next(self._order), deed))

    def do_next(self) -> None:
        """Do the next deed."""
        at, _, deed = heapq.heappop(self._deeds)
        deed(at)
