"""Memory of `svitlo up` without a token and without anything to do: bar < 400 MB for everything together."""

from __future__ import annotations

import statistics
import time

from bench.figure import Bar, Figure, Sense
from bench.processes import memory_alone_mb, memory_mb
from bench.stack import running

BAR_MB = 400.0
SETTLE_S = 15.0
LOOKS = 5
EVERY_S = 2.0


def measure() -> list[Figure]:
    """Each part's PSS and the total, the median of some looks after the stack has settled."""
    looks = []
    with running() as stack:
        time.sleep(SETTLE_S)
        for _ in range(LOOKS):
            looks.append(memory_mb(stack))
            time.sleep(EVERY_S)
        alone = memory_alone_mb(stack)
    parts = [
        Figure(part, statistics.median(look.get(part, 0.0) for look in looks), "MB")
        for part in sorted(looks[0], key=lambda part: -looks[0][part])
    ]
    totals = [sum(look.values()) for look in looks]
    note = f"PSS, median of {LOOKS} looks, {min(totals):.1f} to {max(totals):.1f}"
    found = [*parts, Figure("total", statistics.median(totals), "MB", Bar(Sense.BELOW, BAR_MB), note)]
    if alone is not None:
        found.append(Figure("total, alone", alone, "MB", note="if no process outside the stack shared its libraries"))
    return found
