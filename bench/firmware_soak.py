"""The whole compiled firmware for 200,000 beats with a break of the connection every thousand: the heap must not grow.

Its waits are skipped (tests/firmware/soak_mpy.py), everything else is real. SVITLO_BENCH_BEATS sets another number.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.figure import Bar, Figure, Sense
from bench.micropython import mosquitto_version, umqtt
from bench.options import option
from tests.support.soak import live

BEATS = int(option("BEATS", 200_000))
SMALL_BEATS = BEATS // 10
GROWTH_BAR = 4.0
"""Bytes a thousand beats: at one each 10 s, a year's 3.2 million would make 13 KB of this machine's heap."""


def measure() -> list[Figure]:
    """The long life in an ESP32's heap, then a tenth of it in a smaller one."""
    found = []
    with tempfile.TemporaryDirectory(prefix="svitlo-bench-") as folder:
        for heap, beats in (("56wk", BEATS), ("40wk", SMALL_BEATS)):
            try:
                life = live(Path(folder, heap), umqtt(), beats, heap=heap, sample_every=max(10, beats // 2000))
            except AssertionError as error:
                reason = str(error).splitlines()[0]
                found.append(Figure(f"{heap}: beats", 0, "beats", Bar(Sense.ABOVE, 0), reason))
                continue
            used = [sample.used for sample in life.steady]
            pieces = [sample.largest for sample in life.steady]
            said = f"{life.cut} breaks by the broker, {life.connections} connections, {life.lost} beats lost to them"
            failures = life.log.count("MemoryError") + life.log.count("memory allocation failed")
            note = f"regression over {len(used)} looks after a collection; {min(used)} to {max(used)} bytes used"
            found += [
                Figure(
                    f"{heap}: beats", life.beats, "beats", note=f"{said}; {life.took_s:.0f} s, {mosquitto_version()}"
                ),
                Figure(f"{heap}: boots", len(life.boots), "boots", Bar(Sense.BELOW, 2)),
                Figure(f"{heap}: growth", life.growth(), "bytes/1000", Bar(Sense.BELOW, GROWTH_BAR), note),
                Figure(f"{heap}: smallest largest piece", min(pieces), "bytes", note="free in one piece"),
                Figure(f"{heap}: out of memory", failures, "times", Bar(Sense.BELOW, 1)),
            ]
    return found
