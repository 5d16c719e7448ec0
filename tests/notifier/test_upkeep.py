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
        (65, "remind_minutes = 60, kinds = '{restored,revised}'", None),
        (65, "remind_minutes = 60, kinds = '{lost}'", False),
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


@pytest.mark.parametrize(
    ("owed_by", "sent_by", "heard"),
    [
        ("quiet_from = NULL", "quiet_from = 0, quiet_to = 0", "silent"),
        ("quiet_from = NULL", "quiet_from = 0, quiet_to = 0, quiet_mode = 'hold'", "never"),
        ("quiet_from = NULL", "muted_until = now() + interval '1 min'", "never"),
        ("quiet_from = 0, quiet_to = 0", "quiet_from = NULL", "aloud"),
    ],
)
async def test_a_reminder_keeps_to_the_hours_in_which_it_is_sent(
    world: World, telegram: FakeTelegram, owed_by: str, sent_by: str, heard: str
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.run(f"UPDATE subscriptions SET remind_minutes = 60, {owed_by}")
    await off_since(world, house, 65)
    assert await look(world) == 1
    await world.run(f"UPDATE subscriptions SET {sent_by}")
    async with notifying(world, telegram):
        await until(lambda: nothing_waits(world))
    assert [("silent" if seen.silent else "aloud") for seen in telegram.messages(1)] == [heard] * (heard != "never")


async def test_of_places_with_other_hours_only_those_are_reminded_of_that_may_be(
    world: World, telegram: FakeTelegram
) -> None:
    places = [await world.site(name, name) for name in ("held", "still", "loud")]
    await world.chat(1, *places)
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    for place in places:
        await off_since(world, place, 65)
    assert await look(world) == 3
    for place, mode in zip(places, ("hold", "silent"), strict=False):
        await world.run(
            "UPDATE subscriptions SET quiet_from = 0, quiet_to = 0, quiet_mode = :mode WHERE site_id = :site",
            mode=mode,
            site=place.id,
        )
    async with notifying(world, telegram):
        await until(lambda: nothing_waits(world))
    [seen] = telegram.messages(1)
    assert ("held" in seen.text, "still" in seen.text, "loud" in seen.text) == (False, True, True)
    assert not seen.silent


async def reminded(world: World) -> dict[int, list[UUID]]:
    """By chat the outages it is owed a reminder of, those pending still."""
    rows = await world.rows(
        "SELECT c.chat_id, d.payload->>'outage' AS outage FROM deliveries d JOIN chats c ON c.id = d.chat "
        "WHERE d.kind = 'reminder' AND d.state = 'pending' ORDER BY d.id"
    )
    found: dict[int, list[UUID]] = {}
    for row in rows:
        found.setdefault(row.chat_id, []).append(UUID(row.outage))
    return found


async def test_reminders_reach_those_who_are_told_of_the_outage_by_the_nearest_rules(world: World) -> None:
    city = await world.site("city")
    house = await world.site("house", parent="city")
    section = await world.site("section", parent="house")
    other = await world.site("other", parent="city")
    await world.chat(1, city)
    await world.chat(2, house)
    await world.chat(3, section)
    await world.chat(4, other)
    await world.chat(5, city, house)  # the house's rules: none of its sections
    await world.chat(6, city, section)  # the section's: every hour, once
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    for chat, site, minutes in ((5, house, 0), (6, city, 180)):
        await world.run(
            "UPDATE subscriptions SET remind_minutes = :minutes "
            "WHERE site_id = :at AND chat = (SELECT id FROM chats WHERE chat_id = :chat)",
            minutes=minutes,
            at=site.id,
            chat=chat,
        )
    outage = await off_since(world, section, 65)
    assert await look(world) == 4
    assert await reminded(world) == {chat: [outage] for chat in (1, 2, 3, 6)}
    assert await look(world) == 0


async def test_reminders_of_a_private_place_reach_only_those_who_were_let_in(world: World) -> None:
    house = await world.site("house")
    flat = await world.site("flat", parent="house", public=False)
    yard = await world.site("yard", public=False)
    gate = await world.site("gate", parent="yard", public=False)
    for chat, site in ((1, house), (2, flat), (3, yard)):
        await world.chat(chat, site)
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    of_flat, of_gate = await off_since(world, flat, 65), await off_since(world, gate, 65)
    await look(world)
    assert await reminded(world) == {2: [of_flat], 3: [of_gate]}


async def test_a_place_made_private_is_not_reminded_of_by_what_waits(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    flat = await world.site("flat", parent="house")
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    await off_since(world, flat, 65)
    assert await look(world) == 1
    await world.run("UPDATE sites SET public = false WHERE id = :flat", flat=flat.id)
    async with notifying(world, telegram):
        await until(lambda: nothing_waits(world))
    assert telegram.texts(1) == []


async def nothing_waits(world: World) -> bool:
    return not await world.rows("SELECT 1 FROM deliveries WHERE state = 'pending'")


async def test_what_is_soon_due_comes_along_in_one_message(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house", "Дім")
    sections = [await world.site(f"section-{number}", f"Секція {number}", parent="house") for number in range(4)]
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    outages = [await off_since(world, at, ago) for at, ago in zip(sections, (61, 35, 5, 130), strict=True)]
    assert await look(world) == 3
    assert await look(world) == 0
    assert set((await reminded(world))[1]) == {outages[3], outages[0], outages[1]}
    async with notifying(world, telegram):
        seen = await telegram.wait_for(1, "Світла досі немає")
        await until(lambda: nothing_waits(world))
    headline, *lines = seen.text.splitlines()
    assert headline == "🔌 Світла досі немає: 3 місця — Дім"
    assert [line.split(" — ")[0] for line in lines] == ["Секція 3", "Секція 0", "Секція 1"]
    assert lines[0].endswith("уже 2 год 10 хв")
    assert len(telegram.messages(1)) == 1
    rows = await world.rows("SELECT state, merged_into IS NOT NULL AS along FROM deliveries ORDER BY id")
    assert [tuple(row) for row in rows] == [("sent", False), ("merged", True), ("merged", True)]


async def test_sections_that_went_at_any_time_make_two_messages_an_hour_at_most(world: World) -> None:
    house = await world.site("house")
    for number in range(20):
        await off_since(world, await world.site(f"section-{number}", parent="house"), 61 + 3 * number)
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    looks = []
    for _ in range(36):
        looks.append(await look(world))
        await world.run("UPDATE outages SET started_lo = started_lo - interval '10 min'")
    [row] = await world.rows("SELECT count(*) AS n, count(DISTINCT payload->>'outage') AS outages FROM deliveries")
    assert row.outages == 20
    assert row.n >= 20 * 5
    assert sum(found > 0 for found in looks) <= 2 * 6


async def test_soon_is_measured_where_something_is_due_now(world: World) -> None:
    quiet, other = await world.site("quiet"), await world.site("other")
    await world.chat(1, quiet, other)
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    await world.run(
        "UPDATE subscriptions SET quiet_from = 0, quiet_to = 0, quiet_mode = 'hold' WHERE site_id = :at", at=quiet.id
    )
    await off_since(world, quiet, 65)  # due, and held
    await off_since(world, other, 40)  # not due
    assert await look(world) == 0


@pytest.mark.parametrize(
    ("tick", "known"),
    [
        ("now() - interval '10 s', now() - interval '1 day'", True),
        ("now() - interval '2 min', now() - interval '1 day'", False),  # it is away
        ("now() - interval '10 s', NULL", False),  # it is blind
    ],
)
async def test_nobody_is_told_that_it_is_still_off_while_nobody_watches(world: World, tick: str, known: bool) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    await off_since(world, house, 65)
    await world.run(f"INSERT INTO service_ticks (service, at, since) SELECT 'detector', {tick}")
    assert await look(world) == int(known)


@pytest.mark.parametrize(("power", "known"), [("off", True), ("unknown", False)])
async def test_nobody_is_told_that_it_is_still_off_where_no_board_says_so(
    world: World, power: str, known: bool
) -> None:
    """Its boards said goodbye, or were taken away: the outage has no end, and may have had one."""
    house = await world.site("house")
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    await off_since(world, house, 65)
    await world.run(
        "INSERT INTO site_state (site_id, power, state, updated_at) VALUES (:site, :power, :power, now())",
        site=house.id,
        power=power,
    )
    assert await look(world) == int(known)


async def test_an_hour_without_telegram_makes_one_reminder_of_an_outage(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.run("UPDATE subscriptions SET remind_minutes = 60")
    await off_since(world, house, 65)
    for _ in range(3):
        assert await look(world) == 1
        await world.run("UPDATE outages SET started_lo = started_lo - interval '1 hour'")
    async with notifying(world, telegram):
        await telegram.wait_for(1, "House — світла немає й досі")
        await until(lambda: nothing_waits(world))
    assert len(telegram.messages(1)) == 1


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
    assert await weeks(world, sunday + timedelta(hours=14, seconds=1)) == 0
    assert await weeks(world, sunday + timedelta(hours=14)) == 1


@given(moments, st.sampled_from(ZONES))
def test_sunday_evening_is_sunday_evening_in_every_zone(now: datetime, zone: ZoneInfo) -> None:
    due = last_sunday(now, zone)
    local = due.astimezone(zone)
    assert (local.weekday(), local.hour, local.minute) == (6, 19, 0)
    assert due <= now < due + timedelta(days=7, hours=1)


async def test_looking_with_nothing_to_do_does_nothing(world: World) -> None:
    values: list[Any] = [await look(world), await owed(world)]
    assert values == [0, []]
