"""The real firmware for a bench: umqtt.simple, fetched once a run, and the versions of what is measured."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from bench.figure import NotHereError
from svitlo.simulator.micropython import MicroPythonUnavailable, UmqttSource, umqtt_path
from svitlo.stack.mosquitto import EmbeddedMosquitto


@cache
def umqtt() -> UmqttSource:
    """Raises `NotHereError` where it cannot be had."""
    try:
        return umqtt_path(Path(tempfile.gettempdir()) / "svitlo-bench-umqtt")
    except MicroPythonUnavailable as error:
        raise NotHereError(str(error)) from error


@cache
def mosquitto_version() -> str:
    """Such as "mosquitto version 2.0.11"."""
    program = EmbeddedMosquitto(Path("unused"), "127.0.0.1", 1883, "").command()[0]
    said = subprocess.run([program, "-h"], capture_output=True, text=True).stdout
    return said.splitlines()[0] if said else "mosquitto, version unknown"
