"""The state of sites over HTTP is the state of the wire contract."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import event

from services.api.schemas import Planned
from services.api.schemas import SiteState as SiteSchema
from svitlo.contracts import ChildTally, SiteState, decode_as
from svitlo.contracts import Planned as Work
from svitlo.db.session import Database
from tests.api.records import NOON, Records

HOUR = timedelta(hours=1)
GOLDEN = Path(__file__).parents[1] / "contracts" / "golden" / "site_state.json"


async def test_a_site_without_power_is_told_as_the_contract_tells_it(
    client: httpx.AsyncClient, records: Records
) -> None:
    await records.site("home", "Шевченка 12")
    for device, liveness in {"d1": "online", "d2": "late", "d3": "lost", "d4": "paused", "d5": None}.items():
        await records.device("home", device, liveness)
    await records.state("home", "off", at=NOON + timedelta(seconds=23))
    outage = await records.outage("home", started_hi=NOON + timedelta(seconds=23))

    response = await client.get("/api/v1/sites/home")

    assert response.status_code == 200
    assert response.json() == {
        "v": 1,
        "site": "home",
        "name": "Шевченка 12",
        "state": "off",
        "since": "2026-11-20T12:00:00Z",
        "cause": "presumed",
        "devices": {"total": 5, "alive": 2},
        "outage": {"id": outage, "started_lo": "2026-11-20T12:00:00Z", "started_hi": "2026-11-20T12:00:23Z"},
        "planned": None,
        "updated_at": "2026-11-20T12:00:23Z",
    }
    assert decode_as(SiteState, response.content).site == "home"


def test_the_schema_reads_and_writes_the_golden_state() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert json.loads(SiteSchema.model_validate(golden).model_dump_json()) == golden


async def test_a_site_nobody_has_judged_yet_is_unknown_since_it_was_made(
    client: httpx.AsyncClient, records: Records
) -> None:
    await records.site("new")
    await records.execute("UPDATE sites SET created_at = :at", at=NOON)
    body = (await client.get("/api/v1/sites/new")).json()
    assert (body["state"], body["since"], body["updated_at"]) == ("unknown", None, "2026-11-20T12:00:00Z")
    assert (body["outage"], body["cause"], body["devices"]) == (None, None, {"total": 0, "alive": 0})


async def test_an_outage_that_is_over_or_retracted_is_not_the_open_one(
    client: httpx.AsyncClient, records: Records
) -> None:
    await records.site("home")
    await records.outage("home", ended=NOON + timedelta(hours=1))
    await records.outage("home", NOON + timedelta(hours=2), retracted_at=NOON + timedelta(hours=3))
    assert (await client.get("/api/v1/sites/home")).json()["outage"] is None


async def test_a_removed_device_is_not_counted(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    await records.device("home", "d1", "online")
    await records.execute("UPDATE devices SET removed_at = now()")
    assert (await client.get("/api/v1/sites/home")).json()["devices"] == {"total": 0, "alive": 0}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["flat-1", "flat-2", "house", "other"]),
        ("state=off", ["flat-1"]),
        ("state=unknown", ["flat-2", "house"]),
        ("parent=house", ["flat-1", "flat-2"]),
        ("parent=house&state=off", ["flat-1"]),
        ("parent=nowhere", []),
        ("state=backup", []),
    ],
)
async def test_the_list_is_filtered_by_state_and_parent(
    client: httpx.AsyncClient, records: Records, query: str, expected: list[str]
) -> None:
    await records.site("house")
    await records.site("flat-1", parent="house")
    await records.site("flat-2", parent="house")
    await records.site("other")
    await records.state("flat-1", "off")
    await records.state("other", "on")
    response = await client.get(f"/api/v1/sites?{query}")
    assert [item["site"] for item in response.json()["items"]] == expected


CHILDREN = {"total": 12, "on": 8, "partial": 1, "off": 3, "unknown": 0}


async def test_a_site_tells_of_the_sites_under_it_as_the_contract_does(
    client: httpx.AsyncClient, records: Records
) -> None:
    await records.site("house")
    await records.state("house", "partial", power="on", memory=json.dumps({"children": CHILDREN}))
    response = await client.get("/api/v1/sites/house")
    assert response.json()["children"] == CHILDREN
    assert "unstable" not in response.json()
    assert decode_as(SiteState, response.content).children == ChildTally(**CHILDREN)


async def test_a_site_whose_power_comes_and_goes_is_unstable(client: httpx.AsyncClient, records: Records) -> None:
    await records.site("home")
    unstable = {"since": "2026-11-20T12:00:00Z", "changes": 5, "off": "PT60S", "last_at": "2026-11-20T12:05:00Z"}
    await records.state("home", "on", memory=json.dumps({"unstable": unstable}))
    response = await client.get("/api/v1/sites/home")
    assert response.json()["unstable"] is True
    assert decode_as(SiteState, response.content).unstable is True


@pytest.mark.parametrize("memory", ["{}", '{"children": null, "unstable": null}', '{"children": {"all": 3}}', "[]"])
async def test_what_the_detector_remembers_otherwise_is_left_out(
    client: httpx.AsyncClient, records: Records, memory: str
) -> None:
    await records.site("home")
    await records.state("home", "on", memory=memory)
    assert {"children", "unstable"}.isdisjoint((await client.get("/api/v1/sites/home")).json())


async def test_maintenance_that_goes_on_is_told_with_its_end(client: httpx.AsyncClient, records: Records) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    await records.site("street")
    await records.site("house", parent="street")
    await records.work("street", now - HOUR, 7200)
    await records.work("house", now + HOUR, 1800)  # goes on where the other ends
    await records.work("street", now + 3 * HOUR)
    listed = {item["site"]: item["planned"] for item in (await client.get("/api/v1/sites")).json()["items"]}
    assert Planned.model_validate(listed["street"]) == Planned(starts_at=now - HOUR, ends_at=now + HOUR)
    assert Planned.model_validate(listed["house"]) == Planned(starts_at=now - HOUR, ends_at=now + 1.5 * HOUR)
    response = await client.get("/api/v1/sites/house")
    assert response.json()["planned"] == listed["house"]
    assert isinstance(decode_as(SiteState, response.content).planned, Work)


async def test_maintenance_that_is_over_or_to_come_is_not_told(client: httpx.AsyncClient, records: Records) -> None:
    now = datetime.now(UTC)
    await records.site("home")
    await records.work("home", now - 2 * HOUR, 3600)
    await records.work("home", now + HOUR, rrule="daily")
    await records.work("home", now - timedelta(days=2, hours=2), rrule="daily")
    assert (await client.get("/api/v1/sites/home")).json()["planned"] is None


async def test_a_thousand_sites_take_one_query(client: httpx.AsyncClient, records: Records, database: Database) -> None:
    await records.execute(
        "INSERT INTO sites (slug, name, public, invite) "
        "SELECT 'site-' || n, 'Site ' || n, true, 'invite-' || n FROM generate_series(1, 1000) AS n"
    )
    statements: list[str] = []

    async with database.transaction() as session:
        engine = session.get_bind().engine

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    response = await client.get("/api/v1/sites")
    assert len(response.json()["items"]) == 1000
    assert len(statements) == 1


async def corrected_by_hand(
    records: Records, *, hours: tuple[float, float], told: float | None, **change: object
) -> None:
    """A site that is on since 15:00, the end of an outage; a person has corrected it to `hours` since noon."""
    await records.site("home")
    await records.state("home", "on", since=NOON + 3 * HOUR)
    started, ended = (NOON + hour * HOUR for hour in hours)
    outage = await records.outage("home", started, ended, **change)  # type: ignore[arg-type]
    await records.execute("UPDATE outages SET rev = 1000 WHERE id = :id", id=UUID(outage))
    if told is not None:
        await records.execute(
            "INSERT INTO power_events (id, rev, site_id, kind, outage_id, occurred_lo, occurred_hi, detected_at, "
            "cause, evidence) SELECT :id, 1, id, 'power_restored', :id, :at, :at, :at, 'presumed', '[]' FROM sites",
            id=UUID(outage),
            at=NOON + told * HOUR,
        )


async def since_everywhere(client: httpx.AsyncClient) -> set[str | None]:
    """Since when the power is on, as the API and its explanation have it."""
    site, why = [(await client.get(f"/api/v1/sites/home{end}")).json() for end in ("", "/why")]
    return {site["since"], why["since"]}


async def test_after_an_outage_was_taken_back_by_hand_the_power_is_on_since_the_one_before(
    client: httpx.AsyncClient, records: Records
) -> None:
    await corrected_by_hand(records, hours=(2, 3), told=3, retracted_at=NOON + 4 * HOUR)
    assert await since_everywhere(client) == {None}
    await records.outage("home", NOON - 3 * HOUR, NOON - HOUR, marks=["momentary"])
    await records.outage("home", NOON - 5 * HOUR, NOON - 4 * HOUR)
    await records.outage("home", NOON, NOON + HOUR, retracted_at=NOON + 2 * HOUR)
    assert await since_everywhere(client) == {"2026-11-20T08:00:00Z"}
    page = (await client.get("/")).text
    assert "17:00" not in page  # by the clock of Kyiv, as the detector had it
    assert "10:00" in page


async def test_after_other_times_were_written_by_hand_the_power_is_on_since_then(
    client: httpx.AsyncClient, records: Records
) -> None:
    await corrected_by_hand(records, hours=(2, 2.5), told=3)
    assert await since_everywhere(client) == {"2026-11-20T14:30:00Z"}


async def test_a_correction_of_an_older_outage_does_not_move_the_power(
    client: httpx.AsyncClient, records: Records
) -> None:
    await corrected_by_hand(records, hours=(1, 2), told=2, retracted_at=NOON + 4 * HOUR)
    assert await since_everywhere(client) == {"2026-11-20T15:00:00Z"}
