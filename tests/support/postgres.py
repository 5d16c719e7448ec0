"""A real PostgreSQL for the test run: embedded, or in a container. Each test gets a database of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg  # type: ignore[import-untyped]

from svitlo.db import migrate
from svitlo.db.session import driver_url
from svitlo.ids import random_word
from svitlo.stack import system_user
from svitlo.stack.postgres import EmbeddedPostgres
from tests.support.wait import eventually

POSTGRES_IMAGE = os.environ.get("SVITLO_TEST_POSTGRES_IMAGE", "postgres:18")
TEMPLATE = "svitlo_template"


class Server(Protocol):
    """A running PostgreSQL and a URL into its maintenance database."""

    url: str

    def close(self) -> None: ...


class ProcessServer:
    """The embedded PostgreSQL."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="svitlo-test-pg-"))
        self._root.chmod(0o711)
        self.embedded = EmbeddedPostgres(self._root / "postgres")
        self.url = self.embedded.url
        self.start()

    def start(self) -> None:
        self.embedded.prepare()
        ids = system_user.owner()
        with (self._root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.embedded.command(),
                stdout=log,
                stderr=log,
                cwd="/",
                user=ids[0] if ids else None,
                group=ids[1] if ids else None,
                extra_groups=[] if ids else None,
            )
        self.embedded.wait_ready()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(20)

    def close(self) -> None:
        if self._process.poll() is None:
            self.stop()
        shutil.rmtree(self._root, ignore_errors=True)


class ContainerServer:
    """PostgreSQL in a container."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        self._container: Any = (
            DockerContainer(POSTGRES_IMAGE)
            .with_env("POSTGRES_USER", "svitlo")
            .with_env("POSTGRES_PASSWORD", "svitlo")
            .with_env("POSTGRES_DB", "svitlo")
            .with_command("postgres -c fsync=off")
            .with_exposed_ports(5432)
        )
        try:
            self._container.start()
            host, port = self._container.get_container_host_ip(), self._container.get_exposed_port(5432)
            self.url = f"postgresql://svitlo:svitlo@{host}:{port}/svitlo"
            eventually(lambda: takes_queries(self.url), 90, "PostgreSQL in its container takes queries")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._container.stop()


def takes_queries(url: str) -> bool:
    with contextlib.suppress(OSError, asyncpg.PostgresError):
        run_sql(url, "SELECT 1")
        return True
    return False


def in_database(url: str, name: str) -> str:
    """The same server's URL, another database."""
    parts = urlsplit(url)
    if not parts.netloc.endswith("@") or parts.hostname:
        return urlunsplit(parts._replace(path=f"/{name}"))
    return url.replace("@/svitlo", f"@/{name}", 1)


def run_sql(url: str, *statements: str) -> None:
    """Run statements outside a transaction."""

    async def work() -> None:
        connection = await asyncpg.connect(driver_url(url))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())


def make_template(server: Server) -> None:
    run_sql(server.url, f"CREATE DATABASE {TEMPLATE}")
    asyncio.run(migrate.upgrade(in_database(server.url, TEMPLATE)))


def new_database(server: Server, *, migrated: bool = True) -> str:
    name = f"test_{random_word(12)}"
    run_sql(server.url, f"CREATE DATABASE {name}" + (f" TEMPLATE {TEMPLATE}" if migrated else ""))
    return in_database(server.url, name)


def drop_database(server: Server, url: str) -> None:
    name = urlsplit(url).path.lstrip("/")
    run_sql(server.url, f"DROP DATABASE {name} WITH (FORCE)")
