"""The notifier killed outright in a storm: nothing is lost, and nothing is told twice but what was on its way."""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from uuid import UUID

import pytest

from services.notifier.sender import Patience
from svitlo.bus import ServiceLink
from svitlo.contracts import Cause, EventKind, PowerEvent, SiteChannel, topics
from svitlo.db import log
from svitlo.ids import uuid7
from svitlo.registry import SiteRow
from tests.notifier.conftest import World
from tests.support.broker import Broker, address
from tests.support.detector import ROUNDS
from tests.support.notifier_process import NotifierProcess, add_chats, elapse
from tests.support.telegram import STRICT, FakeTelegram, Seen
from tests.support.wait import eventually_async

FIRST_CHAT = 1001
ON, OFF = "💡", "🔌"
LAST_TIME = re.compile(r"\d\d:\d\d")
LINE = re.compile(rf"({ON}|{OFF}) (Дім \d+) — ")
IN_FLIGHT_S = Patience().call_s
"""A message that came so long before a kill may not have been written down yet; a busy machine takes seconds."""
ARRIVES_S = 0.3
"""As long after a kill what the dead one had sent may still come, unless we stand still meanwhile."""


@dataclass(frozen=True)
class Size:
    """How much happens. The notifier has `kills` + 1 lives; each begins with a quarter of its events, and the others
    come within `life_s` from when it sends. `per_second` messages may go out."""

    places: int
    chats: int
    events: int
    kills: int
    life_s: float
    per_second: int


SMALL = Size(places=20, chats=200, events=60, kills=2, life_s=1.5, per_second=200)
FULL = Size(places=100, chats=2000, events=506, kills=10, life_s=5.0, per_second=240)
START_S = 180.0
"""As long as a notifier may take to start on a busy machine."""

ANSWER_S = 0.05
"""As long as Telegram takes, so that there is always something on its way."""


