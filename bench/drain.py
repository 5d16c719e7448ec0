"""What `mosquitto_sub` drains from the broker while a flood goes on: the measure for our own readers."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.figure import NotHereError
from svitlo.settings import BrokerAddress


@dataclass(frozen=True)
class Reading:
    """One reader's turn: messages a second of wall time, and the reader's processor seconds a message."""

    rate: float
    cost_s: float


def need_mosquitto_sub() -> None:
    """Raises `NotHereError` where it is not installed."""
    if shutil.which("mosquitto_sub") is None:
        raise NotHereError("mosquitto_sub is not installed (apt install mosquitto-clients)")


def by_mosquitto_sub(where: BrokerAddress, topic: str, warm_s: float, span_s: float) -> Reading:
    """It prints two bytes a message into a file, so that counting costs nothing."""
    with tempfile.NamedTemporaryFile() as out:
        process = subprocess.Popen(
            [
                *("mosquitto_sub", "-h", where.host, "-p", str(where.port), "-u", where.username or ""),
                *("-P", where.password or "", "-t", topic, "-F", "x"),
            ],
            stdout=out,
        )
        try:
            path = Path(out.name)
            _until_first(path)
            time.sleep(warm_s)
            began, used, before = time.monotonic(), spent_s(process.pid), path.stat().st_size
            time.sleep(span_s)
            took, spent, taken = time.monotonic() - began, spent_s(process.pid) - used, path.stat().st_size - before
        finally:
            process.terminate()
            process.wait(10)
    return Reading(taken / 2 / took, spent / (taken / 2))


def spent_s(pid: int) -> float:
    """Processor seconds of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _until_first(path: Path) -> None:
    deadline = time.monotonic() + 20
    while path.stat().st_size == 0:
        if time.monotonic() > deadline:
            raise TimeoutError("mosquitto_sub hears nothing of the flood")
        time.sleep(0.05)
