"""Live, from Mosquitto to the `state` topic, and ingest's recording alongside, against `mosquitto_sub`.

Beats of registered boards, each one news, are published faster than anybody reads. In turns, on one broker and one
PostgreSQL, `mosquitto_sub`, the real detector and the real ingest each read alone; the medians of the turns' ratios are
the figures. What the broker drops because a reader is slow is the reader's slowness and not counted again. What a
service takes and does not keep is counted by the service, and must be nothing.

In the flood some sites lose the mains and get it back: their `state` topics prove that the detector does not only read.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench import live_services
from bench.drain import Reading, by_mosquitto_sub, need_mosquitto_sub
from bench.figure import Bar, Figure, Sense
from bench.flood import FLIP_EVERY_S, Flood, boot_time, flooding
from svitlo.accounts.roles import ADMIN
from svitlo.contracts import DeviceChannel, SiteChannel, SiteState, SiteStateWord, decode_as, topics
from svitlo.db.session import driver_url
from tests.support import postgres
from tests.support.broker import ProcessBroker, address
from tests.support.postgres import ProcessServer
from tests.support.service import settings_for
from tests.support.wait import eventually

TURNS = 5
CALM_S = 8.0
"""For the detector to learn of every board and publish every site, once, before the flood."""
WARM_S = 3.0
SPAN_S = 6.0
RATIO_BAR = 0.5
SITES = 490
BOARDS_A_SITE = 10
FLIPPING = 100
"""Sites of one board that lose the mains and get it back, one after the other."""
TOPIC = topics.device("+", DeviceChannel.HEARTBEAT)
DROPPED = "$SYS/broker/publish/messages/dropped"
EVERY_SYS_S = 10.0

# No accounts: one connection speaks for all boards.
_REGISTRY = """
WITH site AS (
  INSERT INTO sites (slug, name, invite)
  SELECT 'site-' || n, 'Site ' || n, 'invite-' || n FROM generate_series(0, $2::int + $3::int - 1) AS n
  RETURNING id, CAST(substr(slug, 6) AS int) AS n
), device AS (
  INSERT INTO devices (id) SELECT 'board-' || n FROM generate_series(0, $1::int * $2::int + $3::int - 1) AS n
  RETURNING id, CAST(substr(id, 7) AS int) AS n
)
INSERT INTO site_devices (site_id, device_id)
SELECT site.id, device.id FROM device
JOIN site ON site.n = CASE WHEN device.n < $1 * $2 THEN device.n / $1 ELSE $2 + device.n - $1 * $2 END
"""
_RECORDED = "SELECT count(*) FROM readings WHERE received_at >= $1 AND received_at < $2"


@dataclass(frozen=True)
class Recording(Reading):
    """Ingest's turn. In all of it, messages counted as lost and messages gone without a word; at the end of its span,
    readings that waited to be written.
    """

    lost: float
    silently: float
    waiting: float


@dataclass(frozen=True)
class Watching(Reading):
    """The detector's turn; after how many seconds, by the sites' `state` topics, sites that lost the mains were off."""

    lags_s: tuple[float, ...]


@dataclass(frozen=True)
class Turn:
    """All three; `published` is what the flood sent a second while `mosquitto_sub` read."""

    published: float
    theirs: Reading
    detector: Watching
    ingest: Recording


def measure() -> list[Figure]:
    """The three rates, the two ratios, what a message costs, and what was not kept."""
    need_mosquitto_sub()
    with _parts() as parts:
        turns = [parts.turn() for _ in range(TURNS)]
        dropped = parts.dropped()
    return [
        Figure("published", statistics.median(turn.published for turn in turns), "messages/s"),
        Figure("mosquitto_sub", statistics.median(turn.theirs.rate for turn in turns), "messages/s"),
        Figure("detector", statistics.median(turn.detector.rate for turn in turns), "messages/s"),
        Figure("ingest", statistics.median(turn.ingest.rate for turn in turns), "messages/s", note="rows in readings"),
        _ratio("detector, ratio", [turn.detector.rate / turn.theirs.rate for turn in turns]),
        _ratio("ingest, ratio", [turn.ingest.rate / turn.theirs.rate for turn in turns]),
        *_costs(turns),
        *_followed(turns),
        Figure(
            "lost silently",
            sum(turn.ingest.silently for turn in turns),
            "messages",
            Bar(Sense.BELOW, 1),
            "what ingest took and neither wrote nor counted as lost",
        ),
        Figure(
            "lost and counted",
            sum(turn.ingest.lost for turn in turns),
            "messages",
            note=f"by ingest; at most {max(turn.ingest.waiting for turn in turns):,.0f} readings waited to be written",
        ),
        Figure("dropped by the broker", dropped, "messages", note=f"{DROPPED}: what readers were too slow for"),
    ]


def _ratio(name: str, ratios: list[float]) -> Figure:
    spread = f"median of {len(ratios)} turns, {min(ratios):.2f} to {max(ratios):.2f}"
    return Figure(name, statistics.median(ratios), "", Bar(Sense.ABOVE, RATIO_BAR), spread)


def _costs(turns: list[Turn]) -> list[Figure]:
    """What a message costs each process: on a machine that is busy with other things, this says more than the rates."""
    theirs = statistics.median(turn.theirs.cost_s for turn in turns)
    detector = statistics.median(turn.detector.cost_s for turn in turns)
    ingest = statistics.median(turn.ingest.cost_s for turn in turns)
    return [
        Figure("mosquitto_sub, a message", 1e6 * theirs, "µs", note="of the process's processor"),
        Figure("detector, a message", 1e6 * detector, "µs", note=f"a ratio of {theirs / detector:.2f} by this alone"),
        Figure("ingest, a message", 1e6 * ingest, "µs", note=f"a ratio of {theirs / ingest:.2f} by this alone"),
    ]


def _followed(turns: list[Turn]) -> list[Figure]:
    lags = [lag for turn in turns for lag in turn.detector.lags_s]
    expected = len(turns) * SPAN_S / FLIP_EVERY_S
    note = f"their state topics said off; {expected:.0f} lost the mains in that time"
    return [
        Figure("sites followed", len(lags), "sites", Bar(Sense.ABOVE, expected / 2), note),
        Figure("behind", statistics.median(lags) if lags else 0.0, "s", note="from the mains lost to the state topic"),
    ]


@contextmanager
def _parts() -> Iterator[_Parts]:
    """Broker, database and registry."""
    broker, server = ProcessBroker(), ProcessServer()
    try:
        broker.start()
        postgres.make_template(server)
        url = postgres.new_database(server)
        yield _Parts(broker, url)
    finally:
        broker.close()
        server.close()


class _Parts:
    """What all turns share."""

    def __init__(self, broker: ProcessBroker, url: str) -> None:
        self._broker, self._url = broker, url
        self._flood = Flood(address(broker, ADMIN), boot_time(), SITES * BOARDS_A_SITE, FLIPPING)
        self._query("execute", _REGISTRY, BOARDS_A_SITE, SITES, FLIPPING)

    def turn(self) -> Turn:
        """Each reader once, each in a flood of its own."""
        with flooding(self._flood) as sent:
            eventually(lambda: sent.value, 30, "the flood has begun")
            began, before = time.monotonic(), sent.value
            theirs = by_mosquitto_sub(self._flood.where, TOPIC, WARM_S, SPAN_S)
            published = (sent.value - before) / (time.monotonic() - began)
        return Turn(published, theirs, self._by_detector(), self._by_ingest())

    def _by_detector(self) -> Watching:
        settings = settings_for("detector", self._broker, self._url)
        with (
            live_services.serving(live_services.detector, settings) as service,
            _Ear(self._flood) as ear,
        ):
            eventually(lambda: ear.heard, 30, "the detector publishes")
            with flooding(replace(self._flood, calm_s=CALM_S)):
                time.sleep(CALM_S + WARM_S)
                before = service.sample()
                ear.lags_s.clear()
                time.sleep(SPAN_S)
                after, lags = service.sample(), tuple(ear.lags_s)
        taken = after.taken - before.taken
        return Watching(taken / (after.mono - before.mono), (after.spent_s - before.spent_s) / taken, lags)

    def _by_ingest(self) -> Recording:
        settings = settings_for("ingest", self._broker, self._url)
        self._query("execute", "TRUNCATE readings")
        with live_services.serving(live_services.ingest, settings) as service, flooding(self._flood):
            eventually(lambda: self._query("fetchval", "SELECT EXISTS (SELECT FROM readings)"), 30, "a reading")
            time.sleep(WARM_S)
            before, began = service.sample(), datetime.now(UTC)
            time.sleep(SPAN_S)
            after, ended = service.sample(), datetime.now(UTC)
        # It has ended by now, so everything it took is written.
        recorded = self._query("fetchval", _RECORDED, began, ended)
        rate, cost_s = recorded / (ended - began).total_seconds(), (after.spent_s - before.spent_s) / recorded
        last = service.last()
        silently = last.taken - last.lost - self._query("fetchval", "SELECT count(*) FROM readings")
        return Recording(rate, cost_s, last.lost, silently, after.waiting)

    def dropped(self) -> float:
        """How many messages the broker has dropped so far."""
        with _Ear(self._flood) as ear:
            time.sleep(EVERY_SYS_S + 1)
            return ear.dropped

    def _query(self, method: str, query: str, *values: object) -> Any:
        async def ask() -> Any:
            connection = await asyncpg.connect(driver_url(self._url))
            try:
                return await getattr(connection, method)(query, *values)
            finally:
                await connection.close()

        return asyncio.run(ask())


class _Ear:
    """Hears the sites' `state` topics and what the broker says it dropped; use as a context manager."""

    def __init__(self, flood: Flood) -> None:
        self.heard = 0
        self.dropped = 0.0
        self.lags_s: list[float] = []
        self._flood = flood
        self._states: dict[str, SiteStateWord] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, f"{ADMIN}.ear")
        self._client.username_pw_set(flood.where.username, flood.where.password)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(topics.site("+", SiteChannel.STATE), 0), (DROPPED, 0)]
        )

    def __enter__(self) -> _Ear:
        self._client.connect(self._flood.where.host, self._flood.where.port)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic == DROPPED:
            self.dropped = float(message.payload)
        elif message.payload and not message.retain:
            now, state = time.time(), decode_as(SiteState, bytes(message.payload))
            self.heard += 1
            if state.state is SiteStateWord.OFF is not self._states.get(state.site):
                self.lags_s.append(self._flood.off_for(int(state.site.removeprefix("site-")) - SITES, now))
            self._states[state.site] = state.state
