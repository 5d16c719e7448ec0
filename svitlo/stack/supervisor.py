"""`svitlo up`: Mosquitto, PostgreSQL and the four services as child processes of one supervisor.

It is small on purpose and imports no database or web code: it has to stay when everything else falls.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import psutil

from svitlo.accounts.passwords import derive_password
from svitlo.errors import StackError
from svitlo.settings import SECRETS, BrokerAddress, load_settings
from svitlo.stack import system_user
from svitlo.stack.child import Child, OutputHandler, end_leftovers, remember
from svitlo.stack.mosquitto import EmbeddedMosquitto
from svitlo.stack.places import Places, RunningStack
from svitlo.stack.postgres import EmbeddedPostgres

log = logging.getLogger(__name__)

SERVICES = ("ingest", "detector", "notifier", "api")
PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV")
PASSED_ON_PREFIXES = (
    "SVITLO_",
    "LC_",
    "SSL_CERT_",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
"""What the services get of our environment; somebody else's secrets in it are none of their business."""
READY_S = 40.0
EVERYWHERE = "0.0.0.0"  # noqa: S104 - asked for by --lan


@dataclass(frozen=True)
class Options:
    """How the stack is to run. `host` is where broker and API listen; `extra` goes into the services' environment."""

    data_dir: Path
    host: str = "127.0.0.1"
    http_port: int = 8080
    mqtt_port: int = 1883
    extra: Mapping[str, str] = field(default_factory=dict)
    on_line: OutputHandler | None = None


@asynccontextmanager
async def running(options: Options, say: Callable[[str], None]) -> AsyncIterator[RunningStack]:
    """The stack, ready inside the block and ended after it. Raises `StackError`."""
    places = Places(options.data_dir)
    places.create()
    with places.lock():
        left = await asyncio.to_thread(end_leftovers, places.run / "children.json")
        if left:
            say(f"ended what an earlier run left behind: {', '.join(left)}")
        stack = Stack(options, places)
        try:
            await stack.start(say)
            yield stack.description
        finally:
            say("stopping ...")
            # In a task of its own: a second Ctrl-C must not leave half of it running.
            await uninterrupted(asyncio.create_task(stack.stop(), name="stop"))
            say("stopped.")


async def uninterrupted(task: asyncio.Task[None]) -> None:
    """Wait for a task to its end, however often the waiting is cancelled."""
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()


