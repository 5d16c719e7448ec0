"""The pure core on heartbeats alone: observations a second, bytes a device."""

from __future__ import annotations

import random
import statistics
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

from bench.figure import Bar, Figure, Sense
from services.detector.core.fleet import Fleet
from services.detector.core.observation import Observation, ObservationKind
from services.detector.core.place import Place
from services.detector.service import policy_of
from svitlo import settings
from svitlo.ids import uuid7

RATE_BAR = 150_000.0
MEMORY_BAR_MB = 150.0
DEVICES = 10_000
MANY_DEVICES = 100_000
ROUNDS = 12
INTERVAL_S = 10
START = datetime(2026, 1, 1, tzinfo=UTC)


def measure() -> list[Figure]:
    """The median rate of rounds of a beat a device, in the order of their making and in any; memory, every device
    alive."""
    tracked = _bytes_of(MANY_DEVICES)
    return [
        *(_rate(scattered=scattered) for scattered in (False, True)),
        Figure(
            "memory",
            tracked / 1e6,
            "MB",
            Bar(Sense.BELOW, MEMORY_BAR_MB),
            f"{MANY_DEVICES:,} devices at {MANY_DEVICES // 2:,} sites, every one alive: "
            f"{tracked / MANY_DEVICES:.0f} bytes a device (tracemalloc)",
        ),
    ]


def _rate(*, scattered: bool) -> Figure:
    """Processor time, so that others on the machine count less; a tick each second of the fleet's time is in it."""
    fleet = _fleet(DEVICES)
    numbers = list(range(DEVICES))
    if scattered:  # neighbours in time are none in memory, as with real boards; each still keeps its beat
        random.Random(1).shuffle(numbers)
    rates, ticked = [], 0.0
    for turn in range(ROUNDS):
        beats = [_beat(number, turn, place) for place, number in enumerate(numbers)]
        slices = [beats[at : at + DEVICES // INTERVAL_S] for at in range(0, DEVICES, DEVICES // INTERVAL_S)]
        observing = 0.0
        for beats_of_a_second in slices:
            began = time.process_time()
            for beat in beats_of_a_second:
                fleet.observe(beat)
            observed = time.process_time()
            fleet.tick(beats_of_a_second[-1].at)
            observing += observed - began
            ticked += time.process_time() - observed
        rates.append(DEVICES / observing)
    assert fleet.tally.observed == ROUNDS * DEVICES
    assert fleet.tally_of("site-0").alive == 2
    return Figure(
        "scattered" if scattered else "in order",
        statistics.median(rates[1:]),
        "observations/s",
        Bar(Sense.ABOVE, RATE_BAR),
        f"{DEVICES:,} devices, median of {ROUNDS - 1} rounds, {min(rates[1:]):,.0f} to {max(rates[1:]):,.0f}; "
        f"ticks took {1000 * ticked / ROUNDS:.0f} ms a round",
    )


def _fleet(devices: int) -> Fleet:
    fleet = Fleet(policy_of(settings.Policy.model_construct()), uuid7)
    sites = {f"site-{n // 2}": Place(devices={f"board-{n}": 1, f"board-{n + 1}": 1}) for n in range(0, devices, 2)}
    fleet.set_registry(sites, START)
    fleet.link_up(START)
    fleet.link_proven(START, START)
    return fleet


def _beat(number: int, turn: int, place: int) -> Observation:
    """As from the wire: every string is a new object, so that dictionaries have to hash and compare."""
    at = START + timedelta(seconds=INTERVAL_S * turn + INTERVAL_S * place / DEVICES)
    uptime = 3600 + INTERVAL_S * turn
    return Observation(
        f"board-{number}", ObservationKind.BEAT, at, f"{number:08x}", 1, INTERVAL_S, seq=turn + 1, uptime_s=uptime
    )


def _bytes_of(devices: int) -> int:
    tracemalloc.start()
    try:
        fleet = _fleet(devices)
        for turn in range(2):
            for number in range(devices):
                fleet.observe(_beat(number, turn, number * DEVICES // devices))
            fleet.tick(START + timedelta(seconds=INTERVAL_S * (turn + 1)))
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
