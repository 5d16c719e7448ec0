"""`svitlo maintenance`: planned in local time, listed with what comes next, cancelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo import registry
from svitlo.cli.maintenance import parse_length, parse_moment
from svitlo.clock import utc_now
from svitlo.errors import UserError
from tests.cli.conftest import CommandLine

KYIV = ZoneInfo("Europe/Kyiv")
NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
YEAR = utc_now().year + 1


@pytest.fixture
def street(svitlo: CommandLine) -> CommandLine:
    """A street with a house."""

    async def work(session: AsyncSession) -> None:
        await registry.add_site(session, "street", "Street")
        await registry.add_site(session, "house", "House", parent="street")

    svitlo.prepare(work)
    return svitlo


def moment(shown: str) -> datetime:
    return datetime.fromisoformat(shown).astimezone(UTC)


def test_a_window_is_planned_in_local_time(street: CommandLine) -> None:
    given = ("maintenance", "add", "house", "--from", f"{YEAR}-11-24 09:00", "--for", "2h", "--reason", "Wiring")
    assert street(*given).out.splitlines() == [
        f"Planned maintenance 1 of house and all under it: {YEAR}-11-24 09:00 to 11:00 (Europe/Kyiv)"
    ]
    window = street(*given, "--zone", "America/New_York", "--only-this-site", "--json").json
    assert moment(window["starts_at"]) == datetime(YEAR, 11, 24, 14, tzinfo=UTC)
    assert (window["zone"], window["subtree"], window["duration_s"]) == ("America/New_York", False, 7200)
    assert (window["reason"], window["state"], window["rrule"]) == ("Wiring", "planned", None)


def test_the_zone_is_the_settings(street: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVITLO_TIMEZONE", "UTC")
    window = street("maintenance", "add", "house", "--from", f"{YEAR}-07-01 09:00", "--for", "1h", "--json").json
    assert (window["zone"], moment(window["starts_at"]).hour) == ("UTC", 9)


def test_an_offset_says_more_than_the_zone(street: CommandLine) -> None:
    given = ("--from", f"{YEAR}-07-01T09:00+00:00", "--to", f"{YEAR}-07-01 14:00")
    window = street("maintenance", "add", "house", *given, "--json").json
    assert (window["zone"], window["duration_s"]) == ("Europe/Kyiv", 2 * 3600)


def test_what_goes_on_and_what_comes_is_listed(street: CommandLine) -> None:
    street("maintenance", "add", "street", "--from", "now", "--for", "90m")
    street("maintenance", "add", "house", "--from", f"{YEAR}-01-04 09:00", "--for", "1d", "--every", "daily")
    now, later = street("maintenance", "list", "--json").json
    assert (now["site"], now["state"], now["duration_s"]) == ("street", "now", 5400)
    assert moment(now["next_ends_at"]) - moment(now["next_starts_at"]) == timedelta(minutes=90)
    assert (later["state"], later["rrule"], later["next_starts_at"]) == ("planned", "FREQ=DAILY", later["starts_at"])
    shown = street("maintenance", "list").out
    assert f"{YEAR}-01-04 09:00 to {YEAR}-01-05 09:00 (Europe/Kyiv)" in shown
    assert len(street("maintenance", "list", "--site", "house", "--json").json) == 2
    assert len(street("maintenance", "list", "--site", "street", "--json").json) == 1


def test_what_is_over_is_listed_on_demand(street: CommandLine) -> None:
    async def work(session: AsyncSession) -> None:
        await registry.add_window(session, "house", starts_at=NOW - timedelta(days=900), duration_s=60, zone="UTC")

    street.prepare(work)
    assert "No maintenance is planned" in street("maintenance", "list").out
    (window,) = street("maintenance", "list", "--all", "--json").json
    assert (window["state"], window["next_starts_at"]) == ("over", None)
    assert "over" in street("maintenance", "list", "--all").out


def test_a_cancelled_window_is_no_longer_listed(street: CommandLine) -> None:
    street("maintenance", "add", "house", "--from", "now", "--for", "2h")
    assert street("maintenance", "cancel", "1").out == "Cancelled maintenance 1 of house.\n"
    assert street("maintenance", "list", "--json").json == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--from", "tomorrow", "--for", "2h"], "'2026-11-24 09:00', or: now"),
        (["--from", "2027-03-28 03:30", "--for", "2h"], "does not exist in Europe/Kyiv"),
        (["--from", "now", "--for", "a while"], "such as 2h"),
        (["--from", "now", "--for", "0h"], "from a second to 14 days"),
        (["--from", "now", "--for", "15d"], "from a second to 14 days"),
        (["--from", "now"], "either --for"),
        (["--from", "now", "--for", "2h", "--to", "now"], "either --for"),
        (["--from", "now", "--to", "2020-01-01"], "--to must be later"),
        (["--from", "2020-01-01", "--for", "2h"], "over already"),
        (["--from", "2020-01-01", "--for", "2h", "--every", "FREQ=DAILY;COUNT=3"], "over already"),
        (["--from", "now", "--for", "2h", "--every", "FREQ=SECONDLY"], "DAILY, WEEKLY, MONTHLY"),
        (["--from", "now", "--for", "2h", "--zone", "Kiev"], "such as Europe/Kyiv"),
    ],
)
def test_what_cannot_be_planned_is_one_line_and_nothing_is_kept(
    street: CommandLine, given: list[str], says: str
) -> None:
    assert says in street.refused("maintenance", "add", "house", *given)
    assert street("maintenance", "list", "--all", "--json").json == []


def test_sites_and_windows_that_are_not_there_are_one_line(street: CommandLine) -> None:
    assert "site list" in street.refused("maintenance", "add", "nowhere", "--from", "now", "--for", "2h")
    assert "site list" in street.refused("maintenance", "list", "--site", "nowhere")
    assert "maintenance list" in street.refused("maintenance", "cancel", "7")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("now", NOW),
        (" NOW ", NOW),
        ("2026-11-24 09:00", datetime(2026, 11, 24, 7, tzinfo=UTC)),
        ("2026-07-24T09:00:30", datetime(2026, 7, 24, 6, 0, 30, tzinfo=UTC)),
        ("2026-11-24", datetime(2026, 11, 23, 22, tzinfo=UTC)),
        ("2026-11-24T09:00Z", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("2026-11-24 09:00-05:00", datetime(2026, 11, 24, 14, tzinfo=UTC)),
        ("2026-10-25 03:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2027-03-28 04:00", datetime(2027, 3, 28, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_people_write_it(given: str, meant: datetime) -> None:
    assert parse_moment(given, KYIV, NOW) == meant


@pytest.mark.parametrize("given", ["", "9:00", "2026-13-01", "0001-01-01 00:00", "soon"])
def test_what_is_no_moment_is_refused(given: str) -> None:
    with pytest.raises(UserError, match="is no time"):
        parse_moment(given, KYIV, NOW)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("2h", 7200), ("90m", 5400), ("1d12h", 129_600), ("45s", 45), ("1h 30m", 5400), ("1D", 86_400)],
)
def test_a_length_is_read_as_people_write_it(given: str, seconds: int) -> None:
    assert parse_length(given) == timedelta(seconds=seconds)


@pytest.mark.parametrize("given", ["", "2", "h", "30m1h", "-1h", "1.5h"])
def test_what_is_no_length_is_refused(given: str) -> None:
    with pytest.raises(UserError, match="such as 2h"):
        parse_length(given)
