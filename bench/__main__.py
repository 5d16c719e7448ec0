"""`python -m bench [NAME...]`: run some benches or all; exit code 1 when a bar is missed."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console

from bench import (
    alert_latency,
    core_rate,
    firehose_ratio,
    firmware_footprint,
    firmware_soak,
    fleet_simulation,
    frozen_boards,
    idle_memory,
    live_throughput,
    mains_alert,
    reconnect_spread,
    ten_thousand,
    thousand_boards,
)
from bench.figure import Figure, NotHereError
from bench.report import keep, show

BENCHES: dict[str, tuple[Callable[[], list[Figure]], str]] = {
    "alert_latency": (alert_latency.measure, "from a board's last will to the alert in Telegram"),
    "mains_alert": (mains_alert.measure, "from the edge at a mains sensor to the alert in Telegram"),
    "ten_thousand": (ten_thousand.measure, "10,000 subscribers of one building are told at Telegram's pace"),
    "idle_memory": (idle_memory.measure, "memory of a stack that has nothing to do"),
    "thousand_boards": (thousand_boards.measure, "what 1000 boards, a beat every 10 s, cost"),
    "core_rate": (core_rate.measure, "the pure core: observations a second, bytes a device"),
    "fleet_simulation": (fleet_simulation.measure, "the pure core on simulated weeks whose truth is known"),
    "firehose_ratio": (firehose_ratio.measure, "the firehose and decoding against mosquitto_sub"),
    "live_throughput": (live_throughput.measure, "the live detector and ingest against mosquitto_sub"),
    "frozen_boards": (frozen_boards.measure, "from a real board that freezes to power: off on MQTT"),
    "reconnect_spread": (reconnect_spread.measure, "200 real boards come back after the broker was away"),
    "firmware_soak": (firmware_soak.measure, "200,000 beats of the real firmware: its heap"),
    "firmware_footprint": (firmware_footprint.measure, "the firmware on a board's flash and heap"),
}


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; 1 when a bar was missed."""
    names = "\n".join(f"  {name:<18} {title}" for name, (_, title) in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench", epilog=f"benches:\n{names}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benches; all if none is named")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run each N times (a busy machine is noisy)")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in BENCHES]:
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    for name in [name for name in os.environ if name.startswith("SVITLO_")]:
        del os.environ[name]  # the defaults are measured, on a stack of the bench's own
    console = Console(width=None if sys.stdout.isatty() else 140)
    failed = [name for name in given.names or BENCHES for _ in range(given.repeat) if not _run(console, name)]
    console.print(f"bar missed: {', '.join(dict.fromkeys(failed))}" if failed else "every bar is met")
    return 1 if failed else 0


def _run(console: Console, name: str) -> bool:
    measure, title = BENCHES[name]
    load, began = os.getloadavg()[0], time.monotonic()
    try:
        figures = measure()
    except NotHereError as reason:
        console.print(f"{name}: skipped, {reason}")
        return True
    took = time.monotonic() - began
    show(console, f"{name}: {title}", figures, took)
    keep(name, figures, took, load)
    return not any(figure.failed for figure in figures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
