"""What a board says and when it reaches the broker: runs of heartbeats, and single words between them."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from services.detector.core.observation import Note, Observation, ObservationKind
from svitlo.contracts import JournalKind
from tests.support.fleet_simulation.clock import EPOCH_S, moment
from tests.support.fleet_simulation.connections import BURST_S, Connection
from tests.support.fleet_simulation.spans import Span, Spans
from tests.support.fleet_simulation.world import Board

LONGEST_DELAY_S = 5.0
CALM_BEATS = 4
"""So many beats after an odd one are not: together they would be an outage of the network that nobody drew."""
_LATENCIES = 997
_dice = random.Random("latency")
_LATENCY = tuple(0.004 + 0.08 * _dice.random() ** 3 for _ in range(_LATENCIES))


class Said(NamedTuple):
    """A message and when it reaches the broker."""

    at: float
    observation: Observation


class Run:
    """Heartbeats at an even pace within one connection. Most arrive at once; `_odd` tells what became of the others."""

    def __init__(self, board: Board, connection: Connection, span: Span, first_seq: int, mains: bool | None) -> None:
        self.board = board
        self.connection = connection
        self.start = span.start
        self.period = board.interval_s / board.pace
        self.count = max(math.ceil((span.end - span.start) / self.period), 0)
        self.first_seq = first_seq
        self.mains = mains
        self._odd: list[tuple[int, tuple[float, ...]]] = []

    @property
    def end(self) -> float:
        """When the last beat is said."""
        return self.start + (self.count - 1) * self.period

    def disturb(self, dice: random.Random, odd_beats: float) -> None:
        """Decide which beats do not arrive just once and at once."""
        odd: dict[int, tuple[float, ...]] = {}
        place = int(dice.expovariate(odd_beats)) if odd_beats else self.count
        while place < self.count:
            odd[place] = self._fate(place, dice)
            place += CALM_BEATS + int(dice.expovariate(odd_beats))
        for stall in self.connection.stalls:
            for place in self._places(stall):
                odd[place] = (stall.end + dice.uniform(0.001, BURST_S - 0.002),)
        heard_until, closed = self.connection.heard_until, self.connection.closed - 0.0005
        if heard_until < math.inf:
            for place in self._places(Span(min(heard_until, closed) - 1, math.inf)):
                sent = self.start + place * self.period
                arrivals = odd.get(place, (sent + _LATENCY[place % _LATENCIES],))
                odd[place] = arrivals if sent < heard_until else ()
        self._odd = sorted((place, tuple(at for at in arrivals if at < closed)) for place, arrivals in odd.items())

    def said(self, start: float, end: float, into: list[Said]) -> None:
        """Add the beats sent in `[start, end)`."""
        # A few million beats come through here: everything is a local name.
        period, began, pace = self.period, self.connection.boot.began, self.board.pace
        boot, conn, number = self.connection.boot.name, self.connection.number, self.connection.boot.number
        reset, mains, name, interval = self.connection.boot.reset, self.mains, self.board.name, self.board.interval_s
        seq, at_s, beat = self.first_seq, datetime.fromtimestamp, ObservationKind.BEAT
        append, latency, origin = into.append, _LATENCY, EPOCH_S
        places = self._places(Span(start, end))
        odd = self._odd
        place_of_odd = bisect_left(odd, (places.start, ()))
        next_odd = odd[place_of_odd][0] if place_of_odd < len(odd) else -1
        for place in places:
            sent = self.start + place * period
            uptime = int((sent - began) * pace)
            if place == next_odd:
                for at in odd[place_of_odd][1]:
                    observation = Observation(
                        name, beat, moment(at), boot, conn, interval, False, seq + place, uptime, mains, number, reset
                    )
                    append(Said(at, observation))
                place_of_odd += 1
                next_odd = odd[place_of_odd][0] if place_of_odd < len(odd) else -1
                continue
            at = sent + latency[place % _LATENCIES]
            append(
                (  # type: ignore[arg-type]  # a plain tuple is made in a third of the time
                    at,
                    Observation(
                        name,
                        beat,
                        at_s(origin + at, UTC),
                        boot,
                        conn,
                        interval,
                        False,
                        seq + place,
                        uptime,
                        mains,
                        number,
                        reset,
                    ),
                )
            )

    def _places(self, span: Span) -> range:
        """The numbers of the beats sent within a span."""
        first = max(math.ceil((span.start - self.start) / self.period), 0)
        last = self.count if math.isinf(span.end) else math.ceil((span.end - self.start) / self.period)
        return range(first, max(min(last, self.count), first))

    def _fate(self, place: int, dice: random.Random) -> tuple[float, ...]:
        """Lost, doubled or late."""
        sent = self.start + place * self.period
        match dice.randrange(3):
            case 0:
                return ()
            case 1:
                return (sent + 0.02, sent + 0.02 + dice.uniform(0, 3))
            case _:
                return (sent + dice.uniform(0.3, LONGEST_DELAY_S),)


def runs_of(
    board: Board, connections: Iterable[Connection], unpowered: Spans, dice: random.Random, odd_beats: float, end: float
) -> Iterator[Run]:
    """The runs of a board up to `end`; one with a sensor begins anew when the mains comes or goes."""
    boot, seq = "", 1
    for connection in connections:
        if connection.boot.name != boot:
            boot, seq = connection.boot.name, 1
        for span, mains in _by_mains(board, connection, unpowered, end):
            run = Run(board, connection, span, seq, mains)
            run.disturb(dice, odd_beats)
            seq += run.count
            yield run


def _by_mains(board: Board, connection: Connection, unpowered: Spans, end: float) -> Iterator[tuple[Span, bool | None]]:
    start, until = connection.since + 0.05, min(connection.until, end)
    if not board.battery_s:
        yield Span(start, until), None
        return
    for off in unpowered.within(start, until):
        if start < off.start:
            yield Span(start, off.start), True
        yield Span(max(start, off.start + 0.1), min(off.end, until)), False
        start = off.end + 0.1
    if start < until:
        yield Span(start, until), True


def words_of(
    board: Board, connections: Iterable[Connection], unpowered: Spans, dice: random.Random, odd: float
) -> list[Said]:
    """Births, wills, goodbyes, last gasps and journals."""
    said: list[Said] = []

    def say(kind: ObservationKind, at: float, connection: Connection) -> None:
        observation = Observation(
            board.name, kind, moment(at), connection.boot.name, connection.number, board.interval_s
        )
        said.append(Said(at, observation))

    before: Connection | None = None
    for connection in connections:
        if board.keeps_journal and before is not None and before.boot is connection.boot:
            said += _journal(board, before, connection, unpowered, dice)
        before = connection
        for at in _news(connection.since + 0.005, connection, dice, odd):
            say(ObservationKind.BIRTH, at, connection)
        if board.battery_s:
            for off in unpowered.within(connection.since, connection.until):
                if connection.since < off.start:
                    for at in _news(off.start + dice.uniform(0.02, 0.09), connection, dice, odd):
                        if at < off.end:  # it bears no number: out of order, nobody could make sense of it
                            say(ObservationKind.MAINS_LOST, at, connection)
                if off.end < connection.until:
                    for at in _news(off.end + 0.05, connection, dice, odd):
                        say(ObservationKind.BIRTH, at, connection)
        if connection.goodbye:
            say(ObservationKind.GOODBYE, connection.closed, connection)
        if connection.will:
            say(ObservationKind.WILL, connection.closed, connection)
            if dice.random() < odd:
                say(ObservationKind.WILL, connection.closed + 0.001, connection)
    return said


def _journal(
    board: Board, before: Connection, connection: Connection, unpowered: Spans, dice: random.Random
) -> list[Said]:
    """What a board notes between two connections of one boot, and sends with the second."""
    at = connection.since + dice.uniform(0.02, 0.4)
    noted = [(before.until, JournalKind.NET_LOST), (connection.since, JournalKind.NET_BACK)]
    if board.battery_s:
        for off in unpowered.within(before.until, connection.since):
            noted += [(off.start, JournalKind.MAINS_LOST), (off.end, JournalKind.MAINS_BACK)]
    notes = tuple(Note(moment(when), kind) for when, kind in sorted(noted) if before.until <= when <= at)
    if at >= min(connection.closed, connection.heard_until):
        return []
    observation = Observation(
        board.name, ObservationKind.JOURNAL, moment(at), connection.boot.name, 0, 0, False, notes=notes
    )
    return [Said(at, observation)]


def _news(at: float, connection: Connection, dice: random.Random, odd: float) -> list[float]:
    """When a word arrives: it is sent until it is acknowledged, so never lost, but late or twice."""
    arrivals = [at]
    drawn = dice.random()
    if drawn < odd:
        arrivals = [at + dice.uniform(0.1, 2)]
    elif drawn < 2 * odd:
        arrivals.append(at + dice.uniform(0.1, 3))
    for stall in sorted(connection.stalls):
        arrivals = [stall.end + 0.001 if stall.start <= each < stall.end else each for each in arrivals]
    return [each for each in arrivals if each < connection.closed - 0.0005 and at < connection.heard_until]
