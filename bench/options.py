"""What a bench may be told by the environment: SVITLO_BENCH_NAME, read before the benches clear SVITLO_*."""

from __future__ import annotations

import os


def option(name: str, default: float) -> float:
    """A number, from SVITLO_BENCH_<name> if it is set."""
    return float(os.environ.get(f"SVITLO_BENCH_{name}", default))
