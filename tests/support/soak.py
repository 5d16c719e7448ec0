"""A board that lives through many beats in a short time on a real broker, and what became of its heap."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from svitlo.accounts.dynsec import DynamicSecurity
from svitlo.accounts.passwords import derive_password
from svitlo.accounts.roles import ADMIN, device_account
from svitlo.accounts.seed import own_accounts
from svitlo.accounts.sync import sync_accounts
from svitlo.simulator.micropython import MicroPythonBoard, UmqttSource
from tests.support.broker import SECRET, ProcessBroker, address, admin_password
from tests.support.flash import lay_out
from tests.support.wait import eventually

SCRIPT = Path(__file__).parents[1] / "firmware" / "soak_mpy.py"
BOARD = "soak"
KEEPALIVE_S = 120  # of the hurried clock: a broker that is slow by a tenth of a second must not look dead
WARM_SHARE = 0.1
_SAMPLE = re.compile(
    r"soak: (\w+) at (\d+)\n(?:.*\n)*?GC: total: (\d+), used: (\d+), free: (\d+)\n.*max free sz: (\d+)"
)
_BLOCK = 32
"""Bytes of one block of the heap on a 64-bit machine."""


@dataclass(frozen=True)
class Sample:
    """The heap after a collection: `at_s` of the board's own time; `free` and the `largest` free piece in bytes."""

    name: str
    at_s: int
    used: int
    free: int
    largest: int


@dataclass(frozen=True)
class Life:
    """What a soak saw."""

    beats: int
    lost: int
    boots: set[str]
    connections: int
    cut: int
    took_s: float
    samples: list[Sample]
    log: str

    def first(self, name: str) -> Sample:
        """The first sample of that name; of "running", the second: then the connection stands."""
        found = [sample for sample in self.samples if sample.name == name]
        return found[1] if name == "running" else found[0]

    @property
    def steady(self) -> list[Sample]:
        """The samples of the running firmware but for the first tenth."""
        running = [sample for sample in self.samples if sample.name == "running"]
        return running[int(WARM_SHARE * len(running)) :]

    def growth(self, interval_s: int = 1) -> float:
        """Bytes of heap used more in each thousand beats: the slope of the regression line through `steady`."""
        beats = [sample.at_s / interval_s / 1000 for sample in self.steady]
        return statistics.linear_regression(beats, [float(sample.used) for sample in self.steady]).slope


def give_accounts(broker: ProcessBroker, devices: Sequence[str]) -> dict[str, str]:
    """Let these boards in; their passwords."""

    async def work() -> None:
        async with DynamicSecurity.connect(address(broker, ADMIN), admin_password()) as plugin:
            await sync_accounts(plugin, [*own_accounts(), *(device_account(name, 1) for name in devices)], SECRET)

    asyncio.run(work())
    return {name: derive_password(SECRET, name, 1) for name in devices}


def samples(log: str) -> list[Sample]:
    """What the script said of the heap, from first to last."""
    return [
        Sample(found[1], int(found[2]), int(found[4]), int(found[5]), int(found[6]) * _BLOCK)
        for found in _SAMPLE.finditer(log)
    ]


def live(
    directory: Path, umqtt: UmqttSource, beats: int, *, heap: str, cut_every: int = 1000, sample_every: int = 100
) -> Life:
    """Run the compiled firmware for so many beats of 1 s; the broker breaks the connection again and again.

    Raises AssertionError, with the console, when the board ends or falls silent.
    """
    broker = ProcessBroker()
    lay_out(directory)
    try:
        broker.start()
        password = give_accounts(broker, [BOARD])[BOARD]
        board = MicroPythonBoard(
            directory,
            device_id=BOARD,
            password=password,
            umqtt=umqtt,
            mqtt_port=broker.port,
            interval_s=1,
            keepalive_s=KEEPALIVE_S,
            heap=heap,
            modules=directory,
            script=SCRIPT,
        )
        board.world("sample_ms", sample_every * 1000)
        _check_configuration(board)
        with board, _Witness(broker, password, cut_every) as witness:
            began = time.monotonic()
            board.start()
            try:
                witness.wait(beats, board)
            except AssertionError as error:
                raise AssertionError(f"{error}; its console ends with\n{board.log_text()[-3000:]}") from None
            took = time.monotonic() - began
            board.kill()
            return witness.told(took, board.log_text())
    finally:
        broker.close()


def _check_configuration(board: MicroPythonBoard) -> None:
    """The first boot with a new config.json loads the checks too; any other finds what they made of it."""
    board.start()
    eventually((board.directory / "state" / "checked").exists, 30, "the configuration is checked")
    board.kill()
    board.log_path.unlink()


class _Witness:
    """Counts the beats at the broker, and has the broker break the connection at every so many."""

    def __init__(self, broker: ProcessBroker, password: str, cut_every: int) -> None:
        self._broker = broker
        self._password = password
        self._cut_every = cut_every
        self._seq = self._heard = self._cuts = 0
        self._heard_at = time.monotonic()
        self._boots: set[str] = set()
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "soak-witness")
        self._client.username_pw_set(ADMIN, admin_password())
        self._client.on_connect = lambda client, *_: client.subscribe(f"svitlo/devices/{BOARD}/heartbeat")
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> _Witness:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait(self, beats: int, board: MicroPythonBoard) -> None:
        while self._seq < beats:
            time.sleep(0.02)
            assert board.running, f"the board ended after {self._seq} beats"
            assert time.monotonic() - self._heard_at < 60, f"the board fell silent after {self._seq} beats"
            if self._seq // self._cut_every > self._cuts:
                self._cuts = self._seq // self._cut_every
                self._take_over()

    def told(self, took_s: float, log: str) -> Life:
        lost, connections = self._seq - self._heard, log.count("connected to")
        return Life(self._seq, lost, self._boots, connections, self._cuts, took_s, samples(log), log)

    def _take_over(self) -> None:
        """Connect under the board's name: the broker closes its connection, and sends its will."""
        taken = threading.Event()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, BOARD)
        client.username_pw_set(BOARD, self._password)
        client.on_connect = lambda *_: taken.set()
        with contextlib.suppress(OSError):  # the board may have been faster
            client.connect(self._broker.host, self._broker.port)
            client.loop_start()
            taken.wait(10)
            client.disconnect()
            client.loop_stop()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.retain:
            return
        beat = json.loads(message.payload)
        self._boots.add(beat["boot"])
        self._seq = beat["seq"]
        self._heard += 1
        self._heard_at = time.monotonic()
