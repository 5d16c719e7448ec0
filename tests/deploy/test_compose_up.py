"""The real installation: `docker compose up`, a board at the published port, an outage in the API."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import secrets
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
import httpx
import pytest
from ruamel.yaml import YAML

from svitlo.simulator.board import VirtualBoard
from tests.support import docker
from tests.support.wait import eventually_async, free_port

ROOT = Path(__file__).parent.parent.parent
SERVICES = ("ingest", "detector", "notifier", "api")
BUILT_ON = "python:3.13-slim"
BEAT_S = 2
RETURN_S = 10
"""How long boards may take to return after the broker was away."""

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


def clean_environment() -> dict[str, str]:
    """Ours without what Compose would prefer to the file of settings we give it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SVITLO_", "POSTGRES_"))}


def run(*command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False, timeout=timeout_s
    )


@functools.cache
def why_not() -> str | None:
    """None if an installation can be made here, else the reason in words."""
    if reason := docker.why_not():
        return reason
    try:
        if run("docker", "compose", "version").returncode != 0:
            return "docker compose is not installed"
    except FileNotFoundError:
        return "the docker command is not installed"
    services = YAML(typ="safe", pure=True).load(ROOT / "compose.yaml")["services"]
    for image in sorted({services["db"]["image"], services["broker"]["image"], BUILT_ON}):
        found = run("docker", "image", "inspect", image).returncode == 0
        if not found and run("docker", "pull", "--quiet", image, timeout_s=300).returncode != 0:
            return f"the image {image} can neither be found nor pulled"
    return None


class Installation:
    """A project of its own: its name, ports, passwords and image are nobody else's."""

    def __init__(self, directory: Path) -> None:
        self.project = f"svitlo-test-{secrets.token_hex(4)}"
        self.mqtt_port, self.http_port, self.mqtts_port = free_port(), free_port(), free_port()
        settings = directory / "env"
        settings.write_text(
            f"SVITLO_SECRET={secrets.token_hex(32)}\n"
            "POSTGRES_PASSWORD=p@ss:w/rd?%41\n"
            "SVITLO_TELEGRAM_TOKEN=\n"
            f"SVITLO_RECONNECT_S={RETURN_S}\n"
            f"SVITLO_PUBLIC_MQTT_URL=mqtt://127.0.0.1:{self.mqtt_port}\n"
            f"MQTT_BIND=127.0.0.1\nMQTT_PORT={self.mqtt_port}\nHTTP_PORT={self.http_port}\n"
            f"SVITLO_TLS_NAMES=localhost,127.0.0.1\nMQTTS_BIND=127.0.0.1\nMQTTS_PORT={self.mqtts_port}\n"
        )
        image = {"image": f"{self.project}:test"}
        own_image = directory / "image.yaml"
        own_image.write_text(json.dumps({"services": dict.fromkeys(("setup", *SERVICES), image)}))
        project = ["--project-name", self.project, "--env-file", str(settings)]
        self._compose = ["docker", "compose", *project, "--file", "compose.yaml", "--file", str(own_image)]

    def compose(self, *arguments: str, timeout_s: float = 60) -> str:
        done = run(*self._compose, *arguments, timeout_s=timeout_s)
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}: {done.stdout}{done.stderr}{self.logs()}"
        return done.stdout

    def up(self, *arguments: str) -> None:
        self.compose("up", "--detach", "--wait", "--wait-timeout", "240", *arguments, timeout_s=600)

    def open_tls_door(self) -> None:
        """From here on with the second file, as its first lines say."""
        self._compose += ["--file", "compose.tls.yaml"]
        self.up()

    def svitlo(self, *arguments: str) -> str:
        return self.compose("exec", "-T", "ingest", "svitlo", *arguments)

    def logs(self) -> str:
        return run(*self._compose, "logs", "--tail", "40").stdout

    def remove(self) -> None:
        run(*self._compose, "down", "--volumes", "--timeout", "20", timeout_s=180)
        run("docker", "image", "rm", f"{self.project}:test")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    if reason := why_not():
        pytest.skip(reason)
    made = Installation(tmp_path_factory.mktemp("compose"))
    try:
        made.up("--build")
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def credentials(installation: Installation) -> dict[str, str]:
    """Those of a board at a public site called `house`."""
    installation.svitlo("site", "add", "house", "--name", "House", "--public")
    found: dict[str, str] = json.loads(installation.svitlo("device", "add", "house", "--id", "board", "--json"))
    return found


