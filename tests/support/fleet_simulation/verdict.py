"""What is held against the core."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.fleet_simulation.clock import moment


@dataclass(frozen=True)
class Violation:
    """One thing the core did that it must not."""

    site: str
    at: float
    what: str

    def __str__(self) -> str:
        return f"{self.site} at {self.at:.3f} ({moment(self.at):%a %d %b %H:%M:%S}): {self.what}"