class Stack:
    """The processes and their order."""

    def __init__(self, options: Options, places: Places) -> None:
        self._options = options
        self._places = places
        self._settings = load_settings()
        secret = self._settings.secret
        self._secret = secret.get_secret_value() if secret else places.master_secret()
        self._children: list[Child] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._postgres: EmbeddedPostgres | None = None
        self._external = self._settings.broker if self._settings.mqtt_url else None
        if self._settings.database_url is None:
            self._postgres = EmbeddedPostgres(places.postgres)
            self._database_url = self._postgres.url
        else:
            self._database_url = self._settings.required_database_url

    @property
    def description(self) -> RunningStack:
        """What the other commands need to know."""
        host = self._options.host
        shown = lan_address() if host == EVERYWHERE else host
        ours = self._external or BrokerAddress(self._local, self._options.mqtt_port)
        boards = self._external or BrokerAddress(shown, self._options.mqtt_port)
        return RunningStack(
            pid=os.getpid(),
            database_url=self._database_url,
            mqtt_url=ours.url,
            board_url=self._settings.public_mqtt_url or boards.url,
            http_url=f"http://{shown}:{self._options.http_port}",
        )

    @property
    def _local(self) -> str:
        """Where we ourselves reach what listens on the chosen address."""
        return "127.0.0.1" if self._options.host == EVERYWHERE else self._options.host

    async def start(self, say: Callable[[str], None]) -> None:
        """Start everything in order and wait until it answers. Raises `StackError`."""
        if self._external is None:
            check_free(self._options.host, self._options.mqtt_port, "--mqtt-port", "the MQTT broker")
        check_free(self._options.host, self._options.http_port, "--http-port", "the API")
        if self._options.http_port == self._options.mqtt_port:
            raise StackError("the API and the MQTT broker cannot share a port; change --http-port or --mqtt-port")
        mosquitto = self._mosquitto_child() if self._external is None else None
        self._places.check_secret(self._secret)
        if self._postgres is not None:
            say("starting the database ...")
            await self._begin(self._postgres_child(self._postgres))
            await asyncio.to_thread(self._postgres.wait_ready)
        if mosquitto is not None:
            say("starting the message broker ...")
            await self._begin(mosquitto)
        await self._migrate()
        say("starting the four services ...")
        for service in SERVICES:
            await self._begin(self._service_child(service))
        await self._wait_ready()
        for child in self._children:
            child.settled = True
        self._places.announce(self.description)

    async def stop(self) -> None:
        """End the services first, then the broker, then the database."""
        self._places.forget()
        if self._postgres is not None:
            self._postgres.give_up()
        for child in self._children:
            child.stopping = True
        services = [child for child in self._children if child.name in SERVICES]
        await asyncio.gather(*(child.stop(12) for child in services), return_exceptions=True)
        for child in reversed(self._children):
            if child not in services:
                await asyncio.gather(child.stop(20), return_exceptions=True)
        if self._postgres is not None:
            self._postgres.tidy()
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        (self._places.run / "children.json").unlink(missing_ok=True)

    async def _begin(self, child: Child) -> None:
        self._children.append(child)
        await child.start()
        self._watchers.append(asyncio.create_task(child.watch(self._remember), name=f"watch {child.name}"))
        self._remember()

    def _remember(self) -> None:
        remember(self._places.run / "children.json", {child.name: child.pid for child in self._children})

    def _postgres_child(self, postgres: EmbeddedPostgres) -> Child:
        return Child(
            "postgres",
            postgres.command,
            log_path=self._places.log / "postgres.log",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            owner=system_user.owner(),
            prepare=postgres.prepare,
            stop_signal=signal.SIGINT,  # fast shutdown: end connections, then stop
        )

    def _mosquitto_child(self) -> Child:
        mosquitto = EmbeddedMosquitto(
            self._places.broker, self._options.host, self._options.mqtt_port, self._secret, self._places.tls
        )
        return Child(
            "mosquitto",
            mosquitto.command,
            log_path=self._places.log / "mosquitto.log",
            env={"PATH": os.environ.get("PATH", "")},
            prepare=mosquitto.prepare,
        )

    def _service_child(self, service: str) -> Child:
        return Child(
            service,
            lambda: [sys.executable, "-m", "svitlo", service],
            log_path=self._places.log / f"{service}.log",
            env=self._service_env(service),
            on_line=self._options.on_line,
        )

    def _service_env(self, service: str) -> dict[str, str]:
        kept = {"SVITLO_TELEGRAM_TOKEN", "SVITLO_TELEGRAM_TOKEN_FILE"} if service == "notifier" else set()
        private = {f"SVITLO_{name.upper()}{end}" for name in SECRETS for end in ("", "_FILE")} - kept
        env = {
            name: value
            for name, value in os.environ.items()
            if name not in private and (name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES))
        }
        env |= {
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
            "SVITLO_LOG_FORMAT": "text",  # the terminal tells alerts from log lines by it
            "SVITLO_DATA_DIR": str(self._options.data_dir),
            "SVITLO_DATABASE_URL": self._database_url,
            "SVITLO_HTTP_HOST": self._options.host,
            "SVITLO_HTTP_PORT": str(self._options.http_port),
        }
        # Another broker than our own has the same accounts, derived from the same secret.
        username = f"svitlo.{service}"
        env["SVITLO_MQTT_URL"] = self.description.mqtt_url.replace("://", f"://{username}@", 1)
        env["SVITLO_MQTT_PASSWORD"] = derive_password(self._secret, username, 1)
        if service == "ingest":
            env["SVITLO_SECRET"] = self._secret
        if service == "notifier" and self._settings.telegram_token is not None:
            # Its bot tells admins the password of a board they have just added.
            env["SVITLO_SECRET"] = self._secret
            env["SVITLO_PUBLIC_MQTT_URL"] = self.description.board_url
        return env | dict(self._options.extra)

    async def _migrate(self) -> None:
        """In a process of its own, so that the supervisor never loads the database's code."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "svitlo", "db", "upgrade"),
            env=self._service_env("migrate"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:  # we are told to stop: it must not outlive its database
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise StackError(f"the database could not be migrated: {output.decode(errors='replace').strip()[-500:]}")

    async def _wait_ready(self) -> None:
        url = f"http://{self._local}:{self._options.http_port}/readyz"
        deadline = asyncio.get_running_loop().time() + READY_S
        reason = "no answer"
        while asyncio.get_running_loop().time() < deadline:
            reason = await asyncio.to_thread(_not_ready, url)
            if not reason:
                return
            await asyncio.sleep(0.2)
        raise StackError(f"the services did not become ready within {READY_S:.0f} s ({reason}); see {self._places.log}")


def _not_ready(url: str) -> str:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return "" if answer.status == 200 else f"status {answer.status}"
    except HTTPError as error:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.load(error)["error"]["message"])
        return str(error)
    except (URLError, OSError) as error:
        return str(error)


def check_free(host: str, port: int, option: str, what: str) -> None:
    """Raises `StackError` when the port is taken, saying by whom if that can be seen."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise StackError(
                f"port {port}, which {what} needs, takes root; choose one above 1023 with {option}"
            ) from error
        except OSError as error:
            raise StackError(
                f"port {port}, which {what} needs, cannot be used: {error.strerror}{_holder(port)}; "
                f"stop what uses it or choose another with {option}"
            ) from error


def free_port(host: str, wanted: int) -> int:
    """`wanted` if it is free, else any free port."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            found: int = probe.getsockname()[1]
            return found
    return wanted


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                if connection.pid is None:
                    return ""
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""


def lan_address() -> str:
    """This machine's address for the boards on the same network; loopback when there is no other."""
    for name, addresses in sorted(psutil.net_if_addrs().items()):
        if name.startswith(("docker", "br-", "veth", "virbr")):
            continue
        for address in addresses:
            if address.family == socket.AF_INET and not address.address.startswith("127."):
                return address.address
    return "127.0.0.1"
