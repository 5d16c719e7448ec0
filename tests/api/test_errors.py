"""Every error has one shape, says what to do, and none is ours."""

from __future__ import annotations

import asyncio
import random
from urllib.parse import quote

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from services.api.app import create_app
from svitlo.db.session import Database
from svitlo.settings import load_settings
from tests.api.conftest import LinkStandIn
from tests.api.records import Records
from tests.support.wait import eventually_async, free_port

DATA = ["/api/v1/sites", "/api/v1/sites/home", "/api/v1/sites/home/outages", "/api/v1/outages"]


def opened(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://svitlo.test")


def check_shape(response: httpx.Response, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] == code
    assert response.headers["cache-control"] == "no-store"
    message: str = body["error"]["message"]
    return message


WRONG = [
    ("/api/v1/sites?state=glowing", "state"),
    ("/api/v1/sites?parent=%00", "parent"),
    ("/api/v1/sites?parent=UPPER", "parent"),
    ("/api/v1/outages?limit=0", "limit"),
    ("/api/v1/outages?limit=501", "limit"),
    ("/api/v1/outages?limit=many", "limit"),
    ("/api/v1/outages?limit=" + "9" * 5000, "limit"),
    ("/api/v1/outages?from=yesterday", "from"),
    ("/api/v1/outages?from=1795212000.5", "from"),
    ("/api/v1/outages?to=2026-13-01", "to"),
    ("/api/v1/outages?to=0001-01-01T00:00:00%2B14:00", "to"),
    ("/api/v1/outages?to=9999-12-31T23:59:59-14:00", "to"),
    ("/api/v1/outages?from=2026-11-20T00:00:00+02:00", "%2B"),
    ("/api/v1/outages?from=2026-11-21&to=2026-11-20", "from"),
    ("/api/v1/outages?from=2026-11-21&to=2026-11-21", "from"),
    ("/api/v1/outages?retracted=perhaps", "retracted"),
]


async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient) -> None:
    for path, named in WRONG:
        assert named in check_shape(await client.get(path), 422, "invalid_parameter"), path


async def test_an_address_that_is_none_is_not_found(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/api/v1/", "/api/v1/sites/", "/docs", "/redoc", "/api/v1/sites/%2e%2e/x"):
        check_shape(await client.get(path), 404, "not_found")


async def test_nothing_can_be_written(client: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        response = await client.request(method, "/api/v1/sites")
        check_shape(response, 405, "method_not_allowed")
        assert response.headers["allow"] == "GET"


async def test_a_database_that_is_away_is_told_so_without_details() -> None:
    port = free_port()
    async with Database(f"postgresql://nobody@127.0.0.1:{port}/nowhere") as away:
        app = create_app(load_settings(), away, LinkStandIn())
        async with opened(app) as client:
            for path in DATA:
                for headers in ({}, {"X-API-Key": "svk_some"}):
                    response = await client.get(path, headers=headers)
                    message = check_shape(response, 503, "database_unavailable")
                    assert str(port) not in message
                    assert int(response.headers["retry-after"]) > 0
            page = await client.get("/?lang=en")
            assert page.status_code == 503
            assert "retry-after" in page.headers
            assert "No data right now" in page.text
            assert (await client.get("/healthz")).status_code == 200


async def test_a_database_that_hangs_is_given_up(database: Database, database_url: str, records: Records) -> None:
    await records.site("home")
    app = create_app(load_settings(), database, LinkStandIn(), database_timeout_s=0.3)
    async with opened(app) as client, Database(database_url) as other:
        async with other.transaction() as session:
            await session.execute(text("LOCK TABLE sites IN ACCESS EXCLUSIVE MODE"))
            # More requests than the pool has connections.
            answers = await asyncio.gather(*(client.get("/api/v1/sites") for _ in range(12)))
            assert {answer.status_code for answer in answers} == {503}

        async def answered() -> bool:
            return (await client.get("/api/v1/sites")).status_code == 200

        await eventually_async(answered)  # within 0.3 s, for which a database may stand still


async def test_connections_the_database_dropped_are_replaced(
    client: httpx.AsyncClient, database_url: str, records: Records
) -> None:
    await records.site("home")
    assert (await client.get("/api/v1/sites")).status_code == 200
    async with Database(database_url) as other, other.transaction() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert (await client.get("/api/v1/sites")).status_code == 200


async def test_a_fault_of_ours_shows_no_traceback(client: httpx.AsyncClient, app: FastAPI, records: Records) -> None:
    await records.execute("DROP TABLE sites CASCADE")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://svitlo.test") as lenient:
        message = check_shape(await lenient.get("/api/v1/sites"), 500, "internal")
    assert "sites" not in message


def garbage(chance: random.Random) -> str:
    """Something for a query: text, numbers, times, almost right values, raw bytes, percent-encoded."""
    odd = ["", "\x00", "💡", "' OR 1=1 --", "null", "-1", "1e999", "NaN", "Infinity", "٣", "true", "\u202e", "{}", "[]"]
    odd += ["2026-11-20T12:00:00Z", "0001-01-01", "9999-12-31T23:59:59.999999", "on", "A" * 32, "20261120T1200+2359"]
    kind = chance.randrange(4)
    if kind == 0:
        return quote(chance.choice(odd))
    if kind == 1:
        return quote(bytes(chance.randrange(256) for _ in range(chance.randrange(12))))
    if kind == 2:
        return quote(str(chance.randint(-(10**25), 10**25)))
    return quote("".join(chance.choice("0123456789-:TZ+.Wabc") for _ in range(chance.randrange(25))))


async def test_garbage_in_any_parameter_is_never_our_fault(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    await records.outage("home")
    chance = random.Random(20261120)
    names = ["from", "to", "limit", "cursor", "retracted", "state", "parent", "lang", "site", "%00", "x"]
    paths = [*DATA, "/", "/healthz", "/readyz", "/openapi.json"]
    seen = set()
    for _ in range(600):
        query = "&".join(f"{chance.choice(names)}={garbage(chance)}" for _ in range(chance.randrange(1, 4)))
        path = chance.choice([*paths, f"/api/v1/sites/{garbage(chance)}", f"/api/v1/sites/{garbage(chance)}/outages"])
        response = await client.get(f"{path}?{query}")
        assert response.status_code in (200, 400, 404, 422), (path, query)
        seen.add(response.status_code)
    assert seen == {200, 400, 404, 422}


async def test_odd_headers_are_never_our_fault(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    odd = [
        ("Accept-Language", "\t;q=;;,,uk;q=x"),
        ("Accept-Language", "en;q=1e309,uk;q=nan"),
        ("Accept", "nothing/at-all"),
        ("Range", "bytes=0-1"),
        ("If-None-Match", "*"),
    ]
    for path in [*DATA, "/", "/healthz", "/readyz", "/openapi.json"]:
        for name, value in odd:
            response = await client.get(path, headers={name: value})
            assert response.status_code == 200, (path, name, value)
