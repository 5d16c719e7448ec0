"""Alive is not ready; what is wrong is named."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.api.app import create_app
from svitlo.db.session import Database
from svitlo.settings import load_settings
from tests.api.conftest import LinkStandIn
from tests.support.wait import free_port


def wrong(response: httpx.Response) -> set[str]:
    """The names of the checks that failed."""
    checks: dict[str, Any] = response.json()["checks"]
    assert set(checks) == {"database", "broker", "detector"}
    return {name for name, check in checks.items() if not check["ok"]}


async def test_everything_in_order_is_ready(client: httpx.AsyncClient) -> None:
    response = await client.get("/readyz")
    assert response.status_code == 200
    assert wrong(response) == set()


@pytest.mark.parametrize(
    ("connected", "online", "names"),
    [(True, False, {"detector"}), (False, False, {"broker", "detector"})],
)
async def test_without_broker_or_detector_it_is_not_ready(
    client: httpx.AsyncClient, link: LinkStandIn, connected: bool, online: bool, names: set[str]
) -> None:
    link.connected, link.detector_online = connected, online
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert wrong(response) == names
    error = response.json()["error"]
    assert error["code"] == "not_ready"
    assert all(name in error["message"] for name in names)
    assert "retry-after" in response.headers


async def test_a_detector_that_has_stopped_writing_is_not_ready(client: httpx.AsyncClient, database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("UPDATE service_ticks SET at = now() - interval '1 minute'"))
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert wrong(response) == {"detector"}


async def test_without_its_database_it_is_alive_but_not_ready() -> None:
    async with Database(f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere") as away:
        transport = httpx.ASGITransport(create_app(load_settings(), away, LinkStandIn()))
        async with httpx.AsyncClient(transport=transport, base_url="http://svitlo.test") as client:
            assert (await client.get("/healthz")).json() == {"status": "ok"}
            response = await client.get("/readyz")
            assert response.status_code == 503
            assert wrong(response) == {"database"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/api/v1/sites", "/openapi.json"])
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    full, head = await client.get(path), await client.head(path)
    assert head.status_code == full.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == full.headers["content-type"]
    assert head.headers["cache-control"] == full.headers["cache-control"]


async def test_health_is_never_cached(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await client.get(path)).headers["cache-control"] == "no-store"
