"""Who is owed what by the chats' own rules, and how soon, with any number of chats."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.notifier import chats, store
from services.notifier.pacing import Rate, Rates
from services.notifier.planner import Planner
from services.notifier.waiting import follow_rules
from svitlo import registry
from svitlo.contracts import Area, Cause, Change, EventKind, PowerEvent
from svitlo.db import log
from svitlo.ids import uuid7
from tests.notifier.conftest import KYIV, QUICK, World, all_sent, notifying, until
from tests.support.telegram import FakeTelegram

LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED
EAGER = Rates(overall=Rate(1000, 1.0), chat=Rate(1000, 1.0), group=Rate(1000, 1.0))
ALWAYS_QUIET: dict[str, Any] = {"quiet_from": 0, "quiet_to": 0, "quiet_mode": "hold"}


async def rule(world: World, chat_id: int, site: registry.SiteRow | None = None, **values: Any) -> None:
    """Set columns of a chat's subscriptions; times as `interval` words from now."""
    for name, value in values.items():
        to = "now() + CAST(CAST(:value AS text) AS interval)" if name == "muted_until" else ":value"
        await world.run(
            f"UPDATE subscriptions SET {name} = {to} WHERE chat = (SELECT id FROM chats WHERE chat_id = :chat) "
            "AND (CAST(:site AS int) IS NULL OR site_id = :site)",
            value=value,
            chat=chat_id,
            site=site.id if site else None,
        )


async def pass_time(world: World) -> None:
    """Let what is kept back come due."""
    await world.run(
        "UPDATE deliveries SET not_before = now(), next_attempt_at = now() "
        "WHERE state = 'pending' AND not_before > now()"
    )


async def test_only_chosen_kinds_are_owed(world: World) -> None:
    house = await world.site("house")
    for chat in (1, 2):
        await world.chat(chat, house)
    await rule(world, 1, kinds=["restored"])
    for kind in (LOST, RESTORED):
        await world.event(house, kind)
    await world.plan()
    assert (len(await world.states(1)), len(await world.states(2))) == (1, 2)


async def test_an_outage_shorter_than_asked_for_is_never_told(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    for chat in (1, 2):
        await world.chat(chat, house)
    await rule(world, 1, min_minutes=10)
    async with notifying(world, telegram, rates=EAGER):
        await world.event(house)
        await telegram.wait_for(2, "світла немає")
        assert await world.states(1) == ["pending"]
        await world.event(house, RESTORED)
        await telegram.wait_for(2, "світло є")
    assert await world.deliveries(1) == [("dropped", "over before it was told")]
    assert telegram.texts(1) == []


@pytest.mark.parametrize("together", [True, False])
async def test_an_outage_longer_than_asked_for_is_told_when_it_is(
    world: World, telegram: FakeTelegram, together: bool
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, min_minutes=10)
    await world.event(house, ago=timedelta(minutes=12))
    if not together:
        await world.plan()
    async with notifying(world, telegram, rates=EAGER):
        seen = await telegram.wait_for(1, "світла немає")
        await world.event(house, RESTORED)
        await telegram.wait_for(1, "світло є")
    assert "із запізненням" in seen.text  # 12 minutes old, and nobody asked to wait for more than 10


async def test_a_loss_kept_back_for_its_length_is_not_late_and_lets_others_pass(
    world: World, telegram: FakeTelegram
) -> None:
    house, other = await world.site("house"), await world.site("other")
    await world.chat(1, house, other)
    await rule(world, 1, house, min_minutes=10)
    await world.event(house, ago=timedelta(minutes=5))
    await world.event(other)
    async with notifying(world, telegram, rates=EAGER, patience=replace(QUICK, gather_s=0.2)):
        await telegram.wait_for(1, "Other — світла немає")
        await pass_time(world)
        seen = await telegram.wait_for(1, "House — світла немає")
    assert "запізненням" not in seen.text


@pytest.mark.parametrize("held", [{"min_minutes": 10}, ALWAYS_QUIET])
async def test_a_retraction_of_what_is_kept_back_takes_both_away(world: World, held: dict[str, Any]) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, **held)
    await world.event(house)
    await world.event(house, REVISED, cause=Cause.NETWORK, change=Change.RETRACTED)
    await world.plan()
    assert await world.deliveries(1) == [("dropped", "withdrawn before it was told")]


