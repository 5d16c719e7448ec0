"""A thousand boards, a beat every 10 s: bar < 50 % of one core for the whole stack, and not a reading lost."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.figure import Bar, Figure, Sense
from bench.processes import cpu_s, memory_mb
from bench.stack import fetch, running
from tests.support.stack import StackUnderTest
from tests.support.wait import eventually

BOARDS = 1000
INTERVAL_S = 10
SPAN_S = 60.0
SETTLE_S = 10.0
CORE_BAR = 50.0
MEMORY_BAR_MB = 400.0

_SENT = re.compile(r"Sent (\d+) beats over (\d+) connections")
_HEARD = "SELECT count(*) AS n FROM devices WHERE last_seen_at IS NOT NULL"
# A board counts its beats from 1 in each boot, so a beat lost before its last leaves a hole.
_RECORDED = """
SELECT sum(n) AS n, sum(n - d) AS doubled, sum(last - d) AS holes FROM (
  SELECT count(*) AS n, count(DISTINCT seq) AS d, max(seq) AS last FROM readings
  WHERE kind = 'heartbeat' GROUP BY device_id, boot
) AS boots
"""

_LAST = "a board may count one more beat after it has said goodbye and left"


def measure() -> list[Figure]:
    """Processor time over a span of steady beats, memory at its end, and what was sent against what is recorded."""
    with running() as stack, tempfile.TemporaryFile("w+") as said:
        with _simulation(stack, said.fileno()) as simulator:
            eventually(lambda: fetch(stack, _HEARD)[0]["n"] == BOARDS, 120, f"{BOARDS} boards are heard")
            time.sleep(SETTLE_S)
            span, used = _watch(stack)
            memory = memory_mb(stack)
            simulator.wait(120)
        said.seek(0)
        output = said.read()
        found = _SENT.search(output)
        assert found is not None, f"the simulator did not say what it sent: {output}"
        sent, connections = int(found[1]), int(found[2])
        time.sleep(3)  # the last batch is written within one
        row = fetch(stack, _RECORDED)[0]
    percent = 100 * sum(used.values()) / span
    spent = ", ".join(f"{name} {100 * s / span:.1f}" for name, s in sorted(used.items(), key=lambda item: -item[1]))
    held = ", ".join(f"{name} {mb:.0f}" for name, mb in sorted(memory.items(), key=lambda item: -item[1]))
    return [
        Figure("processor", percent, "% of a core", Bar(Sense.BELOW, CORE_BAR), f"over {span:.0f} s: {spent}"),
        Figure("memory", sum(memory.values()), "MB", Bar(Sense.BELOW, MEMORY_BAR_MB, binding=False), f"PSS: {held}"),
        Figure("beats sent", sent, "beats", note=f"over {connections} connections, from the first board to the last"),
        Figure("readings recorded", int(row["n"]), "rows"),
        Figure("beats lost", int(row["holes"]), "beats", Bar(Sense.BELOW, 1), "holes in the boards' own counting"),
        Figure("beats doubled", int(row["doubled"]), "beats", Bar(Sense.BELOW, 1)),
        Figure("last beats missing", sent - int(row["n"] + row["holes"] - row["doubled"]), "beats", note=_LAST),
    ]


@contextmanager
def _simulation(stack: StackUnderTest, out: int) -> Iterator[subprocess.Popen[bytes]]:
    """`svitlo simulate` in a process of its own; boards only, nothing befalls them."""
    quiet = [word for what in ("power-cuts", "network-losses", "flaps") for word in (f"--{what}", "0")]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "svitlo", "simulate", "--data-dir", str(stack.directory)),
            *("--devices", str(BOARDS), "--interval", str(INTERVAL_S), *quiet),
            *("--duration", str(SETTLE_S + SPAN_S + 15)),
        ],
        stdout=out,
        stderr=out,
        stdin=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def _watch(stack: StackUnderTest) -> tuple[float, dict[str, float]]:
    """Wall seconds of the span, and the processor seconds each part took in it."""
    began, before = time.monotonic(), cpu_s(stack)
    time.sleep(SPAN_S)
    after, ended = cpu_s(stack), time.monotonic()
    return ended - began, {name: spent - before.get(name, 0.0) for name, spent in after.items()}
