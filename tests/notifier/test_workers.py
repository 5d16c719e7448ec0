"""Several notifiers share the work: the rate, the flood wait, and one who polls."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

from services.notifier import chats, workers
from services.notifier.channels.telegram import TelegramChannel
from services.notifier.pacing import TELEGRAM, Pace
from services.notifier.workers import POLL_LOCK, Share, alone
from tests.notifier.conftest import World, all_sent, sending, until
from tests.support.broker import Broker
from tests.support.notifier_process import NotifierProcess, add_chats, at_work
from tests.support.telegram import FEW, STRICT, FakeTelegram


@contextlib.asynccontextmanager
async def sharing(world: World, pace: Pace, name: str) -> AsyncIterator[None]:
    task = asyncio.create_task(Share(world.database, pace, name, beat_s=0.1).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        async with world.database.transaction() as session:
            await workers.leave(session, name)


async def test_a_second_notifier_takes_half_of_the_rate_and_gives_it_back(world: World) -> None:
    one, two = Pace(TELEGRAM), Pace(TELEGRAM)
    async with sharing(world, one, "one"):
        await until(lambda: one.room(time.monotonic()) == 6)  # of 29 a second, in a tenth of it
        async with sharing(world, two, "two"):
            await until(lambda: one.room(time.monotonic()) == 3)
            await until(lambda: two.room(time.monotonic()) == 3)
        await until(lambda: one.room(time.monotonic()) == 6)


async def test_a_newcomer_sends_nothing_until_all_others_know_of_it(world: World) -> None:
    pace = Pace(TELEGRAM)
    await world.run("INSERT INTO notifier_workers (instance, seen_at) VALUES ('busy', now())")
    async with sharing(world, pace, "new"):
        await until(lambda: world.rows("SELECT 1 FROM notifier_workers WHERE instance = 'new'"))
        await asyncio.sleep(0.5)
        assert pace.room(time.monotonic()) == 0
        assert pace.room(time.monotonic(), first=True) > 0
        await world.run("UPDATE notifier_workers SET seen_at = now() WHERE instance = 'busy'")
        await until(lambda: pace.room(time.monotonic()) == 3)


async def test_a_newcomer_does_not_wait_for_the_dead(world: World) -> None:
    pace = Pace(TELEGRAM)
    await world.run(
        "INSERT INTO notifier_workers (instance, seen_at) VALUES ('dead', now() - make_interval(secs => :s))",
        s=workers.SHARE_S,
    )
    async with sharing(world, pace, "new"):
        await until(lambda: pace.room(time.monotonic()) == 3)  # its part is still counted, in case it lives


async def test_a_flood_wait_told_to_one_binds_all(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house)
    await world.plan()
    began = time.monotonic()
    async with world.database.transaction() as session:
        await workers.flood(session, chats.TELEGRAM, 2.0)
        await workers.flood(session, chats.TELEGRAM, 0.5)
    channel = TelegramChannel(telegram.token, telegram.url)
    async with sending(world, channel):
        seen = await telegram.wait_for(1, "світла немає")
    await channel.close()
    assert seen.at - began > 1.5


async def test_a_429_is_told_to_the_others(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house)
    await world.plan()
    telegram.flood(retry_after=30, chat_id=1)
    channel = TelegramChannel(telegram.token, telegram.url)

    async def left() -> bool:
        async with world.database.transaction() as session:
            return await workers.flood_left(session, chats.TELEGRAM) > 20

    async with sending(world, channel):
        await until(left)
    await channel.close()


async def test_one_works_alone_and_the_next_follows_it(world: World) -> None:
    at_it: list[str] = []

    async def work(name: str) -> None:
        at_it.append(name)
        await asyncio.Event().wait()

    tasks = {
        name: asyncio.create_task(alone(world.database.url, POLL_LOCK, partial(work, name), look_s=0.1))
        for name in ("one", "two")
    }
    try:
        await until(lambda: at_it)
        await asyncio.sleep(0.5)  # long enough for the other to have looked
        assert len(at_it) == 1
        tasks[at_it[0]].cancel()
        await until(lambda: len(at_it) == 2)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())
    assert sorted(at_it) == ["one", "two"]


async def test_of_two_processes_one_polls_both_deliver_and_the_other_takes_over(world: World, broker: Broker) -> None:
    house = await world.site("house")
    everybody = range(1, 151)
    await add_chats(world.database, {chat: [house.id] for chat in everybody})
    url = world.database.url
    async with AsyncExitStack() as closing:
        telegram = await closing.enter_async_context(FakeTelegram(**STRICT))
        one, two = (closing.enter_context(NotifierProcess(broker, url, telegram, name)) for name in "12")
        await at_work(world.database, 2)
        await until(lambda: telegram.calls_to("getUpdates"), 60)
        await until(lambda: [said for said in (one.said(), two.said()) if "standing by" in said], 60)
        await world.event(house)
        await until(lambda: all_sent(world, *everybody), 60)
        assert [len(telegram.messages(chat)) for chat in everybody] == [1] * 150
        # Telegram takes 30 a second of both together.
        assert telegram.refused() <= FEW

        standby, poller = (one, two) if "standing by" in one.said() else (two, one)
        assert "standing by" not in poller.said()
        poller.kill()
        killed = time.monotonic()
        telegram.say(1, "/help")
        await telegram.wait_until(lambda: len(telegram.messages(1)) == 2, 60)
        assert telegram.messages(1)[-1].at - killed < 25  # ten, and more for a busy machine
        assert "409" not in standby.said()
        poller.start()
