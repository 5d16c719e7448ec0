"""What `Firehose` with decoding takes from Mosquitto, against `mosquitto_sub` on the same broker in the same run.

A flood is published faster than anybody reads, so each reader's rate is its own limit or the broker's; what the broker
drops meanwhile is not counted. Rates drift with the machine, so the two take turns and the median of the turns' ratios
is the figure.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time

from bench.drain import Reading, by_mosquitto_sub, need_mosquitto_sub
from bench.figure import Figure
from bench.flood import Flood, boot_time, flooding
from svitlo.accounts.roles import ADMIN
from svitlo.bus import Firehose
from svitlo.contracts import DeviceChannel, decode_device, topics
from svitlo.settings import BrokerAddress
from tests.support.broker import ProcessBroker, address

TURNS = 5
WARM_S = 1.0
SPAN_S = 4.0
TOPIC = topics.device("+", DeviceChannel.HEARTBEAT)


def measure() -> list[Figure]:
    """Both rates, their ratio, and what a message costs the firehose's process."""
    need_mosquitto_sub()
    broker = ProcessBroker()
    try:
        broker.start()
        flood = Flood(address(broker, ADMIN), boot_time())
        pairs = []
        for _ in range(TURNS):
            with flooding(flood):
                theirs = by_mosquitto_sub(flood.where, TOPIC, WARM_S, SPAN_S)
            with flooding(flood):
                ours = asyncio.run(_by_firehose(address(broker, "svitlo.detector")))
            pairs.append((ours, theirs))
    finally:
        broker.close()
    ratios = [ours.rate / theirs.rate for ours, theirs in pairs]
    cost = statistics.median(ours.cost_s for ours, _ in pairs)
    their_cost = statistics.median(theirs.cost_s for _, theirs in pairs)
    spread = f"median of {TURNS} turns, {min(ratios):.2f} to {max(ratios):.2f}"
    return [
        Figure("mosquitto_sub", statistics.median(theirs.rate for _, theirs in pairs), "messages/s"),
        Figure("firehose + decode", statistics.median(ours.rate for ours, _ in pairs), "messages/s"),
        Figure("ratio", statistics.median(ratios), "", note=spread),
        Figure("firehose, a message", 1e6 * cost, "µs", note=f"of the reader's processor: {1 / cost:,.0f}/s of a core"),
        Figure("mosquitto_sub, a message", 1e6 * their_cost, "µs", note="the same, printing a letter"),
    ]


async def _by_firehose(where: BrokerAddress) -> Reading:
    count = 0
    first = asyncio.Event()

    def take(topic: str, payload: bytes, _retained: bool) -> None:
        nonlocal count
        _, channel = topics.parse_device(topic)
        decode_device(channel, payload)
        count += 1
        first.set()

    firehose = Firehose(where, "bench-firehose", [(TOPIC, 0)], take)
    task = asyncio.create_task(firehose.run(), name="firehose")
    try:
        async with asyncio.timeout(20):
            await first.wait()
        await asyncio.sleep(WARM_S)
        began, used, before = time.monotonic(), time.process_time(), count
        await asyncio.sleep(SPAN_S)
        took, spent, taken = time.monotonic() - began, time.process_time() - used, count - before
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return Reading(taken / took, spent / taken)
