"""10,000 subscribers of one building: until all are told that the power went, at the pace Telegram allows.

The notifier is a process of its own on a real PostgreSQL and a real Mosquitto. Telegram is simulated: it answers after
50 ms, and refuses what comes faster than 30 a second, as the real one does. Bars: all within 1.05 of what 28 messages a
second take, the first within 300 ms of the event's commit, and 200 MB at most.
SVITLO_BENCH_SUBSCRIBERS makes it shorter.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import psutil

from bench.figure import Bar, Figure, Sense
from bench.options import option
from bench.processes import MB
from services.notifier.planner import Planner
from svitlo import registry
from svitlo.bus import ServiceLink
from svitlo.contracts import Cause, EventKind, PowerEvent, SiteChannel, topics
from svitlo.db import log
from svitlo.db.session import Database
from svitlo.ids import uuid7
from tests.support import postgres
from tests.support.broker import ProcessBroker, address
from tests.support.notifier_process import NotifierProcess, add_chats, at_work
from tests.support.postgres import ProcessServer
from tests.support.telegram import STRICT, FakeTelegram
from tests.support.wait import eventually_async

SUBSCRIBERS = int(option("SUBSCRIBERS", 10_000))
PER_SECOND = 28
SLACK = 1.05
FIRST_BAR_MS = 300.0
MEMORY_BAR_MB = 200.0
ANSWER_S = 0.05
SAMPLE_EVERY_S = 1.0
FIRST_CHAT = 10_001


def measure() -> list[Figure]:
    """Until the last and the first message, what Telegram refused, and the notifier's most memory."""
    with _parts() as (broker, url):
        return asyncio.run(_tell(broker, url))


@contextmanager
def _parts() -> Iterator[tuple[ProcessBroker, str]]:
    server, broker = ProcessServer(), ProcessBroker()
    try:
        postgres.make_template(server)
        broker.start()
        yield broker, postgres.new_database(server)
    finally:
        broker.close()
        server.close()


async def _tell(broker: ProcessBroker, url: str) -> list[Figure]:
    async with AsyncExitStack() as closing:
        telegram = await closing.enter_async_context(FakeTelegram(**STRICT))
        telegram.slow(ANSWER_S, times=100 * SUBSCRIBERS)
        database = await closing.enter_async_context(Database(url))
        detector = ServiceLink(address(broker, "svitlo.detector"), "detector", "1")
        closing.push_async_callback(_end, asyncio.create_task(detector.run()))
        async with database.transaction() as session:
            site = await registry.add_site(session, "house", "Шевченка 12", public=True)
        await add_chats(database, {FIRST_CHAT + number: [site.id] for number in range(SUBSCRIBERS)})
        await Planner(database, lambda: None).plan_batch()
        notifier = closing.enter_context(NotifierProcess(broker, url, telegram))
        await at_work(database, 1)
        await eventually_async(lambda: detector.connected and telegram.commands, 120, "the notifier polls")
        await asyncio.sleep(3)
        async with database.transaction() as session:
            await log.append(session, site.id, _loss(site.slug))
        began = time.monotonic()
        await detector.publish(topics.site(site.slug, SiteChannel.EVENT), b"{}")
        peak_mb = await _served(telegram, psutil.Process(notifier.pid))
        return _figures(telegram, began, peak_mb)


async def _served(telegram: FakeTelegram, notifier: psutil.Process) -> float:
    """Wait until every chat was told something; the notifier's most memory until then, in MB."""
    deadline, peak = time.monotonic() + 60 + 2 * SUBSCRIBERS / PER_SECOND, 0.0
    while True:
        info = notifier.memory_full_info()
        peak = max(peak, float(getattr(info, "pss", info.uss)) / MB)
        if sum(call.status == 200 for call in telegram.calls_to("sendMessage")) >= SUBSCRIBERS:
            return peak
        assert time.monotonic() < deadline, "not everybody was told"
        await asyncio.sleep(SAMPLE_EVERY_S)


def _figures(telegram: FakeTelegram, began: float, peak_mb: float) -> list[Figure]:
    calls = telegram.calls_to("sendMessage")
    counts = Counter(call.params["chat_id"] for call in calls if call.status == 200)
    assert set(counts.values()) == {1}, "a chat was told twice"
    assert len(counts) == SUBSCRIBERS
    at = sorted(call.at - began for call in calls if call.status == 200)
    allowed_s = SUBSCRIBERS / PER_SECOND
    busiest = max(bisect_left(at, moment + 1.0) - number for number, moment in enumerate(at))
    return [
        Figure("all told", at[-1], "s", Bar(Sense.BELOW, SLACK * allowed_s), f"{SUBSCRIBERS} at {PER_SECOND}/s"),
        Figure("share of Telegram's time", at[-1] / allowed_s, "", Bar(Sense.BELOW, SLACK)),
        Figure("first told", 1000 * at[0], "ms", Bar(Sense.BELOW, FIRST_BAR_MS), "after the event's commit"),
        Figure("refused by Telegram", len(calls) - len(at), "", note="429: faster than 30 a second"),
        Figure("busiest second", busiest, "messages"),
        Figure("memory, most", peak_mb, "MB", Bar(Sense.BELOW, MEMORY_BAR_MB), "PSS of the notifier"),
    ]


def _loss(slug: str) -> PowerEvent:
    now = datetime.now(UTC)
    return PowerEvent(
        id=uuid7(now),
        rev=1,
        site=slug,
        kind=EventKind.POWER_LOST,
        outage_id=uuid7(now),
        occurred_lo=now - timedelta(seconds=5),
        occurred_hi=now - timedelta(seconds=1),
        detected_at=now,
        cause=Cause.PRESUMED,
        evidence=[],
    )


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
