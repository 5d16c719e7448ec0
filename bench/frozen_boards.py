"""From a board frozen in mid-air to `power: off` on MQTT, by will or missed heartbeats: bar 25 s for every board.

Fifty real boards on default settings, one a site, are stopped (SIGSTOP) without their connections closing: first at
random moments one after another, then all at once, where alerts are held back but the retained power must not be.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from bench.figure import Bar, Figure, Sense, percentile
from bench.micropython import mosquitto_version, umqtt
from bench.options import option
from bench.stack import add_boards, running, target
from svitlo.accounts.passwords import derive_password
from svitlo.accounts.roles import ADMIN
from svitlo.cli.context import Target
from svitlo.contracts import DeviceChannel, DeviceState, DeviceStatus, SiteChannel, decode_device, topics
from svitlo.simulator.micropython import MicroPythonBoard
from tests.support.wait import eventually

BOARDS = int(option("BOARDS", 50))
SPREAD_S = option("SPREAD_S", 90.0)
STARTS_S = 20.0
SETTLE_S = 20.0
BAR_S = 25.0
GIVE_UP_S = 60.0

_POWER = topics.site("+", SiteChannel.POWER)
_STATUS = topics.device("+", DeviceChannel.STATUS)


@dataclass(frozen=True)
class Blackout:
    """How long each board's went unseen, in s, and for how many the broker's will had come by then."""

    delays: list[float]
    willed: int


class Bystander:
    """Reads each site's retained power, and the boards' wills. Use as a context manager."""

    def __init__(self, where: Target) -> None:
        self.power: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self.wills: dict[str, float] = {}
        self._where = where
        self._ready = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "bench-bystander")
        self._client.username_pw_set(ADMIN, derive_password(where.secret, ADMIN, 1))
        self._client.on_connect = lambda client, *_: client.subscribe([(_POWER, 1), (_STATUS, 1)])
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect(self._where.broker.host, self._where.broker.port)
        self._client.loop_start()
        eventually(lambda: self._ready, 10, "the bystander is subscribed")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def shows(self, site: str, word: str) -> bool:
        """Whether the site's last power is that word."""
        return bool(self.power[site]) and self.power[site][-1][1] == word

    def off_after(self, site: str, moment: float) -> float | None:
        """When (monotonic) the site was first off after that moment; None if it was not."""
        return next((at for at, word in list(self.power[site]) if word == "off" and at > moment), None)

    def _subscribed(self, *_: object) -> None:
        self._ready = True

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        now, name, payload = time.monotonic(), message.topic.split("/")[2], bytes(message.payload)
        if message.topic.endswith("/power"):
            self.power[name].append((now, payload.decode()))
        elif payload and not message.retain:
            status = decode_device(DeviceChannel.STATUS, payload)
            if isinstance(status, DeviceStatus) and status.state is DeviceState.OFFLINE:
                self.wills[name] = now


def measure() -> list[Figure]:
    """Percentiles of both rounds."""
    names = {f"site-{number}": f"board-{number}" for number in range(BOARDS)}
    dice = random.Random(7)
    with running() as stack, tempfile.TemporaryDirectory(prefix="svitlo-bench-") as folder:
        passwords = add_boards(stack, {site: [board] for site, board in names.items()})
        with Bystander(target(stack)) as bystander, _boards(folder, passwords, stack.mqtt_port) as boards:
            fleet = {site: boards[name] for site, name in names.items()}
            _wait_until_on(fleet, bystander)
            time.sleep(SETTLE_S)
            moments = sorted(dice.uniform(0, SPREAD_S) for _ in fleet)
            apart = _freeze(fleet, bystander, moments, dice)
            _thaw(fleet, bystander)
            together = _freeze(fleet, bystander, [0.0] * len(fleet), dice)
            load = psutil.getloadavg()[0]
    said = f"{BOARDS} boards, {mosquitto_version()}, load {load:.1f}"
    return [
        *_figures("one by one", apart, f"over {SPREAD_S:.0f} s; {said}"),
        *_figures("all at once", together, said),
    ]


def _figures(name: str, blackout: Blackout, note: str) -> Iterator[Figure]:
    delays = blackout.delays
    yield Figure(f"{name}, p50", percentile(delays, 0.5), "s", note=note)
    yield Figure(f"{name}, p99", percentile(delays, 0.99), "s")
    yield Figure(f"{name}, max", max(delays), "s", Bar(Sense.BELOW, BAR_S), "from SIGSTOP to power: off")
    yield Figure(f"{name}, wills first", blackout.willed, "boards", note="the will came before the verdict")


@contextmanager
def _boards(folder: str, passwords: dict[str, str], port: int) -> Iterator[dict[str, MicroPythonBoard]]:
    """Running boards, their starts spread, so that their beats are."""
    with ExitStack() as stack:
        boards = {}
        for name, password in passwords.items():
            board = MicroPythonBoard(
                Path(folder, name), device_id=name, password=password, umqtt=umqtt(), mqtt_port=port
            )
            boards[name] = stack.enter_context(board)
            board.start()
            time.sleep(STARTS_S / len(passwords))
        yield boards


def _wait_until_on(fleet: dict[str, MicroPythonBoard], bystander: Bystander) -> None:
    eventually(lambda: all(bystander.shows(site, "on") for site in fleet), 180, "every site is on")


def _freeze(
    fleet: dict[str, MicroPythonBoard], bystander: Bystander, moments: Sequence[float], dice: random.Random
) -> Blackout:
    """Stop a board at each of the moments (s from now, ascending), and wait until every site is off."""
    began = time.monotonic()
    frozen: dict[str, float] = {}
    for moment, site in zip(moments, dice.sample(sorted(fleet), len(fleet)), strict=True):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        assert bystander.shows(site, "on"), f"{site} is off before its board is frozen"
        fleet[site].freeze()
        frozen[site] = time.monotonic()
    eventually(
        lambda: all(bystander.off_after(site, at) for site, at in frozen.items()),
        GIVE_UP_S,
        "every site is off",
    )
    delays, willed = [], 0
    for site, at in frozen.items():
        off = bystander.off_after(site, at)
        assert off is not None
        delays.append(off - at)
        willed += at < bystander.wills.get(fleet[site].device_id, 0.0) < off
    return Blackout(delays, willed)


def _thaw(fleet: dict[str, MicroPythonBoard], bystander: Bystander) -> None:
    """Let them go on, apart from one another, and settle."""
    for board in fleet.values():
        board.thaw()
        time.sleep(STARTS_S / len(fleet))
    _wait_until_on(fleet, bystander)
    time.sleep(SETTLE_S)
