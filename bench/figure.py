"""What a bench finds: figures, some with a bar to pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Sense(StrEnum):
    """Which side of a bar is good."""

    BELOW = "<"
    ABOVE = ">"


@dataclass(frozen=True)
class Bar:
    """A limit; one that does not bind is shown and fails nothing."""

    sense: Sense
    limit: float
    binding: bool = True

    def passed(self, value: float) -> bool:
        return value < self.limit if self.sense is Sense.BELOW else value > self.limit


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    name: str
    value: float
    unit: str
    bar: Bar | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """pass, FAIL, or info for what no binding bar judges (met or missed, where there is one)."""
        if self.bar is None:
            return ""
        met = self.bar.passed(self.value)
        if self.bar.binding:
            return "pass" if met else "FAIL"
        return "info: met" if met else "info: missed"

    @property
    def failed(self) -> bool:
        return self.bar is not None and self.bar.binding and not self.bar.passed(self.value)


class NotHereError(Exception):
    """A bench needs what this machine does not have; it is skipped with these words."""


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that `share` (0..1) of all do not exceed."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * round(share * 1000) // 1000))
    return ordered[rank - 1]
