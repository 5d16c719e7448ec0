"""What holds over hours and among processes: nothing is lost while Telegram is away, nothing doubled by two."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta

import pytest

from services.notifier.sender import Patience
from svitlo.contracts import EventKind
from tests.notifier.conftest import World, until
from tests.support.broker import Broker
from tests.support.notifier_process import NotifierProcess, add_chats, at_work, elapse
from tests.support.telegram import FEW, STRICT, FakeTelegram
from tests.support.wait import free_port

LOST, RESTORED = EventKind.POWER_LOST, EventKind.POWER_RESTORED
LATE = "(із запізненням)"
HOUR_S = 3600.0
SLOW_START_S = 180.0


async def an_hour_passes(world: World) -> None:
    """All that is stored becomes an hour older, and what was tried has been tried as often as in an hour."""
    await elapse(world.database, HOUR_S)
    hour = "interval '1 hour'"
    await world.run(
        f"UPDATE power_events SET occurred_lo = occurred_lo - {hour}, occurred_hi = occurred_hi - {hour}, "
        f"detected_at = detected_at - {hour}"
    )
    await world.run("UPDATE deliveries SET attempts = attempts + 20 WHERE state = 'pending'")


@pytest.mark.timeout(400)
async def test_cut_off_from_telegram_for_an_hour_it_tells_everything_late_and_merged(
    world: World, broker: Broker
) -> None:
    """The notifier finds nobody at Telegram's address; the hour passes in the database, which has all the clocks."""
    gone, back, brief, other = [await world.site(slug, slug.title()) for slug in ("gone", "back", "brief", "other")]
    follows = {1: [gone.id], 2: [back.id], 3: [brief.id], 4: [gone.id, back.id, brief.id], 5: [other.id]}
    await add_chats(world.database, follows)
    port = free_port()
    away = FakeTelegram(port=port)
    with NotifierProcess(broker, world.database.url, away, api_url=f"http://127.0.0.1:{port}"):
        await world.event(gone, LOST)
        await world.event(back, LOST)
        await world.event(brief, LOST)
        await until(lambda: tried(world, 4), SLOW_START_S)
        await world.event(brief, RESTORED)  # a restore overtakes what was never sent
        await until(lambda: planned(world, 8), SLOW_START_S)
        await an_hour_passes(world)
        await world.event(back, RESTORED)
        await world.event(other, LOST)
        await until(lambda: planned(world, 11), SLOW_START_S)
        async with away as telegram:
            for chat in follows:
                await telegram.wait_for(chat, lambda _seen: True, 120)
            await until(lambda: nothing_waits(world), 30)
            telegram.say(6, "/start s_other")
            await telegram.wait_for(6, "Other", 120)
            texts = {chat: telegram.texts(chat) for chat in follows}
    assert [len(said) for said in texts.values()] == [1, 1, 1, 1, 1]
    heads = {chat: said[0].splitlines()[0] for chat, said in texts.items()}
    assert heads[1].startswith("🔌 Gone — світла немає з ")
    assert heads[1].endswith(LATE)
    # The end came just now: that news is fresh, and tells the loss that nobody heard of.
    assert heads[2].startswith("💡 Back — світло є; не було 1 год")
    assert heads[3].startswith("💡 Brief — світло є; не було ")
    assert heads[3].endswith(LATE)
    assert [line[0] for line in texts[4][0].splitlines()[1:]] == ["🔌", "💡", "💡"]
    assert heads[5].startswith("🔌 Other — світла немає з ")
    assert LATE not in heads[5]
    rows = await world.rows("SELECT state, count(*) AS n FROM deliveries GROUP BY state")
    assert {row.state: row.n for row in rows} == {"sent": 5, "merged": 6}


async def tried(world: World, count: int) -> bool:
    [row] = await world.rows("SELECT count(*) AS n FROM deliveries WHERE attempts > 0 AND claimed_until IS NULL")
    return int(row.n) >= count


async def planned(world: World, count: int) -> bool:
    [row] = await world.rows("SELECT count(*) AS n FROM deliveries")
    return int(row.n) == count


async def nothing_waits(world: World) -> bool:
    return not await world.rows("SELECT 1 FROM deliveries WHERE state = 'pending'")


@pytest.mark.timeout(500)
async def test_two_notifiers_share_the_work_double_nothing_and_keep_the_limit_together(
    world: World, broker: Broker
) -> None:
    count = 280
    house = await world.site("house")
    await add_chats(world.database, {chat: [house.id] for chat in range(1, count + 1)})
    url = world.database.url
    async with FakeTelegram(**STRICT) as telegram:
        with (
            NotifierProcess(broker, url, telegram, "one") as first,
            NotifierProcess(broker, url, telegram, "two"),
        ):
            await at_work(world.database, 2)
            await until(lambda: telegram.commands, SLOW_START_S)
            # Both know of each other once the newer one has waited for the older one's next beat.
            [row] = await world.rows("SELECT max(seen_at) AS at FROM notifier_workers")
            await until(lambda: beaten(world, row.at + timedelta(seconds=4)), SLOW_START_S)
            await world.event(house)
            began = time.monotonic()
            await telegram.wait_until(lambda: len(telegram.calls_to("sendMessage")) >= count, 120, "all are told")
            took = time.monotonic() - began
            await until(lambda: nothing_waits(world), 30)
            # One of them goes; the other has the whole rate for itself and leaves nobody out.
            await world.event(house, RESTORED)
            await telegram.wait_until(lambda: len(telegram.calls_to("sendMessage")) >= count + 60, 60)
            first.kill()
            await asyncio.sleep(1.1)  # Telegram remembers what the dead one sent; time passes in the database alone
            await elapse(world.database, Patience().lease_s)
            await until(lambda: nothing_waits(world), 120)
    assert telegram.refused() <= FEW
    calls = [call for call in telegram.calls_to("sendMessage") if call.status == 200]
    assert Counter(call.params["chat_id"] for call in calls[:count]) == dict.fromkeys(range(1, count + 1), 1)
    # One alone at its half of the rate takes twice as long, two at the whole rate each take half of it.
    assert 0.9 * count / 28 < took < 1.9 * count / 28
    for chat in range(1, count + 1):
        assert "світла немає" in telegram.texts(chat)[0]
        assert "світло є" in telegram.texts(chat)[-1]
    doubles = len(calls) - 2 * count
    assert 0 <= doubles <= Patience().at_once


async def beaten(world: World, since: object) -> bool:
    """Whether both were seen since then."""
    [row] = await world.rows(
        "SELECT count(*) AS n FROM notifier_workers WHERE instance NOT LIKE 'flood %' AND seen_at > :since", since=since
    )
    return int(row.n) >= 2
