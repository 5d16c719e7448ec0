"""The record of outages: windows, pages, what is left out."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest

from services.api.paging import Position, decode_cursor, encode_cursor
from svitlo.ids import uuid7
from tests.api.records import NOON, Records

HOUR = timedelta(hours=1)


async def ids(client: httpx.AsyncClient, **query: str) -> list[str]:
    response = await client.get("/api/v1/outages", params=query)
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["items"]]


async def test_an_outage_is_told_with_bounds_and_duration(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    past = await records.outage("home", ended=NOON + timedelta(seconds=90.5), cause="power")
    going = await records.outage("home", NOON + HOUR, started_hi=NOON + HOUR + timedelta(seconds=23))
    body = (await client.get("/api/v1/sites/home/outages")).json()
    assert body == {
        "items": [
            {
                "id": going,
                "site": "home",
                "started_lo": "2026-11-20T13:00:00Z",
                "started_hi": "2026-11-20T13:00:23Z",
                "ended_lo": None,
                "ended_hi": None,
                "detected_at": "2026-11-20T13:00:23Z",
                "duration_s": None,
                "cause": "presumed",
                "rev": 1,
                "retracted": False,
                "momentary": False,
                "reconstructed": False,
                "maintenance": False,
            },
            {
                "id": past,
                "site": "home",
                "started_lo": "2026-11-20T12:00:00Z",
                "started_hi": "2026-11-20T12:00:00Z",
                "ended_lo": "2026-11-20T12:01:30.500000Z",
                "ended_hi": "2026-11-20T12:01:30.500000Z",
                "detected_at": "2026-11-20T12:00:00Z",
                "duration_s": 90.5,
                "cause": "power",
                "rev": 1,
                "retracted": False,
                "momentary": False,
                "reconstructed": False,
                "maintenance": False,
            },
        ],
        "next": None,
    }


async def test_the_list_of_a_site_holds_its_own_only(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("here")
    await records.site("there")
    mine = await records.outage("here")
    await records.outage("there")
    items = (await client.get("/api/v1/sites/here/outages")).json()["items"]
    assert [item["id"] for item in items] == [mine]


WINDOWS: list[tuple[dict[str, str], bool]] = [
    ({}, True),
    ({"from": "2026-11-20T11:00:00Z", "to": "2026-11-20T12:00:00Z"}, False),  # it starts where the window ends
    ({"from": "2026-11-20T11:00:00Z", "to": "2026-11-20T12:00:00.000001Z"}, True),
    ({"from": "2026-11-20T13:00:00Z", "to": "2026-11-20T14:00:00Z"}, False),  # it ends where the window starts
    ({"from": "2026-11-20T12:59:59.999999Z", "to": "2026-11-20T14:00:00Z"}, True),
    ({"from": "2026-11-20T12:20:00Z", "to": "2026-11-20T12:40:00Z"}, True),  # the window lies within
    ({"from": "2026-11-20T11:00:00Z", "to": "2026-11-20T14:00:00Z"}, True),  # it lies within the window
    ({"from": "2026-11-20T13:00:00Z"}, False),
    ({"to": "2026-11-20T12:00:00Z"}, False),
    ({"from": "2026-11-20T12:30:00"}, True),  # without an offset: UTC
    ({"from": "2026-11-20T13:30:00"}, False),
    ({"from": "2026-11-20T14:59:00+02:00"}, True),
    ({"from": "2026-11-20T15:00:00+02:00"}, False),
    ({"from": "2026-11-20"}, True),
    ({"from": "2026-11-21"}, False),
    ({"from": "0001-01-01", "to": "9999-12-31"}, True),
]


async def test_an_outage_belongs_to_a_window_it_overlaps(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    outage = await records.outage("home", NOON, NOON + HOUR)
    for window, belongs in WINDOWS:
        assert await ids(client, **window) == ([outage] if belongs else []), window


async def test_an_open_outage_belongs_to_every_window_after_its_start(
    client: httpx.AsyncClient, records: Records
) -> None:
    await records.site("home")
    outage = await records.outage("home")
    assert await ids(client, **{"from": "2030-01-01"}) == [outage]
    assert await ids(client, to="2026-11-20T12:00:00Z") == []


async def test_an_outage_of_no_length_belongs_to_the_window_it_starts(
    client: httpx.AsyncClient, records: Records
) -> None:
    await records.site("home")
    outage = await records.outage("home", NOON, NOON)
    assert await ids(client, **{"from": "2026-11-20T12:00:00Z"}) == [outage]


async def test_a_retracted_outage_is_told_only_when_asked_for(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    kept = await records.outage("home", NOON, NOON + HOUR)
    taken = await records.outage("home", NOON + 2 * HOUR, retracted_at=NOON + 3 * HOUR)
    assert await ids(client) == [kept]
    assert await ids(client, retracted="true") == [taken, kept]
    assert await ids(client, retracted="true", **{"from": "2026-11-21"}) == []


async def test_a_momentary_interruption_is_told_only_when_asked_for(
    client: httpx.AsyncClient, records: Records
) -> None:
    await records.site("home")
    kept = await records.outage("home", NOON, NOON + HOUR)
    short = await records.outage("home", NOON + 2 * HOUR, NOON + 2 * HOUR, marks=["momentary"])
    assert await ids(client) == [kept]
    assert await ids(client, momentary="true") == [short, kept]
    items = (await client.get("/api/v1/sites/home/outages?momentary=true")).json()["items"]
    assert [item["momentary"] for item in items] == [True, False]
    items = (await client.get("/api/v1/sites/home/outages")).json()["items"]
    assert [item["id"] for item in items] == [kept]


async def test_an_outage_says_how_it_came_to_be_known(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    await records.outage("home", NOON, NOON + HOUR, marks=["reconstructed"])
    await records.outage("home", NOON + 2 * HOUR, NOON + 3 * HOUR, marks=["maintenance"])
    items = (await client.get("/api/v1/outages")).json()["items"]
    assert [(item["reconstructed"], item["maintenance"]) for item in items] == [(False, True), (True, False)]


async def walk(client: httpx.AsyncClient, records: Records, *, limit: int, add_at: datetime) -> list[str]:
    """Read all pages; between each two, another outage begins at `add_at` and later."""
    seen: list[str] = []
    cursor: str | None = None
    for step in range(100):
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        body = (await client.get("/api/v1/outages", params=query)).json()
        seen += [item["id"] for item in body["items"]]
        cursor = body["next"]
        if cursor is None:
            return seen
        await records.outage("home", add_at + step * HOUR, add_at + (step + 1) * HOUR)
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_hold_every_row_once_while_outages_begin(
    client: httpx.AsyncClient, records: Records, limit: int
) -> None:
    await records.site("home")
    there = [await records.outage("home", NOON + n * HOUR, NOON + (n + 1) * HOUR) for n in range(7)]
    assert await walk(client, records, limit=limit, add_at=NOON + 7 * HOUR) == there[::-1]


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_hold_every_row_once_though_all_begin_together(
    client: httpx.AsyncClient, records: Records, limit: int
) -> None:
    await records.site("home")
    there = {await records.outage("home", NOON, NOON + HOUR) for _ in range(7)}
    seen = await walk(client, records, limit=limit, add_at=NOON)
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


async def test_a_full_last_page_has_no_next(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    for n in range(2):
        await records.outage("home", NOON + n * HOUR, NOON + (n + 1) * HOUR)
    body = (await client.get("/api/v1/outages?limit=2")).json()
    assert len(body["items"]) == 2
    assert body["next"] is None


async def test_fifty_come_at_once_unless_told_otherwise(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    await records.execute(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, ended_lo, ended_hi) "
        "SELECT gen_random_uuid(), s.id, 1, 'power', t, t, t, t, t "
        "FROM sites s, generate_series(CAST(:a AS timestamptz), :b, interval '1 minute') AS t",
        a=NOON,
        b=NOON + timedelta(minutes=59),
    )
    assert len((await client.get("/api/v1/outages")).json()["items"]) == 50
    assert len((await client.get("/api/v1/outages?limit=500")).json()["items"]) == 60


BAD_CURSORS = ["", "x", "!!!", "A" * 31, "A" * 33, "ї" * 32, "/" * 32, "f" + "_" * 31, "A" * 32 + "\n", "A" * 5000]


async def test_a_cursor_that_is_none_of_ours_is_a_bad_request(client: httpx.AsyncClient) -> None:
    for cursor in BAD_CURSORS:
        response = await client.get("/api/v1/outages", params={"cursor": cursor})
        assert response.status_code == 400, cursor
        assert response.json()["error"]["code"] == "bad_cursor"


@pytest.mark.parametrize("moment", [NOON, NOON.replace(year=1), NOON.replace(year=9999, microsecond=999_999)])
def test_a_cursor_stands_for_its_position(moment: datetime) -> None:
    position = Position(moment, uuid7(NOON))
    assert decode_cursor(encode_cursor(position)) == position
    assert decode_cursor(encode_cursor(Position(moment, UUID(int=0)))).id == UUID(int=0)
