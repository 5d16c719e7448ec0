"""What falls due by the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier import upkeep
from services.notifier.upkeep import Upkeep, last_sunday
from svitlo import registry
from svitlo.ids import uuid7
from tests.notifier.conftest import KYIV, World, notifying, until
from tests.support.telegram import FakeTelegram

ZONES = [ZoneInfo(name) for name in ("Europe/Kyiv", "America/New_York", "Asia/Kathmandu", "UTC")]
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


async def off_since(world: World, site: registry.SiteRow, minutes: float) -> UUID:
    """An open outage that began so many minutes ago."""
    outage = uuid7(datetime.now(UTC))
    await world.run(
        "INSERT INTO outages (id, site_id, rev, cause, started_lo, started_hi, detected_at, momentary, reconstructed, "
        "maintenance) SELECT :id, :site, 1, 'power', at, at, at, false, false, false "
        "FROM (SELECT now() - make_interval(secs => CAST(:s AS float8)) AS at) AS given",
        id=outage,
        site=site.id,
        s=60 * minutes,
    )
    return outage


async def look(world: World) -> int:
    return await Upkeep(world.database, lambda: None, KYIV).look()


async def owed(world: World) -> list[tuple[str, int, bool]]:
    rows = await world.rows(
        "SELECT d.kind, c.chat_id, d.silent FROM deliveries d JOIN chats c ON c.id = d.chat ORDER BY d.id"
    )
    return [tuple(row) for row in rows]


async def test_a_reminder_comes_each_interval_once(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    for chat in (1, 2):
        await world.chat(chat, house)
    await world.run(
        "UPDATE subscriptions SET remind_minutes = 60 WHERE chat = (SELECT id FROM chats WHERE chat_id = 1)"
    )
    await off_since(world, house, 65)
    assert await look(world) == 1
    assert await look(world) == 0
    await world.run("UPDATE outages SET started_lo = started_lo - interval '1 hour'")
    assert await look(world) == 1
    assert await owed(world) == [("reminder", 1, False)] * 2
    async with notifying(world, telegram):
        seen = await telegram.wait_for(1, "House — світла немає й досі")
    assert "уже 2 год 5 хв" in seen.text


@pytest.mark.parametrize(
    ("minutes", "rules", "silent"),
    [
        (55, "remind_minutes = 60", None),
        (65, "remind_minutes = 60, quiet_from = 0, quiet_to = 0", True),
        (65, "remind_minutes = 60, quiet_from = 0, quiet_to = 0, quiet_mode = 'hold'", None),
        (65, "remind_minutes = 60, muted_until = now() + interval '1 min'", None),
        (65, "remind_minutes = 60, muted_until = now() - interval '1 min'", False),
        (100, "remind_minutes = 60", None),  # too late; the next one is nearer
        (65, "remind_minutes = 60, min_minutes = 90", None),
        (65, "remind_minutes = 0", None),
    ],
)
async def test_reminders_keep_to_the_chats_rules(world: World, minutes: int, rules: str, silent: bool | None) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.run(f"UPDATE subscriptions SET {rules}")
    await off_since(world, house, minutes)
    await look(world)
    assert await owed(world) == ([] if silent is None else [("reminder", 1, silent)])


async def test_a_reminder_overtaken_by_the_return_is_not_sent(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    await off_since(world, house, 65)
    await look(world)
    await world.run("UPDATE outages SET ended_lo = now(), ended_hi = now()")

    async def dropped() -> bool:
        return [row.state for row in await world.rows("SELECT state FROM deliveries")] == ["dropped"]

    async with notifying(world, telegram):
        await until(dropped)
    assert telegram.texts(1) == []


async def weeks(world: World, now: datetime) -> int:
    async with world.database.transaction() as session:
        return await upkeep.send_weeks(session, KYIV, now)


async def test_the_week_is_owed_once_on_sunday_evening_by_each_chats_clock(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.chat(2, house)
    await world.chat(3)
    await world.run("UPDATE chats SET timezone = 'America/New_York' WHERE chat_id = 2")
    await world.run("UPDATE subscriptions SET created_at = '2026-01-01T00:00:00Z'")
    sunday = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)  # 19:00 in Kyiv, 12:00 in New York
    assert await weeks(world, sunday - timedelta(seconds=1)) == 0
    assert await weeks(world, sunday) == 1
    assert await weeks(world, sunday + timedelta(hours=6)) == 0
    assert await weeks(world, sunday + timedelta(hours=7)) == 1
    assert await weeks(world, sunday + timedelta(days=7)) == 1
    rows = await world.rows(
        "SELECT c.chat_id, d.payload->>'day' AS day FROM deliveries d JOIN chats c ON c.id = d.chat"
    )
    assert sorted(map(tuple, rows)) == [(1, "2026-11-22"), (1, "2026-11-29"), (2, "2026-11-22")]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE chats SET weekly = false",
        "UPDATE chats SET active = false",
        "UPDATE chats SET muted_until = now() + interval '1 hour'",
        "UPDATE subscriptions SET created_at = '2026-11-22T17:30:00Z'",
    ],
)
async def test_no_week_for_those_who_do_not_want_it(world: World, change: str) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET created_at = '2026-01-01T00:00:00Z'")
    await world.run(change)
    assert await weeks(world, datetime(2026, 11, 22, 18, 0, tzinfo=UTC)) == 0


async def test_after_an_outage_of_ours_the_week_comes_late_but_not_too_late(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET created_at = '2026-01-01T00:00:00Z'")
    sunday = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
    assert await weeks(world, sunday + timedelta(hours=12, seconds=1)) == 0
    assert await weeks(world, sunday + timedelta(hours=12)) == 1


@given(moments, st.sampled_from(ZONES))
def test_sunday_evening_is_sunday_evening_in_every_zone(now: datetime, zone: ZoneInfo) -> None:
    due = last_sunday(now, zone)
    local = due.astimezone(zone)
    assert (local.weekday(), local.hour, local.minute) == (6, 19, 0)
    assert due <= now < due + timedelta(days=7, hours=1)


async def test_looking_with_nothing_to_do_does_nothing(world: World) -> None:
    values: list[Any] = [await look(world), await owed(world)]
    assert values == [0, []]
