"""Statistics over HTTP: of the record, without the time in which nobody watched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.records import Records

NOON = datetime(2024, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
START = NOON - 10 * DAY
WINDOW = {"since": (NOON - HOUR).isoformat(), "until": NOON.isoformat()}


@pytest.fixture
async def home(records: Records) -> None:
    """A site with a board, made ten days before."""
    await records.site("home")
    await records.device("home", "d1", "online")
    await records.execute("UPDATE sites SET created_at = :at", at=START)


async def ask(client: httpx.AsyncClient, **window: str) -> dict[str, Any]:
    response = await client.get("/api/v1/sites/home/statistics", params=window)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.usefixtures("home")
async def test_the_record_makes_the_statistics(client: httpx.AsyncClient, records: Records) -> None:
    began = NOON - HOUR
    await records.outage("home", began - HOUR, began + timedelta(minutes=6), started_hi=began + timedelta(minutes=3))
    await records.outage("home", NOON - timedelta(minutes=30), NOON - timedelta(minutes=27), marks=["reconstructed"])
    await records.outage("home", NOON - timedelta(minutes=20), NOON - timedelta(minutes=10), marks=["maintenance"])
    await records.outage("home", NOON - timedelta(minutes=9), NOON - timedelta(minutes=9), marks=["momentary"])
    await records.outage("home", NOON - timedelta(minutes=8), retracted_at=NOON)
    await records.outage("home", NOON + HOUR)
    await records.gap(NOON - timedelta(minutes=35), NOON - timedelta(minutes=25))
    await records.gap(NOON - timedelta(minutes=30), NOON - timedelta(minutes=15))
    assert await ask(client, **WINDOW) == {
        "site": "home",
        "since": "2024-11-20T11:00:00Z",
        "until": "2024-11-20T12:00:00Z",
        "observed_s": 2400.0,
        "unobserved_s": 1200.0,
        "availability": 0.85,
        "availability_hi": 0.925,
        "outages": {"number": 1, "off_s": 360.0, "off_lo_s": 180.0, "longest_s": 360.0, "mean_s": 360.0},
        "planned": {"number": 1, "off_s": 300.0, "off_lo_s": 300.0, "longest_s": 300.0, "mean_s": 300.0},
        "momentary": 1,
        "unseen": 1,
    }


@pytest.mark.usefixtures("home")
async def test_thirty_days_up_to_now_are_told_unless_asked_otherwise(client: httpx.AsyncClient) -> None:
    found = await ask(client)
    since, until = datetime.fromisoformat(found["since"]), datetime.fromisoformat(found["until"])
    assert until - since == timedelta(days=30)
    assert datetime.now(UTC) - until < timedelta(minutes=1)
    assert (await ask(client, until=NOON.isoformat()))["since"] == "2024-11-10T12:00:00Z"  # when it was made


@pytest.mark.usefixtures("home")
async def test_what_goes_on_runs_to_now(client: httpx.AsyncClient, records: Records) -> None:
    now = datetime.now(UTC)
    await records.execute("UPDATE sites SET created_at = :at", at=now - HOUR)
    await records.outage("home", now - HOUR / 2)
    found = await ask(client, since=(now - DAY).isoformat(), until=(now + DAY).isoformat())
    assert found["observed_s"] == pytest.approx(3600, abs=30)
    assert found["outages"]["off_s"] == pytest.approx(1800, abs=30)
    assert found["availability"] == pytest.approx(0.5, abs=0.02)


LOST = "UPDATE service_ticks SET at = :at, since = :since"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("blind", [True, False])
async def test_time_since_anybody_watched_is_not_observed(
    client: httpx.AsyncClient, records: Records, blind: bool
) -> None:
    now = datetime.now(UTC)
    await records.execute("UPDATE sites SET created_at = :at", at=now - 2 * HOUR)
    if blind:  # the detector is well and hears nothing
        await records.execute(LOST, at=now, since=None)
        await records.execute("UPDATE device_state SET last_proof_at = :at", at=now - HOUR)
    else:
        await records.execute(LOST, at=now - HOUR, since=now - DAY)
    found = await ask(client, since=(now - 2 * HOUR).isoformat())
    assert found["observed_s"] == pytest.approx(3600, abs=1)
    assert found["unobserved_s"] == pytest.approx(3600, abs=30)


@pytest.mark.usefixtures("home")
async def test_while_no_detector_ever_ran_nothing_is_known(client: httpx.AsyncClient, records: Records) -> None:
    await records.execute("DELETE FROM service_ticks")
    found = await ask(client, **WINDOW)
    assert (found["observed_s"], found["availability"]) == (0.0, None)


async def test_of_a_site_that_never_had_a_board_nothing_is_known(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    await records.execute("UPDATE sites SET created_at = :at", at=START)
    found = await ask(client, **WINDOW)
    assert (found["observed_s"], found["availability"], found["outages"]["mean_s"]) == (0.0, None, None)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2024-11-20", "2024-11-20"),
        ("2024-11-21", "2024-11-20"),
        ("2200-01-01", None),
        (None, "0001-01-01"),
        ("x", None),
    ],
)
async def test_a_window_that_is_none_is_told(client: httpx.AsyncClient, since: str | None, until: str | None) -> None:
    window = {name: moment for name, moment in (("since", since), ("until", until)) if moment is not None}
    for path in ("/api/v1/sites/home/statistics", "/api/v1/gaps"):
        response = await client.get(path, params=window)
        assert response.status_code == 422
        assert response.json()["error"]["code"] == "invalid_parameter"


async def test_gaps_are_listed_newest_first(client: httpx.AsyncClient, records: Records) -> None:
    await records.gap(NOON, NOON + HOUR, "start")
    await records.gap(NOON + 2 * HOUR, NOON + 3 * HOUR)
    await records.gap(NOON + 5 * HOUR, NOON + 6 * HOUR)

    async def starts(**query: str) -> list[str]:
        items = (await client.get("/api/v1/gaps", params={"until": "2024-11-20T17:00:00Z"} | query)).json()["items"]
        return [item["started_at"] for item in items]

    assert await starts() == ["2024-11-20T14:00:00Z", "2024-11-20T12:00:00Z"]
    assert await starts(limit="1") == ["2024-11-20T14:00:00Z"]
    assert await starts(limit="1", until="2024-11-20T14:00:00Z") == ["2024-11-20T12:00:00Z"]
    assert await starts(since="2024-11-20T13:00:00Z") == ["2024-11-20T14:00:00Z"]
    assert await starts(since="2024-11-20T12:59:59Z") == ["2024-11-20T14:00:00Z", "2024-11-20T12:00:00Z"]