@asynccontextmanager
async def plugged_in(credentials: dict[str, str]) -> AsyncIterator[VirtualBoard]:
    """A board that lives until the end of the block, then says goodbye."""
    where = urlsplit(credentials["mqtt_url"])
    board = VirtualBoard(
        credentials["device_id"], credentials["password"], where.hostname or "", where.port or 0, interval_s=BEAT_S
    )
    life = asyncio.create_task(board.run(), name="board")
    try:
        yield board
        await board.goodbye()
    finally:
        life.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await life


class Api:
    """What the published port tells."""

    def __init__(self, port: int) -> None:
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}")

    async def get(self, path: str) -> Any:
        """The document at `path`, None while there is none."""
        with contextlib.suppress(httpx.TransportError):
            answer = await self._client.get(path)
            return answer.json() if answer.status_code == 200 else None

    async def house_is(self, state: str) -> bool:
        site = await self.get("/api/v1/sites/house")
        return site is not None and site["state"] == state

    async def outages(self) -> list[Any]:
        page = await self.get("/api/v1/sites/house/outages")
        found: list[Any] = page["items"]
        return found

    async def close(self) -> None:
        await self._client.aclose()


@pytest.fixture
async def api(installation: Installation) -> AsyncIterator[Api]:
    opened = Api(installation.http_port)
    yield opened
    await opened.close()


async def test_an_outage_travels_from_the_board_to_the_api(api: Api, credentials: dict[str, str]) -> None:
    await eventually_async(partial(api.get, "/readyz"), 60, "everything is ready")
    async with plugged_in(credentials) as board:
        await eventually_async(partial(api.house_is, "on"), 90, "the board proves power")
        board.cut_power()
        await eventually_async(partial(api.house_is, "off"), 90, "silence becomes an outage")
        assert len(await api.outages()) == 1
        board.restore_power()
        await eventually_async(partial(api.house_is, "on"), 90, "the board is back")


async def test_making_every_container_anew_is_no_outage(
    installation: Installation, api: Api, credentials: dict[str, str]
) -> None:
    async with plugged_in(credentials) as board:
        await eventually_async(partial(api.house_is, "on"), 90, "the board proves power")
        before = await api.outages()
        connects = board.connects

        await asyncio.to_thread(installation.up, "--force-recreate")

        await eventually_async(lambda: board.connects > connects and board.connected, 60, "the board is in again")
        beats = board.beats + 2 * RETURN_S // BEAT_S
        await eventually_async(lambda: board.beats > beats, 120, "long enough to be missed, had it been")
        assert await api.house_is("on")
        assert await api.outages() == before


async def test_starting_again_changes_nothing(installation: Installation) -> None:
    before = installation.compose("ps", "--quiet")
    installation.up()
    assert installation.compose("ps", "--quiet") == before


async def test_a_broker_that_lost_its_volume_lets_the_boards_in_again(
    installation: Installation, credentials: dict[str, str]
) -> None:
    installation.compose("rm", "--stop", "--force", "broker", "setup")
    volume = f"{installation.project}_broker"
    assert run("docker", "volume", "rm", volume).returncode == 0

    installation.up()

    async with plugged_in(credentials) as board:
        await eventually_async(lambda: board.connected, 60, "ingest gave the board its account again")


async def test_nothing_in_a_container_is_written_by_or_readable_for_others(installation: Installation) -> None:
    for service in SERVICES:
        container = installation.compose("ps", "--quiet", service).strip()
        about = json.loads(run("docker", "inspect", container).stdout)[0]
        assert about["Config"]["User"] == "10001:10001"
        assert about["HostConfig"]["ReadonlyRootfs"] is True
        shown = json.dumps(about["Config"]["Env"])
        assert "p@ss" not in shown
    listing = installation.compose("exec", "-T", "ingest", "ls", "-ln", "/run/svitlo")
    assert {line.split()[0] for line in listing.splitlines()[1:]} == {"-r--------"}


async def test_the_tls_door_lets_in_who_trusts_its_ca(
    installation: Installation, credentials: dict[str, str], tmp_path: Path
) -> None:
    await asyncio.to_thread(installation.open_tls_door)
    installation.compose("cp", "broker:/mosquitto/data/tls/ca.pem", str(tmp_path / "ca.pem"))
    async with aiomqtt.Client(
        "127.0.0.1",
        installation.mqtts_port,
        username=credentials["username"],
        password=credentials["password"],
        identifier=credentials["device_id"],
        tls_context=ssl.create_default_context(cafile=tmp_path / "ca.pem"),
        timeout=10,
    ) as client:
        await client.subscribe("svitlo/devices/board/status", qos=1)
