"""What `Firehose` with decoding takes from Mosquitto, against `mosquitto_sub` on the same broker in the same run.

A flood is published faster than anybody reads, so each reader's rate is its own limit or the broker's; what the broker
drops meanwhile is not counted. Rates drift with the machine, so the two take turns and the median of the turns' ratios
is the figure.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.figure import Figure, NotHereError
from bench.flood import flood
from svitlo.accounts.roles import ADMIN
from svitlo.bus import Firehose
from svitlo.contracts import DeviceChannel, decode_device, topics
from svitlo.settings import BrokerAddress
from tests.support.broker import ProcessBroker, address

TURNS = 5
WARM_S = 1.0
SPAN_S = 4.0
TOPIC = topics.device("+", DeviceChannel.HEARTBEAT)


@dataclass(frozen=True)
class Reading:
    """One reader's turn: messages a second of wall time, and the reader's processor seconds a message."""

    rate: float
    cost_s: float


def measure() -> list[Figure]:
    """Both rates, their ratio, and what a message costs the firehose's process."""
    if shutil.which("mosquitto_sub") is None:
        raise NotHereError("mosquitto_sub is not installed (apt install mosquitto-clients)")
    broker = ProcessBroker()
    try:
        broker.start()
        pairs = []
        for _ in range(TURNS):
            with _flood(address(broker, ADMIN)):
                theirs = _by_mosquitto_sub(address(broker, ADMIN))
            with _flood(address(broker, ADMIN)):
                ours = asyncio.run(_by_firehose(address(broker, "svitlo.detector")))
            pairs.append((ours, theirs))
    finally:
        broker.close()
    ratios = [ours.rate / theirs.rate for ours, theirs in pairs]
    cost = statistics.median(ours.cost_s for ours, _ in pairs)
    their_cost = statistics.median(theirs.cost_s for _, theirs in pairs)
    spread = f"median of {TURNS} turns, {min(ratios):.2f} to {max(ratios):.2f}"
    return [
        Figure("mosquitto_sub", statistics.median(theirs.rate for _, theirs in pairs), "messages/s"),
        Figure("firehose + decode", statistics.median(ours.rate for ours, _ in pairs), "messages/s"),
        Figure("ratio", statistics.median(ratios), "", note=spread),
        Figure("firehose, a message", 1e6 * cost, "µs", note=f"of the reader's processor: {1 / cost:,.0f}/s of a core"),
        Figure("mosquitto_sub, a message", 1e6 * their_cost, "µs", note="the same, printing a letter"),
    ]


@contextmanager
def _flood(where: BrokerAddress) -> Iterator[None]:
    """The flood from a process of its own."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=flood, args=(where, stop), name="flood", daemon=True)
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join(10)
        if process.is_alive():
            process.terminate()


def _by_mosquitto_sub(where: BrokerAddress) -> Reading:
    """It prints two bytes a message into a file, so that counting costs nothing."""
    with tempfile.NamedTemporaryFile() as out:
        process = subprocess.Popen(
            [
                *("mosquitto_sub", "-h", where.host, "-p", str(where.port), "-u", where.username or ""),
                *("-P", where.password or "", "-t", TOPIC, "-F", "x"),
            ],
            stdout=out,
        )
        try:
            path = Path(out.name)
            _until_first(path)
            time.sleep(WARM_S)
            began, used, before = time.monotonic(), _spent(process.pid), path.stat().st_size
            time.sleep(SPAN_S)
            took, spent, taken = time.monotonic() - began, _spent(process.pid) - used, path.stat().st_size - before
        finally:
            process.terminate()
            process.wait(10)
    return Reading(taken / 2 / took, spent / (taken / 2))


def _spent(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _until_first(path: Path) -> None:
    deadline = time.monotonic() + 20
    while path.stat().st_size == 0:
        if time.monotonic() > deadline:
            raise TimeoutError("mosquitto_sub hears nothing of the flood")
        time.sleep(0.05)


async def _by_firehose(where: BrokerAddress) -> Reading:
    count = 0
    first = asyncio.Event()

    def take(topic: str, payload: bytes, _retained: bool) -> None:
        nonlocal count
        _, channel = topics.parse_device(topic)
        decode_device(channel, payload)
        count += 1
        first.set()

    firehose = Firehose(where, "bench-firehose", [(TOPIC, 0)], take)
    task = asyncio.create_task(firehose.run(), name="firehose")
    try:
        async with asyncio.timeout(20):
            await first.wait()
        await asyncio.sleep(WARM_S)
        began, used, before = time.monotonic(), time.process_time(), count
        await asyncio.sleep(SPAN_S)
        took, spent, taken = time.monotonic() - began, time.process_time() - used, count - before
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return Reading(taken / took, spent / taken)
