"""A real broker, an observer, boards that run the real firmware, and MicroPython for scripts."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from svitlo.simulator.micropython import (
    MicroPythonBoard,
    MicroPythonUnavailable,
    UmqttSource,
    environment,
    interpreter,
    umqtt_path,
)
from tests.support.wait import eventually, free_port

OBSERVER = "observer"
PASSWORD = "a password, é included"
DEVICES = ("demo-1", "demo-2")
MARKER = "svitlo/tests/marker"
UMQTT = pytest.StashKey[str]()

ACCESS = """\
user observer
topic readwrite svitlo/#

pattern readwrite svitlo/devices/%u/status
pattern write svitlo/devices/%u/heartbeat
pattern write svitlo/devices/%u/journal
pattern write svitlo/devices/%u/report
pattern read svitlo/devices/%u/command
pattern read svitlo/devices/%u/update
"""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if ran := config.stash.get(UMQTT, None):
        terminalreporter.write_line(f"firmware: {ran}")


@dataclass(frozen=True)
class Message:
    """What the observer received; body is None where the payload is not a JSON object."""

    topic: str
    payload: bytes
    body: dict[str, Any]
    qos: int
    retain: bool
    at: float


class Observer:
    """Sees everything under svitlo/, and comes back by itself when the broker does."""

    def __init__(self, port: int) -> None:
        self.messages: list[Message] = []
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"observer-{id(self)}")
        self._client.username_pw_set(OBSERVER, PASSWORD)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(15)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def expect_return(self) -> Callable[[], None]:
        """To be called before the broker goes away; what it gives waits until this observer listens again."""
        self._subscribed.clear()

        def wait() -> None:
            assert self._subscribed.wait(15)

        return wait

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        sent.wait_for_publish(15)
        assert sent.is_published(), f"{topic} was not taken within 15 s"

    def wait(self, wanted: Callable[[Message], bool], what: str, *, timeout: float = 30, since: float = 0) -> Message:
        """The first message that is wanted, from the time `since` (monotonic) on."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for message in self.messages:
                    if message.at >= since and wanted(message):
                        return message
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    seen = "\n".join(f"{m.at:.2f} {m.topic} {m.payload!r}" for m in self.messages[-20:])
                    raise AssertionError(f"no {what} within {timeout} s; the last messages:\n{seen}")

    def status(self, state: str, *, timeout: float = 30, since: float = 0, **fields: object) -> Message:
        def wanted(message: Message) -> bool:
            body = message.body
            return (
                message.topic.endswith("/status")
                and body.get("state") == state
                and all(body.get(name) == value for name, value in fields.items())
            )

        return self.wait(wanted, f"status {state} {fields}", timeout=timeout, since=since)

    def heartbeat(self, *, timeout: float = 30, since: float = 0, **fields: object) -> Message:
        def wanted(message: Message) -> bool:
            return message.topic.endswith("/heartbeat") and all(
                message.body.get(name) == value for name, value in fields.items()
            )

        return self.wait(wanted, f"heartbeat {fields}", timeout=timeout, since=since)

    def _on_connect(
        self, client: mqtt.Client, data: Any, flags: mqtt.ConnectFlags, code: ReasonCode, extra: Properties | None
    ) -> None:
        client.subscribe("svitlo/#", qos=1)

    def _on_subscribe(
        self, client: mqtt.Client, data: Any, mid: int, codes: list[ReasonCode], extra: Properties | None
    ) -> None:
        self._subscribed.set()

    def _on_message(self, client: mqtt.Client, data: Any, received: mqtt.MQTTMessage) -> None:
        try:
            body = json.loads(received.payload)
        except (ValueError, RecursionError):
            body = None
        message = Message(
            received.topic,
            bytes(received.payload),
            body if isinstance(body, dict) else {},
            received.qos,
            received.retain,
            time.monotonic(),
        )
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()


