"""`svitlo bot target add` and `set`: by which rules a target is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import typed
from svitlo import registry
from svitlo.cli.target_rules import parse_mute
from svitlo.db.session import Database
from svitlo.errors import UserError
from tests.cli.conftest import CommandLine

SECRET = "s3cr3t-w0rd"
KYIV = ZoneInfo("Europe/Kyiv")
NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)  # 16:00 in Kyiv


@pytest.fixture
def house(svitlo: CommandLine) -> CommandLine:
    async def work(session: AsyncSession) -> None:
        await registry.add_site(session, "house", "Дім")
        await registry.add_site(session, "dacha", "Дача")
        await registry.add_site(session, "attic", "Горище")

    svitlo.prepare(work)
    return svitlo


def add(house: CommandLine, *options: str) -> str:
    return house("bot", "target", "add", f"ntfy://{SECRET}", "--site", "house", "--site", "dacha", *options).out


def rows(url: str, sql: str) -> list[Any]:
    async def work() -> list[Any]:
        async with Database(url) as database, database.transaction() as session:
            return list(await session.execute(text(sql)))

    return asyncio.run(work())


def rules(url: str) -> dict[str, Any]:
    """By site the row that the planner reads."""
    found = rows(url, "SELECT s.slug, f.* FROM subscriptions f JOIN sites s ON s.id = f.site_id")
    return {row.slug: row for row in found}


def test_a_target_without_rules_is_told_everything(house: CommandLine) -> None:
    add(house, "--language", "en")
    assert house("bot", "target", "set", "1").out.splitlines() == [
        "Target 1 (ntfy), language en, time zone Europe/Kyiv",
        *(
            line
            for place in ("Дача", "Дім")
            for line in (
                f"⚙️ {place} — alerts on",
                "  About: everything",
                "  Outages: any",
                "  Quiet hours: none",
                "  Reminders: none",
            )
        ),
    ]


def test_a_target_is_added_with_rules(house: CommandLine, database_url: str) -> None:
    options = ("--kinds", "restored, lost", "--min-minutes", "10", "--quiet", "23:00-07:00", "--remind", "3h")
    add(house, *options, "--zone", "Europe/Warsaw", "--mute", "forever")
    for row in rules(database_url).values():
        assert (row.kinds, row.min_minutes) == (["lost", "restored"], 10)
        assert (row.quiet_from, row.quiet_to, row.quiet_mode) == (1380, 420, "hold")
        assert (row.remind_minutes, row.muted_until) == (180, typed.FOREVER)
    assert [row.timezone for row in rows(database_url, "SELECT timezone FROM chats")] == ["Europe/Warsaw"]


def test_rules_are_changed_shown_and_taken_back(house: CommandLine, database_url: str) -> None:
    add(house)
    said = house(
        *("bot", "target", "set", "1", "--kinds", "lost", "--min-minutes", "30", "--quiet", "22-6"),
        *("--quiet-mode", "silent", "--remind", "6h", "--mute", "8h", "--zone", "warsaw", "--language", "en"),
    ).out
    assert "language en, time zone Europe/Warsaw" in said
    assert "🔕 Дім — muted until " in said
    assert "  About: power off\n  Outages: only over 30 min\n  Quiet hours: 22:00–06:00, without a sound\n" in said
    assert "  Reminders: every 6 h while it is off" in said

    said = house(
        *("bot", "target", "set", "1", "--kinds", "all", "--min-minutes", "0", "--quiet", "none"),
        *("--remind", "none", "--mute", "off", "--zone", "default"),
    ).out
    assert (
        "time zone Europe/Kyiv\n⚙️ Дача — alerts on\n  About: everything\n  Outages: any\n  Quiet hours: none\n" in said
    )
    assert all(row.muted_until is None and row.remind_minutes == 0 for row in rules(database_url).values())


def test_one_site_may_have_rules_of_its_own(house: CommandLine, database_url: str) -> None:
    add(house)
    house("bot", "target", "set", "1", "--site", "dacha", "--kinds", "none")
    assert {slug: row.kinds for slug, row in rules(database_url).items()} == {
        "dacha": [],
        "house": ["lost", "restored", "revised", "unstable"],
    }
    assert house.refused("bot", "target", "set", "1", "--site", "attic", "--kinds", "all") == (
        "target 1 does not follow 'attic'; it follows dacha, house"
    )
    assert "there is no target 2" in house.refused("bot", "target", "set", "2", "--kinds", "all")


@pytest.mark.parametrize(
    ("option", "value", "refused"),
    [
        ("--kinds", "lost,found", "there is no 'found'; write some of lost,restored,revised,unstable"),
        ("--quiet", "at night", "'at night' are no hours; write such as 23:00-07:00"),
        ("--quiet", "7-7", "'7-7' are no hours"),
        ("--quiet-mode", "loud", "there are hold and silent, no 'loud'"),
        ("--remind", "often", "'often' is no length of time"),
        ("--remind", "90m", "whole hours from 1h to 24h"),
        ("--remind", "25h", "whole hours from 1h to 24h"),
        ("--mute", "tomorrow", "'tomorrow' is no time"),
        ("--mute", "2020-01-01 08:00", "that time is over already"),
        ("--zone", "Mars/Base", "'Mars/Base' is no time zone"),
        ("--language", "de", "there are uk and en, no 'de'"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    house: CommandLine, database_url: str, option: str, value: str, refused: str
) -> None:
    said = house.refused("bot", "target", "add", f"ntfy://{SECRET}", "--site", "house", option, value)
    assert said.startswith(f"{option}: ")
    assert refused in said
    assert not rows(database_url, "SELECT 1 FROM chats WHERE platform = 'apprise'")
    add(house)
    assert refused in house.refused("bot", "target", "set", "1", "--min-minutes", "5", option, value)
    assert {row.min_minutes for row in rules(database_url).values()} == {0}


@pytest.mark.parametrize(
    ("said", "until"),
    [
        ("8h", NOW + timedelta(hours=8)),
        ("1d12h", NOW + timedelta(hours=36)),
        ("2026-11-24 09:00", datetime(2026, 11, 24, 7, 0, tzinfo=UTC)),
        ("2026-11-24T09:00+01:00", datetime(2026, 11, 24, 8, 0, tzinfo=UTC)),
        ("Forever", typed.FOREVER),
        ("off", None),
    ],
)
def test_a_mute_ends_by_the_clock_of_the_target(said: str, until: datetime | None) -> None:
    assert parse_mute(said, KYIV, NOW) == until


def test_an_hour_that_the_clock_leaps_over_ends_no_mute() -> None:
    with pytest.raises(UserError, match="does not exist in Europe/Kyiv"):
        parse_mute("2027-03-28 03:30", KYIV, NOW)


def test_a_change_stands_in_the_audit_log_without_the_address(house: CommandLine, database_url: str) -> None:
    add(house)
    house("bot", "target", "set", "1", "--site", "house", "--quiet", "23:00-07:00")
    (row,) = rows(database_url, "SELECT target, details FROM audit_log WHERE action = 'target.set'")
    assert (row.target, row.details) == ("1", {"sites": ["house"], "quiet": "23:00-07:00"})
