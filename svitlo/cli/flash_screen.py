"""How `svitlo device flash` looks: numbered steps, a bar where something is measured, the board's own words."""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar
from rich.text import Text

_WIDTH = 16


class _MeasuredBar(BarColumn):
    """A bar only where there is something to measure."""

    def render(self, task: Task) -> ProgressBar:
        return Text() if task.total is None else super().render(task)  # type: ignore[return-value]


class TerminalScreen:
    """A bar at the bottom of a terminal; elsewhere one line for each step."""

    def __init__(self, steps: int) -> None:
        # With a file of its own: mpremote's prints are caught while this shows them.
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            _MeasuredBar(30),
            TextColumn("{task.fields[measure]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not self._console.is_terminal,
        )
        self._steps = steps
        self._number = 0
        self._title = ""
        self._task: TaskID | None = None
        self._said = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()
        self._bar.stop()

    def title(self, text: str) -> None:
        """What the whole run is about."""
        self._console.print(Text(text, style="bold"))

    def step(self, title: str) -> None:
        """A new step begins."""
        self._drop()
        self._number += 1
        self._title = title
        self._task = self._bar.add_task(self._label(title), total=None, measure="")

    def progress(self, title: str, done: int, total: int) -> None:
        """So much of one part of the step is done."""
        if self._task is not None:
            self._bar.update(
                self._task,
                description=self._label(f"{self._title}: {title}"),
                completed=done,
                total=total,
                measure=f"{done / 1024:.0f} of {total / 1024:.0f} KiB",
            )

    def result(self, text: str) -> None:
        """How the step ended."""
        self._drop()
        line = Text(f"{self._number}/{self._steps} ", style="dim")
        line.append(f"{self._title:<{_WIDTH}}", style="bold green")
        line.append(text, style="default")
        self._console.print(line)

    def board_says(self, line: str) -> None:
        """A line of the board's own console; a bare chip says the same one for ever."""
        if line != self._said:
            self._console.print(Text(f"    board: {line}", style="dim"))
        self._said = line

    def end(self, text: str) -> None:
        """The last word."""
        self._drop()
        self._console.print(Text(text))

    def _label(self, title: str) -> str:
        return f"{self._number}/{self._steps} {title}"

    def _drop(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
