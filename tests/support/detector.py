"""The detector under test: in this process or in one of its own, what it tells the world, and what it has written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
from sqlalchemy import text

from svitlo.contracts import PowerEvent, SiteState, decode_as
from svitlo.db.log import LoggedEvent, read
from svitlo.db.session import Database
from svitlo.settings import Settings
from tests.support.broker import Broker, address
from tests.support.house import speaking_as
from tests.support.service import settings_for

ROUNDS = int(os.environ.get("SVITLO_TEST_ROUNDS", "1"))
"""With more than one, heavy tests repeat so often, and those that take minutes run too."""

QUICK = {
    "misses": 2,
    "grace_s": 2.5,
    "will_hold_s": 0.5,
    "reconnect_s": 3.0,
    "birth_hold_s": 0.3,
    "area_devices": 1000,
    "flap_changes": 1000,
}
"""Boards of the tests beat every second: silence counts after 4.5 s, after a blind span too.

That is a second more than the detector takes for a stand-still of its own (3 s) and a beat: a machine that stands still
for less makes no board silent.
"""


def quick_settings(broker: Broker, database_url: str, instance: str = "1", /, **policy: float) -> Settings:
    """The settings of a detector in this process."""
    settings = settings_for("detector", broker, database_url, instance=instance)
    return settings.model_copy(update={"policy": settings.policy.model_copy(update=QUICK | policy)})


class DetectorProcess:
    """`svitlo detector` as a process, to be killed and frozen. Use as a context manager."""

    def __init__(self, broker: Broker, database_url: str, instance: str = "1", /, **policy: float) -> None:
        where = address(broker, "svitlo.detector")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SVITLO_")}
        self.instance = instance
        self._env = clean | {
            "SVITLO_DATABASE_URL": database_url,
            "SVITLO_MQTT_URL": f"mqtt://{where.username}@{where.host}:{where.port}",
            "SVITLO_MQTT_PASSWORD": where.password or "",
            "SVITLO_INSTANCE": instance,
            **{f"SVITLO_{name.upper()}": str(value) for name, value in (QUICK | policy).items()},
        }
        self._log = Path(tempfile.mkstemp(prefix=f"svitlo-test-detector-{instance}-")[1])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self._process is None
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "svitlo", "detector"], env=self._env, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """kill -9, frozen or not."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def said(self) -> str:
        """Its log so far."""
        return self._log.read_text(errors="replace")

    def __enter__(self) -> DetectorProcess:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        ended = self._process.poll() if self._process is not None else None
        if self._process is not None and ended is None:
            self.kill()
        said = self.said()
        self._log.unlink()
        if kind is not None:
            sys.stderr.write(f"detector {self.instance} said:\n{said}")
        assert ended is None, f"detector {self.instance} ended by itself ({ended}):\n{said}"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        assert self._process.poll() is None, self.said()
        self._process.send_signal(number)

    def _end(self, how: signal.Signals) -> None:
        self._signal(how)
        assert self._process is not None
        self._process.wait(30)
        self._process = None


class Integrator:
    """Somebody who reads the sites: each value `power` and `state` ever had, and each message on the event stream."""

    def __init__(self) -> None:
        self.powers: defaultdict[str, list[str]] = defaultdict(list)
        self.kept: dict[str, bytes] = {}
        self.events: list[PowerEvent] = []
        self.echoes: Counter[str] = Counter()
        self._shown: dict[str, str] = {}
        self._ready = asyncio.Event()

    @asynccontextmanager
    async def reading(self, broker: Broker) -> AsyncIterator[Integrator]:
        """Read within the block, also over breaks of the connection."""
        task = asyncio.create_task(self._run(broker), name="integrator")
        try:
            await self._ready.wait()
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def power(self, site: str = "home") -> str:
        """The newest power of a site whose state, which follows it, has come too; empty if there is none."""
        return self._shown.get(site, "")

    def state(self, site: str = "home") -> SiteState:
        return decode_as(SiteState, self.kept[f"svitlo/sites/{site}/state"])

    def word(self, site: str = "home") -> str:
        """The word of its state, empty if there is none."""
        return self.state(site).state.value if self.kept.get(f"svitlo/sites/{site}/state") else ""

    def online(self, instance: str) -> bool:
        """Whether a detector says that it is online."""
        return b"online" in self.kept.get(f"svitlo/services/detector/{instance}", b"")

    async def _run(self, broker: Broker) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with speaking_as(broker, "svitlo.admin") as client:
                    await client.subscribe([("svitlo/sites/#", 1), ("svitlo/services/detector/#", 1)])
                    self._ready.set()
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        self._take(str(message.topic), message.payload)
            await asyncio.sleep(0.2)

    def _take(self, topic: str, payload: bytes) -> None:
        *_, site, channel = topic.split("/")
        if channel == "event":
            self.events.append(decode_as(PowerEvent, payload))
            return
        if channel == "echo":
            self.echoes[site] += 1
            return
        self.kept[topic] = payload
        if channel == "power":
            self.powers[site].append(payload.decode())
        elif channel == "state":
            self._shown[site] = self.powers[site][-1] if self.powers[site] else ""


class Record:
    """What the detector has written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        async with self._database.transaction() as session:
            return list((await session.execute(text(statement), values)).all())

    async def scalar(self, statement: str, **values: Any) -> Any:
        (row,) = await self.rows(statement, **values)
        return row[0]

    async def log(self, site: str | None = None) -> list[PowerEvent]:
        """The event log in order, of one site or all."""
        entries: list[LoggedEvent] = []
        async with self._database.transaction() as session:
            while found := await read(session, entries[-1].seq if entries else 0):
                entries += found
        return [entry.event for entry in entries if site is None or entry.event.site == site]

    async def kinds(self, site: str | None = None) -> list[str]:
        return [event.kind.value for event in await self.log(site)]

    async def outages(self, site: str | None = None) -> list[Any]:
        """The rows of `outages` with the site's slug, oldest first."""
        return await self.rows(
            "SELECT s.slug, o.* FROM outages o JOIN sites s ON s.id = o.site_id "
            "WHERE CAST(:site AS text) IS NULL OR s.slug = :site ORDER BY o.started_lo, s.slug",
            site=site,
        )

    async def gaps(self) -> list[str]:
        """Why we were blind, in order."""
        return [row.reason for row in await self.rows("SELECT reason FROM observation_gaps ORDER BY started_at")]

    async def knows(self, count: int) -> bool:
        """Whether so many living boards are stored, as a detector that starts now would find them."""
        return bool(await self.scalar("SELECT count(*) >= :n FROM device_state WHERE liveness = 'online'", n=count))
