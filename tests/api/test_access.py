"""Who may see what: public sites for all, the rest for keys in force."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from svitlo.registry import hash_key
from tests.api.records import NOON, Records

DATA = ["/api/v1/sites", "/api/v1/sites/open", "/api/v1/sites/open/outages", "/api/v1/outages", "/api/v1/devices", "/"]


@pytest.fixture
async def places(records: Records) -> None:
    """One public site, one private, one removed; an outage at each."""
    await records.site("open")
    await records.site("closed", public=False)
    await records.site("gone")
    for site in ("open", "closed", "gone"):
        await records.outage(site, ended=NOON + timedelta(hours=1))
    await records.remove_site("gone")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.usefixtures("places")
async def test_without_a_key_a_private_site_cannot_be_told_from_a_missing_one(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1/sites/{}", "/api/v1/sites/{}/outages", "/api/v1/sites/{}/outages?limit=1"):
        answers = [await client.get(path.format(site)) for site in ("closed", "missing", "gone", "No%00Slug")]
        assert {answer.status_code for answer in answers} == {404}
        assert len({(answer.content, tuple(answer.headers.items())) for answer in answers}) == 1


@pytest.mark.usefixtures("places")
async def test_without_a_key_lists_hold_public_sites_only(client: httpx.AsyncClient) -> None:
    sites, outages = await client.get("/api/v1/sites"), await client.get("/api/v1/outages")
    assert [item["site"] for item in sites.json()["items"]] == ["open"]
    assert [item["site"] for item in outages.json()["items"]] == ["open"]


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("kind", ["read", "admin"])
async def test_a_key_shows_private_sites_but_not_removed_ones(
    client: httpx.AsyncClient, records: Records, kind: str
) -> None:
    client.headers.update(bearer(await records.key(kind=kind)))
    sites, outages = await client.get("/api/v1/sites"), await client.get("/api/v1/outages")
    assert [item["site"] for item in sites.json()["items"]] == ["closed", "open"]
    assert sorted(item["site"] for item in outages.json()["items"]) == ["closed", "open"]
    assert (await client.get("/api/v1/sites/closed")).status_code == 200
    assert len((await client.get("/api/v1/sites/closed/outages")).json()["items"]) == 1
    assert (await client.get("/api/v1/sites/gone")).status_code == 404


@pytest.mark.usefixtures("places")
async def test_a_key_may_come_in_either_header(client: httpx.AsyncClient, records: Records) -> None:
    key = await records.key()
    for headers in (bearer(key), {"X-API-Key": key}, {"Authorization": f"bearer   {key}"}):
        assert (await client.get("/api/v1/sites/closed", headers=headers)).status_code == 200


async def test_a_private_parent_is_not_betrayed_by_its_public_child(
    client: httpx.AsyncClient, records: Records
) -> None:
    await records.site("house", public=False)
    await records.site("flat", parent="house")
    assert (await client.get("/api/v1/sites?parent=house")).json()["items"] == []
    answer = await client.get("/api/v1/sites?parent=house", headers=bearer(await records.key()))
    assert [item["site"] for item in answer.json()["items"]] == ["flat"]


WRONG_KEYS: list[tuple[str, bytes]] = [
    ("Authorization", b"Bearer svk_wrong"),
    ("Authorization", b"Bearer"),
    ("Authorization", b"svk_without_scheme"),
    ("Authorization", b"Digest abc"),
    ("Authorization", b"Bearer \xd0\x9a"),
    ("Authorization", b"Bearer " + b"x" * 10_000),
    ("X-API-Key", b""),
    ("X-API-Key", b"svk_wrong"),
    ("X-API-Key", b"\xff\xfe\x80"),
]


@pytest.mark.usefixtures("places")
async def test_a_wrong_key_is_refused_everywhere(client: httpx.AsyncClient) -> None:
    for name, value in WRONG_KEYS:
        for path in DATA:
            response = await client.get(path, headers=[(name.encode(), value)])
            assert response.status_code == 401, (path, name, value)
            assert response.json()["error"]["code"] == "key_refused"
            assert response.headers["www-authenticate"] == "Bearer"


async def test_a_revoked_key_is_refused_at_once(client: httpx.AsyncClient, records: Records) -> None:
    key = await records.key()
    assert (await client.get("/api/v1/devices", headers=bearer(key))).status_code == 200
    await records.revoke()
    for path in ("/api/v1/devices", "/api/v1/sites"):
        assert (await client.get(path, headers=bearer(key))).status_code == 401


async def test_the_hash_of_a_key_is_no_key(client: httpx.AsyncClient, records: Records) -> None:
    key = await records.key()
    assert (await client.get("/api/v1/sites", headers=bearer(hash_key(key)))).status_code == 401


async def test_devices_need_a_key(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v1/devices")
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "key_required"


async def test_a_proxys_own_basic_credentials_are_passed_over(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v1/sites", headers={"Authorization": "Basic dXNlcjpwYXNz"})
    assert response.status_code == 200


async def test_devices_are_told_with_what_they_last_said(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("open")
    await records.site("closed", public=False)
    await records.device("open", "d1", "late")
    await records.device("closed", "d1")
    await records.device("open", "d2")
    await records.execute(
        "UPDATE devices SET last_seen_at = :at, fw = '1.0.0', rssi = -61, interval_s = 10, reset = 'power_on' "
        "WHERE id = 'd1'",
        at=NOON,
    )
    response = await client.get("/api/v1/devices", headers=bearer(await records.key()))
    assert response.headers["cache-control"] == "no-store"
    empty = dict.fromkeys(("last_seen_at", "fw", "rssi", "interval_s", "reset"))
    assert response.json()["items"] == [
        {
            "id": "d1",
            "sites": ["closed", "open"],
            "last_seen_at": "2026-11-20T12:00:00Z",
            "liveness": "late",
            "fw": "1.0.0",
            "rssi": -61,
            "interval_s": 10,
            "reset": "power_on",
        },
        {"id": "d2", "sites": ["open"], "liveness": "never_seen", **empty},
    ]


async def test_only_what_everybody_may_see_may_be_cached(client: httpx.AsyncClient, records: Records) -> None:
    key = await records.key()
    public = await client.get("/api/v1/sites")
    private = await client.get("/api/v1/sites", headers=bearer(key))
    assert public.headers["cache-control"] == "public, max-age=1"
    assert private.headers["cache-control"] == "no-store"
    assert "Authorization" in public.headers["vary"]
    assert "X-API-Key" in public.headers["vary"]
