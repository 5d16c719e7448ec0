"""Two hundred real boards after an outage of their broker: all back within 60 s, and no storm of connections.

The outage lasts 4 min, so that every board's back-off has long been at its cap; SVITLO_BENCH_OUTAGE_S=3600 makes it an
hour. A board is back when the broker has its birth. Attempts are counted in Mosquitto's log, which has whole seconds.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from bench.drain import spent_s
from bench.figure import Bar, Figure, Sense, percentile
from bench.micropython import mosquitto_version, umqtt
from bench.options import option
from svitlo.accounts.roles import ADMIN
from svitlo.contracts import DeviceChannel, DeviceState, DeviceStatus, decode_device, topics
from svitlo.simulator.micropython import MicroPythonBoard
from svitlo.stack.mosquitto import EmbeddedMosquitto
from tests.support.broker import ProcessBroker, admin_password
from tests.support.soak import give_accounts
from tests.support.wait import eventually

BOARDS = int(option("BOARDS", 200))
OUTAGE_S = option("OUTAGE_S", 240.0)
STARTS_S = 30.0
BUSY_S = 10.0
BACK_BAR_S = 60.0
STORM_BAR = 60.0
"""Attempts in the worst second. 200 boards evenly over the 15 to 30 s of a capped back-off make 13 a second."""

_CONNECTED = re.compile(r"^(\S+): New client connected from \S+ as (board-\d+)", re.MULTILINE)
_ATTEMPT = re.compile(r"^(\S+): New connection from", re.MULTILINE)


class _Talkative(EmbeddedMosquitto):
    """Says who connects."""

    def prepare(self) -> None:
        super().prepare()
        text = self.config.read_text(encoding="utf-8")
        self.config.write_text(text.replace("connection_messages false", "connection_messages true"), encoding="utf-8")


class _Broker(ProcessBroker):
    def __init__(self) -> None:
        super().__init__()
        plain = self.embedded
        self.embedded = _Talkative(plain.directory, plain.host, plain.port, plain._secret)


def measure() -> list[Figure]:
    """How long each board took, how many tried in the worst second, and what the boards cost this machine."""
    broker = _Broker()
    try:
        broker.start()
        passwords = give_accounts(broker, [f"board-{number}" for number in range(BOARDS)])
        with (
            tempfile.TemporaryDirectory(prefix="svitlo-bench-") as folder,
            _boards(folder, passwords, broker.port) as boards,
        ):
            with _births(broker) as births:
                time.sleep(STARTS_S)
                eventually(lambda: len(births) == BOARDS, 120, f"{BOARDS} boards are born")
            time.sleep(40)  # a link that held for 30 s starts the back-off over, as in real life
            beating = _busy(boards)
            broker.terminate()
            known = len(broker.log_text())
            away = time.monotonic()
            time.sleep(OUTAGE_S / 3)
            waiting = _busy(boards)
            time.sleep(max(0.0, away + OUTAGE_S - time.monotonic()))
            returned = time.monotonic()
            broker.start()
            with _births(broker) as births:
                eventually(lambda: len(births) == BOARDS, 3 * BACK_BAR_S, f"{BOARDS} boards are back")
                took = [at - returned for at in births.values()]
            load = psutil.getloadavg()[0]
            broker.terminate()  # Mosquitto keeps the end of its log to itself until then
            log = broker.log_text()[known:]
    finally:
        broker.close()
    attempts = Counter(_second(found[1]) for found in _ATTEMPT.finditer(log))
    accepted = Counter(found[2] for found in _CONNECTED.finditer(log))
    spread = " ".join(f"{second - min(attempts)}s:{attempts[second]}" for second in sorted(attempts))
    return [
        Figure("back, p50", percentile(took, 0.5), "s", note=f"{BOARDS} boards, {mosquitto_version()}"),
        Figure("back, p90", percentile(took, 0.9), "s", note=f"broker away for {OUTAGE_S:.0f} s"),
        Figure("back, all", max(took), "s", Bar(Sense.BELOW, BACK_BAR_S), "from the broker's start to the last birth"),
        Figure("worst second", max(attempts.values()), "attempts", Bar(Sense.BELOW, STORM_BAR), spread),
        Figure("attempts", sum(attempts.values()), "connections", note="with those of the bench itself"),
        Figure("accepted", sum(accepted.values()), "connections", note=f"of {len(accepted)} boards; more are repeats"),
        Figure("beating", beating, "cores", note=f"all boards together; the machine's load was {load:.1f} at the end"),
        Figure("waiting", waiting, "cores", note="the same in the middle of the outage"),
    ]


def _second(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp())


def _busy(boards: Sequence[MicroPythonBoard]) -> float:
    """Processor seconds a second of all boards together, over some seconds."""
    began, before = time.monotonic(), sum(spent_s(board.pid or 0) for board in boards)
    time.sleep(BUSY_S)
    return (sum(spent_s(board.pid or 0) for board in boards) - before) / (time.monotonic() - began)


@contextmanager
def _boards(folder: str, passwords: dict[str, str], port: int) -> Iterator[list[MicroPythonBoard]]:
    """Running boards on default settings, their starts spread."""
    with ExitStack() as stack:
        boards = []
        for name, password in passwords.items():
            board = MicroPythonBoard(
                Path(folder, name), device_id=name, password=password, umqtt=umqtt(), mqtt_port=port
            )
            boards.append(stack.enter_context(board))
            board.start()
            time.sleep(STARTS_S / len(passwords))
        yield boards


@contextmanager
def _births(broker: ProcessBroker) -> Iterator[dict[str, float]]:
    """When (monotonic) each board's online status was first seen, from the block's beginning on.

    Retained ones count where they are online: the broker's end has published every board's will before.
    """
    seen: dict[str, float] = {}

    def take(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        status = decode_device(DeviceChannel.STATUS, bytes(message.payload)) if message.payload else None
        if isinstance(status, DeviceStatus) and status.state is DeviceState.ONLINE:
            seen.setdefault(message.topic.split("/")[2], time.monotonic())

    client = mqtt.Client(CallbackAPIVersion.VERSION2, "bench-births")
    client.username_pw_set(ADMIN, admin_password())
    client.on_connect = lambda client, *_: client.subscribe(topics.device("+", DeviceChannel.STATUS), 1)
    client.on_message = take
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        yield seen
    finally:
        client.disconnect()
        client.loop_stop()