@dataclass
class Storm:
    """Places that lose their power and have it again, who follows them, and what became of each."""

    world: World
    detector: ServiceLink
    size: Size
    sites: list[SiteRow] = field(default_factory=list)
    follows: dict[int, list[int]] = field(default_factory=dict)
    off: dict[int, UUID] = field(default_factory=dict)
    turns: Counter[int] = field(default_factory=Counter)
    base: datetime = field(default_factory=lambda: datetime.now(UTC).replace(second=30) - timedelta(hours=2))
    happened: list[tuple[int, int]] = field(default_factory=list)
    """Position in the log and number of the place, in order."""

    async def settle(self) -> None:
        """Each place has as many followers; each tenth chat follows three of them."""
        for number in range(self.size.places):
            self.sites.append(await self.world.site(f"house-{number}", f"Дім {number}"))
        for number in range(self.size.chats):
            places = [number, *((number * 7 + 1, number * 13 + 5) if number % 10 == 0 else ())]
            self.follows[FIRST_CHAT + number] = sorted({place % self.size.places for place in places})
        keys = {chat: [self.sites[place].id for place in places] for chat, places in self.follows.items()}
        await add_chats(self.world.database, keys)

    async def rage(self, sending: Awaitable[object]) -> None:
        """The events of one life, one after another at random moments."""
        count = self.size.events // (self.size.kills + 1)
        for _ in range(count // 4):
            await self._change(random.randrange(self.size.places))
        await sending
        began = time.monotonic()
        for moment in sorted(random.uniform(0, self.size.life_s) for _ in range(count - count // 4)):
            await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
            await self._change(random.randrange(self.size.places))

    async def _change(self, place: int) -> None:
        """The power of a place goes or comes back, a minute after it last did so."""
        self.turns[place] += 1
        at = self.base + timedelta(minutes=self.turns[place])
        ends = place in self.off
        outage = self.off.pop(place) if ends else self.off.setdefault(place, uuid7(datetime.now(UTC)))
        event = PowerEvent(
            id=uuid7(datetime.now(UTC)),
            rev=1,
            site=self.sites[place].slug,
            kind=EventKind.POWER_RESTORED if ends else EventKind.POWER_LOST,
            outage_id=outage,
            occurred_lo=at,
            occurred_hi=at,
            detected_at=datetime.now(UTC),
            cause=Cause.PRESUMED,
            evidence=[],
        )
        async with self.world.database.transaction() as session:
            seq = await log.append(session, self.sites[place].id, event)
        assert seq is not None
        self.happened.append((seq, place))
        await self.detector.publish(topics.site(self.sites[place].slug, SiteChannel.EVENT), b"{}")

    def owed(self, chat: int) -> list[int]:
        """The positions of the events a chat must be told of."""
        return [seq for seq, place in self.happened if place in self.follows[chat]]


async def all_told(storm: Storm) -> bool:
    """Whether everything is planned and nothing waits."""
    [row] = await storm.world.rows(
        "SELECT (SELECT count(*) FROM deliveries) AS planned, "
        "(SELECT count(*) FROM deliveries WHERE state = 'pending') AS waiting"
    )
    return row.planned >= sum(len(storm.owed(chat)) for chat in storm.follows) and not row.waiting


@dataclass(frozen=True)
class Kill:
    """When it was, and when all was heard that the dead one had sent."""

    at: float
    heard_at: float


async def lives(storm: Storm, notifier: NotifierProcess, telegram: FakeTelegram) -> list[Kill]:
    """Kill the notifier again and again while it sends, and start it again; returns when."""
    kills: list[Kill] = []
    for life in range(storm.size.kills + 1):
        sent = len(telegram.calls_to("sendMessage"))
        sends = partial(more_than, telegram, sent)
        raging = asyncio.create_task(storm.rage(telegram.wait_until(sends, START_S, "the notifier sends")))
        await telegram.wait_until(sends, START_S, "the notifier sends")
        await asyncio.sleep(random.uniform(0, storm.size.life_s))
        if life < storm.size.kills:
            at = time.monotonic()
            await asyncio.to_thread(notifier.kill)
            for _ in range(2):  # after a stand-still the first of them is over before anything is heard
                await asyncio.sleep(ARRIVES_S)
            kills.append(Kill(at, time.monotonic()))
            if storm.size is SMALL:
                await elapse(storm.world.database, 20)  # what the dead one held is free
            notifier.start()
        await raging
    return kills


def more_than(telegram: FakeTelegram, sent: int) -> bool:
    return len(telegram.calls) > sent and len(telegram.calls_to("sendMessage")) > sent


async def all_settled(storm: Storm) -> bool:
    """Whether all is told; in the small run nobody waits for lists to fill."""
    await asyncio.sleep(0.3)
    if storm.size is SMALL:
        await elapse(storm.world.database, 5, of_workers=False)  # a live one may be at what it claimed
    return await all_told(storm)


@pytest.mark.timeout(300 if ROUNDS == 1 else 900)
async def test_killed_again_and_again_in_a_storm_it_loses_nothing_and_ends_with_the_truth(
    world: World, broker: Broker
) -> None:
    size = SMALL if ROUNDS == 1 else FULL
    detector = ServiceLink(address(broker, "svitlo.detector"), "detector", "1")
    storm = Storm(world, detector, size)
    await storm.settle()
    link = asyncio.create_task(detector.run())
    limits = STRICT | {"per_second": size.per_second + size.per_second // 14}
    async with FakeTelegram(**limits) as telegram:
        telegram.slow(ANSWER_S, times=1_000_000)
        with NotifierProcess(broker, world.database.url, telegram, per_second=size.per_second) as notifier:
            await eventually_async(lambda: detector.connected)
            began = time.monotonic()
            kills = await lives(storm, notifier, telegram)
            await eventually_async(lambda: all_settled(storm), START_S, "everything is told")
            took = time.monotonic() - began
        link.cancel()
        await asyncio.wait([link])
        doubles = await check(storm, telegram, kills)
        sent = telegram.calls_to("sendMessage")
    refused = sum(call.status == 429 for call in sent)
    print(  # shown by pytest -s
        f"{len(storm.happened)} events, {len(kills)} kills, {sum(len(storm.owed(chat)) for chat in storm.follows)} "
        f"alerts in {len(sent) - refused} messages within {took:.0f} s, {doubles} doubles, {refused} refused"
    )


async def check(storm: Storm, telegram: FakeTelegram, kills: list[Kill]) -> int:
    """What each chat saw, and what is written down of it; returns how many messages came twice."""
    written: defaultdict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    texts: dict[int, str] = {}
    accounted: defaultdict[int, list[int]] = defaultdict(list)
    for row in await storm.world.rows(
        "SELECT c.chat_id, d.event_seq, d.state, coalesce(b.message_id, d.message_id) AS message_id, d.text, "
        "d.error FROM deliveries d JOIN chats c ON c.id = d.chat LEFT JOIN deliveries b ON b.id = d.merged_into "
        "ORDER BY d.event_seq"
    ):
        assert row.state in ("sent", "merged"), row
        accounted[row.chat_id].append(row.event_seq)
        written[row.chat_id][row.message_id].append(row.event_seq)
        if row.text is not None:
            texts[row.message_id] = row.text
    doubles: Counter[tuple[float, int]] = Counter()
    for chat in storm.follows:
        assert accounted[chat] == storm.owed(chat), chat
        seen, known = telegram.messages(chat), written[chat]
        assert known.keys() <= {message.message_id for message in seen}
        assert all(message.text == texts[message.message_id] for message in seen if message.message_id in known)
        for extra in (message for message in seen if message.message_id not in known):
            # It was on its way when the life that sent it ended.
            ended = min((kill.at for kill in kills if kill.heard_at > extra.at), default=math.inf)
            assert ended - extra.at < IN_FLIGHT_S, (chat, extra.text, [round(extra.at - kill.at, 2) for kill in kills])
            doubles[ended, chat] += 1
        in_order(storm, chat, seen, known)
        ends_with_the_truth(storm, chat, seen)
    assert not doubles or max(doubles.values()) == 1, doubles  # of a chat one message at a time is on its way
    by_kill = Counter(kill for kill, _ in doubles)
    assert all(count <= Patience().at_once for count in by_kill.values()), by_kill
    return sum(doubles.values())


def in_order(storm: Storm, chat: int, seen: list[Seen], known: dict[int, list[int]]) -> None:
    """Each message tells what is newer than all that was told before; a double may repeat what came last."""
    spans = [known[message.message_id] for message in seen if message.message_id in known]
    assert all(before[-1] < after[0] for before, after in pairwise(spans)), (chat, spans)
    if len(storm.follows[chat]) > 1:
        return
    # By the fake's ledger alone: the last time in a text is that of the event.
    times = [(LAST_TIME.findall(message.text)[-1], message.message_id in known) for message in seen]
    for (before, sure), (after, _) in pairwise(times):
        later = (_minutes(after) - _minutes(before)) % 1440  # midnight may lie between
        assert 0 < later < 720 or (later == 0 and not sure), (chat, [message.text for message in seen])


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)


def ends_with_the_truth(storm: Storm, chat: int, seen: list[Seen]) -> None:
    """The last that a chat was told of each place is how it stands."""
    said = {place: mark for message in seen for mark, place in LINE.findall(message.text)}
    changed = {place for _, place in storm.happened} & {*storm.follows[chat]}
    assert said == {f"Дім {place}": OFF if place in storm.off else ON for place in changed}, chat