class Broker:
    """A Mosquitto of our own."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None, access: str = ACCESS) -> None:
        self.port = free_port()
        self.tls_port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        passwords = folder / "passwords"
        passwords.touch(0o600)
        for user in (OBSERVER, *DEVICES):
            subprocess.run(["mosquitto_passwd", "-b", passwords, user, PASSWORD], check=True)
        access_file = folder / "access"
        access_file.write_text(access)
        access_file.chmod(0o600)
        lines = [
            # Started by root it would become "mosquitto", who may not read this folder.
            f"user {pwd.getpwuid(os.getuid()).pw_name}",
            "per_listener_settings false",
            "allow_anonymous false",
            f"password_file {passwords}",
            f"acl_file {access_file}",
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_interval 1",
            "autosave_on_changes true",
            f"listener {self.port} 127.0.0.1",
        ]
        if certificate:
            lines += [
                f"listener {self.tls_port} 127.0.0.1",
                f"certfile {certificate[0]}",
                f"keyfile {certificate[1]}",
            ]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        executable = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        assert executable, "Mosquitto is not installed"
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [executable, "-c", self._folder / "mosquitto.conf"], stdout=log, stderr=log
            )
        wait_until(self._answers, "Mosquitto does not listen")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(10)

    def freeze(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def retained(self, topic: str) -> dict[str, Any]:
        """What somebody who subscribes now is told; empty without a retained message."""
        observer = Observer(self.port)
        try:
            # What is kept was sent before the marker, which came after.
            observer.publish(MARKER, b"{}")
            observer.wait(lambda m: m.topic == MARKER, "marker")
            return next((m.body for m in observer.messages if m.topic == topic and m.retain), {})
        finally:
            observer.close()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Scripts:
    """Runs the *_mpy.py scripts beside the tests on MicroPython, with firmware and shims to import."""

    def __init__(self, umqtt: UmqttSource, folder: Path) -> None:
        self._umqtt = umqtt
        self.folder = folder

    def run(self, name: str, *args: object, folder: Path | None = None, timeout: float = 60) -> Any:
        """The JSON a script prints as its last line; folder is the flash it sees, one of its own if not given."""
        command = interpreter("56wk", Path(__file__).parent / f"{name}_mpy.py")
        done = subprocess.run(
            [*command, *map(str, args)],
            cwd=folder or self.folder,
            env=environment(self._umqtt),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])


BoardMaker = Callable[..., MicroPythonBoard]


@pytest.fixture(scope="session")
def umqtt(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> UmqttSource:
    cache: pytest.Cache | None = getattr(pytestconfig, "cache", None)  # not there with -p no:cacheprovider
    try:
        source = umqtt_path(cache.mkdir("umqtt") if cache else tmp_path_factory.mktemp("umqtt"))
    except MicroPythonUnavailable as error:
        pytestconfig.stash[UMQTT] = f"not run, {error}"
        pytest.skip(str(error))
    pytestconfig.stash[UMQTT] = f"ran with {source}"
    return source


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    brokers: list[Broker] = []

    def make(**options: Any) -> Broker:
        folder = tmp_path / f"broker-{len(brokers)}"
        folder.mkdir()
        broker = Broker(folder, **options)
        brokers.append(broker)
        broker.start()
        return broker

    yield make
    for broker in brokers:
        broker.stop()


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    return make_broker()


@pytest.fixture
def make_observer() -> Iterator[Callable[[Broker], Observer]]:
    observers: list[Observer] = []

    def make(broker: Broker) -> Observer:
        observers.append(Observer(broker.port))
        return observers[-1]

    yield make
    for observer in observers:
        observer.close()


@pytest.fixture
def observer(broker: Broker, make_observer: Callable[[Broker], Observer]) -> Observer:
    return make_observer(broker)


@pytest.fixture
def make_board(tmp_path: Path, umqtt: UmqttSource, broker: Broker) -> Iterator[BoardMaker]:
    boards: list[MicroPythonBoard] = []

    def make(device_id: str = "demo-1", folder: str = "", **options: Any) -> MicroPythonBoard:
        settings = {"password": PASSWORD, "mqtt_port": broker.port, "interval_s": 1, "keepalive_s": 5}
        board = MicroPythonBoard(
            tmp_path / (folder or device_id), device_id=device_id, umqtt=umqtt, **{**settings, **options}
        )
        boards.append(board)
        return board

    yield make
    for board in boards:
        board.kill()
        print(f"--- console of {board.device_id}\n{board.log_text()}")


@pytest.fixture
def board(make_board: BoardMaker) -> MicroPythonBoard:
    return make_board()


@pytest.fixture
def scripts(umqtt: UmqttSource, tmp_path: Path) -> Scripts:
    return Scripts(umqtt, tmp_path)


@pytest.fixture(name="wait_until")
def wait_until_fixture() -> Callable[..., None]:
    return wait_until


def wait_until(condition: Callable[[], object], what: str, timeout: float = 20) -> None:
    eventually(condition, timeout, what)