async def test_quiet_hours_that_hold_are_summed_up_at_their_end(world: World, telegram: FakeTelegram) -> None:
    house, other, third = await world.site("house"), await world.site("other"), await world.site("third")
    await world.chat(1, house, other, third)
    await rule(world, 1, house, **ALWAYS_QUIET)
    await rule(world, 1, other, **ALWAYS_QUIET)
    async with notifying(world, telegram, rates=EAGER, patience=replace(QUICK, gather_s=0.2)):
        for site, kind in ((house, LOST), (other, LOST), (house, RESTORED), (third, LOST)):
            await world.event(site, kind)
        await telegram.wait_for(1, "Third — світла немає")
        assert len(telegram.messages(1)) == 1
        await pass_time(world)
        morning = await telegram.wait_for(1, "За тихі години")
        await until(lambda: all_sent(world, 1))
    assert "House — світло є; не було" in morning.text
    assert "Other — світла немає" in morning.text


async def test_quiet_hours_take_the_sound(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    for chat in (1, 2):
        await world.chat(chat, house)
    await rule(world, 1, **{**ALWAYS_QUIET, "quiet_mode": "silent"})
    async with notifying(world, telegram, rates=EAGER):
        await world.event(house)
        for chat in (1, 2):
            await telegram.wait_for(chat, "світла немає")
    said = {
        call.params["chat_id"]: call.params.get("disable_notification") for call in telegram.calls_to("sendMessage")
    }
    assert [said[1] in (True, "true"), said[2] in (True, "true")] == [True, False]


async def test_after_a_mute_places_that_stand_otherwise_are_told(world: World, telegram: FakeTelegram) -> None:
    house, other = await world.site("house"), await world.site("other")
    await world.chat(1, house, other)
    await rule(world, 1, muted_until="8 hours")
    async with notifying(world, telegram, rates=EAGER):
        for site, kind in ((house, LOST), (house, RESTORED), (other, LOST)):
            await world.event(site, kind)
            await world.plan()
        assert telegram.texts(1) == []
        # The mute is lifted: what it held follows at the next look.
        await rule(world, 1, muted_until="0")
        async with world.database.transaction() as session:
            assert await follow_rules(session, KYIV) == 3
        await telegram.wait_for(1, "Other — світла немає")
        await until(lambda: pending_none(world))
    assert len(telegram.messages(1)) == 1
    assert await world.states(1) == ["dropped", "dropped", "sent"]


async def pending_none(world: World) -> bool:
    return not await world.rows("SELECT 1 FROM deliveries WHERE state = 'pending'")


async def test_a_longer_mute_keeps_longer(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await rule(world, 1, muted_until="1 hour")
    await world.event(house)
    await world.plan()
    await world.run("UPDATE chats SET muted_until = now() + interval '2 hours'")
    async with world.database.transaction() as session:
        assert await follow_rules(session, KYIV) == 1
        assert await follow_rules(session, KYIV) == 0
    [row] = await world.rows("SELECT not_before > now() + interval '119 min' AS later FROM deliveries")
    assert row.later


async def test_the_first_goes_at_once_and_what_follows_is_gathered(world: World, telegram: FakeTelegram) -> None:
    sites = [await world.site(f"place-{number}") for number in range(6)]
    await world.chat(1, *sites)
    await world.chat(2, sites[5])
    began = time.monotonic()
    async with notifying(world, telegram, rates=EAGER, patience=replace(QUICK, gather_s=5.0)) as planner:
        await world.event(sites[0])
        planner.wake()
        first = await telegram.wait_for(1, "Place-0")
        for site in sites[1:]:
            await world.event(site)
        planner.wake()
        alone = await telegram.wait_for(2, "Place-5")
        gathered = await telegram.wait_for(1, "Світла немає: 5 місць")
        await until(lambda: all_sent(world, 1, 2))
    assert alone.at < gathered.at  # one who follows one place waits for no list
    assert gathered.at - first.at >= 4.5
    assert first.at - began < 4.5
    assert len(telegram.messages(1)) == 2
    assert sorted(await world.states(1)) == ["merged"] * 4 + ["sent"] * 2
    merged = await world.rows(
        "SELECT 1 FROM deliveries m JOIN deliveries d ON d.id = m.merged_into AND d.state = 'sent' "
        "WHERE m.state = 'merged'"
    )
    assert len(merged) == 4


async def test_an_area_is_one_message(world: World, telegram: FakeTelegram) -> None:
    await world.site("region", "Оболонь")
    sites = [await world.site(f"place-{number}", parent="region") for number in range(4)]
    await world.chat(1, *sites)
    area = Area(id=uuid4(), sites=40)
    for site in sites:
        await world.event(site, area=area)
    async with notifying(world, telegram, rates=EAGER):
        seen = await telegram.wait_for(1, "Оболонь — світла немає")
        await until(lambda: all_sent(world, 1))
    assert "місць: 4\nВодночас світло зникло ще у 36 місцях" in seen.text
    assert len(telegram.messages(1)) == 1


async def test_an_alert_bears_its_buttons_and_goes_to_its_topic(world: World, telegram: FakeTelegram) -> None:
    from services.notifier.bot.callbacks import Ask

    house = await world.site("house")
    telegram.group(-5, forum=True)
    topic = telegram.topic(-5, "Світло")
    await world.chat(-5, house)
    await world.run("UPDATE chats SET topic_id = :topic", topic=topic)
    async with notifying(world, telegram, rates=EAGER):
        await world.event(house)
        seen = await telegram.wait_for(-5, "світла немає")
    assert seen.topic == topic
    asked = [Ask.unpack(button["callback_data"]) for button in seen.buttons]
    assert asked == [Ask(what=what, site=house.id) for what in "hwm"]


async def test_ten_thousand_followers_are_planned_and_claimed_fast(world: World) -> None:
    house = await world.site("house")
    await world.run(
        "INSERT INTO chats (platform, chat_id, language) SELECT 'telegram', n, 'uk' FROM generate_series(1, 10000) n"
    )
    await world.run(
        "INSERT INTO subscriptions (chat, site_id, min_minutes) SELECT id, :site, CASE WHEN id % 10 = 0 THEN 10 ELSE 0 "
        "END FROM chats",
        site=house.id,
    )
    await world.run("ANALYZE")
    await world.event(house)
    began = time.monotonic()
    heard: list[float] = []
    planner = Planner(world.database, lambda: heard.append(time.monotonic() - began))
    assert await planner.plan_batch()
    planned = time.monotonic() - began
    assert len(heard) == 2  # the first go out while the others are still being written down
    [row] = await world.rows("SELECT count(*) AS owed, count(not_before) AS held FROM deliveries")
    assert (row.owed, row.held) == (10_000, 1_000)
    claims = []
    for _ in range(20):
        began = time.monotonic()
        async with world.database.transaction() as session:
            claimed = await store.claim(session, store.Reach(chats.TELEGRAM), 7, 20)
        assert len(claimed) == 7
        claims.append(time.monotonic() - began)
    claim = sorted(claims)[10]
    print(f"first planned in {heard[0]:.2f} s, all in {planned:.2f} s, a claim of 7 takes {1000 * claim:.1f} ms")
    assert planned < 12
    assert claim < 0.25


async def test_with_several_writers_the_planner_passes_over_no_event(world: World) -> None:
    """Writers of the log commit late and in any order; one planner reads all the while."""
    sites = [await world.site(f"place-{number}") for number in range(8)]
    await world.chat(1, *sites)
    pauses = random.Random(5)

    async def write(site: registry.SiteRow) -> None:
        for number in range(5):
            async with world.database.transaction() as session:
                now = datetime.now(UTC)
                event = PowerEvent(
                    id=uuid7(now),
                    rev=1,
                    site=site.slug,
                    kind=RESTORED if number % 2 else LOST,
                    outage_id=uuid7(now),
                    occurred_lo=now,
                    occurred_hi=now,
                    detected_at=now,
                    cause=Cause.POWER,
                    evidence=[],
                )
                await log.append(session, site.id, event)
                await asyncio.sleep(pauses.uniform(0, 0.02))  # numbered, and not yet committed

    planner = asyncio.create_task(Planner(world.database, lambda: None, poll_s=0.01).run())
    try:
        async with asyncio.TaskGroup() as group:
            for site in sites:
                group.create_task(write(site))
        await until(lambda: caught_up(world))
    finally:
        planner.cancel()
        await asyncio.wait([planner])
    missed = await world.rows(
        "SELECT e.seq FROM power_events e LEFT JOIN deliveries d ON d.event_seq = e.seq WHERE d.id IS NULL"
    )
    assert missed == []
    [row] = await world.rows("SELECT count(*) AS owed FROM deliveries")
    assert row.owed == 40


async def caught_up(world: World) -> bool:
    rows = await world.rows(
        "SELECT 1 FROM consumer_offsets WHERE consumer = 'notifier' AND seq = (SELECT max(seq) FROM power_events)"
    )
    return bool(rows)


async def test_rules_of_a_building_hold_for_its_sections(world: World) -> None:
    house = await world.site("house")
    sections = [await world.site(f"section-{number}", parent="house") for number in range(2)]
    for chat in (1, 2):
        await world.chat(chat, house)
    await rule(world, 1, **ALWAYS_QUIET)
    await rule(world, 2, min_minutes=10)
    for section in sections:
        await world.event(section)
    await world.plan()
    await world.event(sections[0], RESTORED)
    await world.plan()
    async with world.database.transaction() as session:
        assert await follow_rules(session, KYIV) == 0
    rows = await world.rows(
        "SELECT c.chat_id, d.state, d.held FROM deliveries d JOIN chats c ON c.id = d.chat ORDER BY c.chat_id, d.id"
    )
    assert [tuple(row) for row in rows] == [
        *[(1, "pending", "quiet")] * 3,
        (2, "dropped", "long"),
        (2, "pending", "long"),
    ]
