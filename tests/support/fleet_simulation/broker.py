"""The broker: whether it serves, and what it keeps to tell whoever subscribes."""

from __future__ import annotations

from collections.abc import Iterator

from services.detector.core.observation import Observation


class Broker:
    """The retained heartbeat and status of each board, and the last save of them."""

    def __init__(self) -> None:
        self.beats: dict[str, Observation] = {}
        self.words: dict[str, Observation] = {}
        self.serving = True
        self.frozen = False
        self._saved: tuple[dict[str, Observation], dict[str, Observation]] = ({}, {})

    @property
    def answering(self) -> bool:
        """Whether it takes and gives messages."""
        return self.serving and not self.frozen

    def retained(self) -> Iterator[Observation]:
        """What a new subscriber is told first."""
        yield from self.words.values()
        yield from self.beats.values()

    def save(self) -> None:
        """Save what is kept."""
        self._saved = dict(self.beats), dict(self.words)

    def forget(self) -> None:
        """Lose what was kept since the last save."""
        for kept, saved in zip((self.beats, self.words), self._saved, strict=True):
            kept.clear()
            kept.update(saved)
