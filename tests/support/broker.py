"""A real Mosquitto for a test: as a child process, or in a container."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Protocol

from svitlo.accounts.passwords import derive_password
from svitlo.accounts.roles import ADMIN
from svitlo.accounts.seed import write_seed
from svitlo.settings import BrokerAddress
from svitlo.setup import BROKER_USER
from svitlo.stack.mosquitto import EmbeddedMosquitto, configuration
from tests.support.wait import eventually, free_port

SECRET = "the tests' master secret"
MOSQUITTO_IMAGE = os.environ.get("SVITLO_TEST_MOSQUITTO_IMAGE", "eclipse-mosquitto:2")


class Broker(Protocol):
    """What a test may do with the broker."""

    host: str
    port: int

    def start(self) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...
    def forget(self) -> None: ...


def address(broker: Broker, username: str, generation: int = 1) -> BrokerAddress:
    """The broker's address for an account whose password is derived from the tests' secret."""
    return BrokerAddress(broker.host, broker.port, username, derive_password(SECRET, username, generation))


def admin_password() -> str:
    return derive_password(SECRET, ADMIN, 1)


def answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def speaks_mqtt(host: str, port: int) -> bool:
    """Whether a CONNECT gets an answer, be it a no: Docker's own proxy takes connections before the broker does."""
    connect = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=2) as link:
        link.sendall(connect)
        return link.recv(1) == b"\x20"
    return False


class ProcessBroker:
    """Mosquitto as a child process on a free port."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self._root = Path(tempfile.mkdtemp(prefix="svitlo-test-broker-"))
        self._root.chmod(0o711)
        self.embedded = EmbeddedMosquitto(self._root / "broker", self.host, self.port, SECRET)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self.embedded.prepare()
        log = (self._root / "log").open("ab")
        self._process = subprocess.Popen(self.embedded.command(), stdout=log, stderr=log)
        log.close()
        eventually(lambda: answers(self.host, self.port), 15, "mosquitto takes connections")

    def log_text(self) -> str:
        return (self._root / "log").read_text(errors="replace")

    def terminate(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def forget(self) -> None:
        """Lose all data (the broker must be stopped)."""
        shutil.rmtree(self.embedded.directory)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self._root, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(15)


class ContainerBroker:
    """Mosquitto in a container, with the configuration file the product ships."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        self.host = "127.0.0.1"
        self.port = free_port()
        self._data = Path(tempfile.mkdtemp(prefix="svitlo-test-broker-"))
        # As ourselves, so that the files can be removed again; root goes by the image's own user.
        self._owner = (os.geteuid(), os.getegid()) if os.geteuid() != 0 else BROKER_USER
        self._container: Any = (
            DockerContainer(MOSQUITTO_IMAGE)
            .with_kwargs(user="{}:{}".format(*self._owner))
            .with_bind_ports(1883, self.port)
            .with_volume_mapping(str(self._data), "/mosquitto/data", "rw")
            .with_command("mosquitto -c /mosquitto/data/mosquitto.conf")
        )
        self._running = False

    def start(self) -> None:
        if not (self._data / "mosquitto.conf").exists():
            self._prepare()
        if self._running:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._running = True
        eventually(lambda: speaks_mqtt(self.host, self.port), 30, "mosquitto takes connections")

    def _prepare(self) -> None:
        plugin = "/usr/lib/mosquitto_dynamic_security.so"
        text = configuration(port=1883, host="", plugin=plugin, directory="/mosquitto/data")
        (self._data / "mosquitto.conf").write_text(text)
        write_seed(self._data / "dynamic-security.json", SECRET)
        for path in (self._data, *self._data.iterdir()):
            os.chown(path, *self._owner)

    def terminate(self) -> None:
        self._container.get_wrapped_container().stop(timeout=15)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def forget(self) -> None:
        for path in self._data.iterdir():
            path.unlink()

    def close(self) -> None:
        if self._running:
            self._container.stop()
        shutil.rmtree(self._data, ignore_errors=True)
