"""`svitlo why`: an explanation for whoever looks after the installation."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo import registry
from svitlo.clock import utc_now
from tests.cli.conftest import CommandLine

_LOST = text("""
INSERT INTO device_state (device_id, liveness, boot, conn, interval_s, last_proof_at, lost_at, lost_by, memory,
                          updated_at)
VALUES (:id, 'lost', '9f3c01ab', 3, 10, :at, :at, 'timeout', CAST(:memory AS jsonb), :at)
""")

_OFF = text("""
INSERT INTO site_state (site_id, power, state, since, updated_at) SELECT id, 'off', 'off', :at, :at FROM sites
""")

_TICK = text("""
INSERT INTO service_ticks (service, at, since, details)
VALUES ('detector', :at, :since, jsonb_build_object('instance', '1'))
""")


@pytest.fixture
def dark(svitlo: CommandLine) -> CommandLine:
    """A private site without power; its two boards fell silent two minutes ago."""
    at = utc_now() - timedelta(minutes=2)
    memory = f'{{"dark": {{"start_lo": "{at.isoformat()}", "start_hi": "{at.isoformat()}"}}}}'

    async def work(session: AsyncSession) -> None:
        await registry.add_site(session, "home", "Home [bold]")
        for device in ("hall", "stairs"):
            await registry.add_device(session, "home", device)
            await session.execute(_LOST, {"id": device, "at": at, "memory": memory})
        await session.execute(_OFF, {"at": at})

    svitlo.prepare(work)
    return svitlo


def tick(svitlo: CommandLine, at: datetime) -> None:
    async def work(session: AsyncSession) -> None:
        await session.execute(_TICK, {"at": at, "since": at - timedelta(hours=1)})

    svitlo.prepare(work)


def test_the_sentence_comes_first_and_then_the_boards(dark: CommandLine) -> None:
    tick(dark, utc_now())
    shown = dark("why", "home").out.splitlines()
    assert shown[0].startswith("Off since ")
    assert shown[0].endswith(": both boards are silent; the rule `any` needs one alive.")
    (hall,) = [line for line in shown if "hall" in line]
    for said in ("lost", "dead", "last heard 2 min", "counted as a loss", "10 s", "9f3c01ab 3", "cause not known"):
        assert said in hall, said
    assert shown[-1].startswith("Written by detector 1 at ")


def test_for_programs_it_is_what_the_api_says(dark: CommandLine) -> None:
    tick(dark, utc_now())
    found = dark("why", "home", "--json").json
    assert (found["state"], found["rule"]["verdict"], found["warnings"]) == ("off", "off", [])
    assert [board["device"] for board in found["devices"]] == ["hall", "stairs"]
    assert found["summary"].startswith("Off since ")


def test_times_are_told_by_the_settings_clock(dark: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    tick(dark, utc_now())
    assert "Europe/Kyiv time" in dark("why", "home").out
    monkeypatch.setenv("SVITLO_TIMEZONE", "UTC")
    assert "UTC time" in dark("why", "home").out


def test_it_answers_without_a_detector_and_says_so(dark: CommandLine) -> None:
    first, second = dark("why", "home").out.splitlines()[:2]
    assert first == "No detector ever ran here, so nothing is watched."
    assert second.startswith("When last known, off since ")
    tick(dark, utc_now() - timedelta(hours=3))
    assert dark("why", "home").out.startswith("No detector has written anything for 3 h")


def test_what_goes_on_and_what_comes_next_is_listed(dark: CommandLine) -> None:
    tick(dark, utc_now())
    dark("maintenance", "add", "home", "--from", "now", "--for", "2h", "--reason", "New [red] meter")
    shown = dark("why", "home").out
    assert "Just now:" in shown
    assert "(New [red] meter)" in shown
    assert "maintenance ends" in shown


def test_a_site_that_is_not_there_is_one_line(dark: CommandLine) -> None:
    assert dark.refused("why", "nowhere") == "there is no site 'nowhere'; svitlo site list shows what there is"
