"""Real parts for every test: Mosquitto and PostgreSQL, embedded always, in containers where an engine answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from svitlo.db.session import Database
from tests.support import docker, postgres
from tests.support.broker import Broker, ContainerBroker, ProcessBroker
from tests.support.postgres import ContainerServer, ProcessServer, Server

# A machine that stands still for a moment says nothing about an example.
settings.register_profile("svitlo", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("svitlo")


def pytest_report_header() -> list[str]:
    reason = docker.why_not()
    return [f"parts: embedded Mosquitto and PostgreSQL; containers: {'used too' if reason is None else reason}"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "provider" in metafunc.fixturenames:
        marked = pytest.param("docker", marks=pytest.mark.docker)
        providers = ["embedded"] if docker.why_not() else ["embedded", marked]
        metafunc.parametrize("provider", providers, scope="session")


@pytest.fixture(scope="session")
def postgres_server(provider: str) -> Iterator[Server]:
    server: Server = ProcessServer() if provider == "embedded" else ContainerServer()
    try:
        postgres.make_template(server)
        yield server
    finally:
        server.close()


@pytest.fixture
def database_url(postgres_server: Server) -> Iterator[str]:
    """A migrated database of the test's own."""
    url = postgres.new_database(postgres_server)
    yield url
    postgres.drop_database(postgres_server, url)


@pytest.fixture
def empty_database_url(postgres_server: Server) -> Iterator[str]:
    """A database without any table."""
    url = postgres.new_database(postgres_server, migrated=False)
    yield url
    postgres.drop_database(postgres_server, url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open `Database` on a migrated database of the test's own."""
    async with Database(database_url) as opened:
        yield opened


@pytest.fixture
def broker(provider: str) -> Iterator[Broker]:
    """A running broker with our own accounts and nothing else."""
    running: Broker = ProcessBroker() if provider == "embedded" else ContainerBroker()
    try:
        running.start()
        yield running
    finally:
        running.close()
