"""A screen that remembers, and boards to flash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from svitlo.simulator.micropython import UmqttSource
from tests.support.board_console import Board
from tests.support.rom import ESP32, Kind
from tests.support.umqtt import umqtt

__all__ = ["umqtt"]


@dataclass
class Notes:
    """A screen that remembers."""

    steps: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    bars: list[tuple[str, int, int]] = field(default_factory=list)

    def step(self, title: str) -> None:
        self.steps.append(title)

    def progress(self, title: str, done: int, total: int) -> None:
        self.bars.append((title, done, total))

    def result(self, text: str) -> None:
        self.results.append(text)

    def board_says(self, line: str) -> None:
        self.lines.append(line)


MakeBoard = Callable[..., Board]


@pytest.fixture
def make_board(tmp_path: Path, umqtt: UmqttSource) -> Iterator[MakeBoard]:
    boards: list[Board] = []

    def make(kind: Kind = ESP32, image: bytes | None = None) -> Board:
        """A board; another one on the same directory is the same board plugged in anew."""
        boards.append(Board(tmp_path / "flash", umqtt, kind, image))
        return boards[-1]

    yield make
    for board in boards:
        board.unplug()
