"""Figures as a table for people and as JSON lines for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figure import Figure

RESULTS = Path(__file__).parent / "results"


def show(console: Console, title: str, figures: Sequence[Figure], took_s: float) -> None:
    """Print one bench's table."""
    table = Table(title=f"{title} ({took_s:.0f} s)", title_justify="left", header_style="bold")
    for column in ("figure", "value", "unit", "bar", "", "note"):
        table.add_column(column, justify="right" if column in ("value", "bar") else "left", overflow="fold")
    for figure in figures:
        bar = f"{figure.bar.sense.value} {_number(figure.bar.limit)}" if figure.bar else ""
        table.add_row(figure.name, _number(figure.value), figure.unit, bar, figure.verdict, figure.note)
    console.print(table)


def keep(name: str, figures: Sequence[Figure], took_s: float, load: float) -> Path:
    """Append one line to the bench's file; `load` is the machine's load average before it began."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.jsonl"
    line = {
        "bench": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "took_s": round(took_s, 1),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "passed": not any(figure.failed for figure in figures),
        "figures": [_plain(figure) for figure in figures],
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return path


def _plain(figure: Figure) -> dict[str, object]:
    bar = {"sense": figure.bar.sense, "limit": figure.bar.limit, "binding": figure.bar.binding} if figure.bar else None
    return {
        "name": figure.name,
        "value": round(figure.value, 4),
        "unit": figure.unit,
        "bar": bar,
        "verdict": figure.verdict,
        "note": figure.note,
    }


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
