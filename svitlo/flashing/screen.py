"""What a run tells while it works; the command line shows it, tests note it."""

from __future__ import annotations

from typing import Protocol


class Screen(Protocol):
    """Takes what happens, in order."""

    def step(self, title: str) -> None:
        """A new step begins; what is measured and said belongs to it."""

    def progress(self, title: str, done: int, total: int) -> None:
        """So much of one part of the step is done."""

    def result(self, text: str) -> None:
        """How the step ended."""

    def board_says(self, line: str) -> None:
        """A line of the board's own console."""
