"""When a board is connected, and when the broker notices that it no longer is.

Numbers are those of `shared/facts` for Mosquitto and of our firmware: a ping each third of the keepalive, a link
given up when one stays unanswered for two thirds; a client given up after one and a half keepalives, in sweeps.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import StrEnum

from tests.support.fleet_simulation.blindness import Trouble, Troubles
from tests.support.fleet_simulation.boots import Boot, Ending
from tests.support.fleet_simulation.spans import Span, Spans
from tests.support.fleet_simulation.world import Board

LONGEST_PAUSE_S = 44.0
SWEEP_S = 6.0
BURST_S = 0.05
"""How long a broker that stood still needs to read what waited in its sockets."""


class _End(StrEnum):
    BOOT = "boot"
    NETWORK = "network"
    BROKER = "broker"
    FREEZE = "freeze"


@dataclass
class Connection:
    """One session. The board thinks it has it from `since` to `until`; what it says after `heard_until` is lost.

    The broker ends it at `closed`, with the will if `will`: nothing of it arrives later. In a `stall` what the board
    says waits, and arrives at its end.
    """

    boot: Boot
    number: int
    since: float
    until: float = math.inf
    heard_until: float = math.inf
    closed: float = math.inf
    will: bool = False
    goodbye: bool = False
    stalls: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class Surroundings:
    """What a board's connection hangs on, besides the board."""

    network_down: Spans
    stopped: Spans
    frozen: Spans
    graceful: frozenset[float]
    """Which starts of `stopped` are told stops."""

    @staticmethod
    def of(network_down: Spans, troubles: Troubles) -> Surroundings:
        stops = [each.span.start for each in troubles.broker if each.trouble is Trouble.STOP]
        return Surroundings(
            network_down, troubles.down(Trouble.STOP, Trouble.KILL), troubles.down(Trouble.FREEZE), frozenset(stops)
        )


def connections_of(board: Board, boots: list[Boot], around: Surroundings, wifi: random.Random) -> list[Connection]:
    """All sessions of a board, in order."""
    found: list[Connection] = []
    for boot in boots:
        number, attempt = 0, boot.began + wifi.uniform(2, 15)
        while (since := _reached(attempt, around, wifi)) < boot.ended:
            number += 1
            connection = Connection(boot, number, since)
            end = _live(connection, board, around, wifi)
            found.append(connection)
            number += end is _End.FREEZE  # an attempt that a frozen broker took, and only later read
            attempt = connection.until + wifi.uniform(0.3, 1.5)
    for place, connection in enumerate(found):
        _close(connection, found[place + 1] if place + 1 < len(found) else None, board, around, wifi)
    return found


def _reached(attempt: float, around: Surroundings, dice: random.Random) -> float:
    """When the broker takes the board, which tries with growing pauses."""
    while True:
        blocked = [
            span for spans in (around.network_down, around.stopped, around.frozen) if (span := spans.at(attempt))
        ]
        if not blocked:
            return attempt
        end = max(span.end for span in blocked)
        attempt = end + dice.uniform(0.2, min(LONGEST_PAUSE_S, 1 + 1.5 * (end - attempt)))


def _live(connection: Connection, board: Board, around: Surroundings, dice: random.Random) -> _End:
    """Find the end of a connection on the board's side."""
    boot, at = connection.boot, connection.since
    while True:
        # What happens next, and when the board has noticed it.
        network, stopped, frozen = around.network_down.after(at), around.stopped.after(at), around.frozen.after(at)
        patience = board.keepalive_s * dice.uniform(0.67, 1)
        events: list[tuple[float, _End, Span | None]] = [(boot.ended, _End.BOOT, None)]
        events += [
            (span.start, end, span)
            for span, end in ((network, _End.NETWORK), (stopped, _End.BROKER), (frozen, _End.FREEZE))
            if span is not None
        ]
        when, end, span = min(events, key=lambda event: event[0])
        if span is None or end is _End.BROKER:
            connection.until = connection.heard_until = when
            return end
        if span.end < when + patience:
            connection.stalls.append(span)
            at = math.nextafter(span.start, math.inf)
            continue
        connection.until = min(when + patience, boot.ended)
        if end is _End.NETWORK:
            connection.heard_until = when
        else:
            connection.heard_until = connection.until
            connection.stalls.append(span)
        return end if connection.until < boot.ended else _End.BOOT


def _close(
    connection: Connection, following: Connection | None, board: Board, around: Surroundings, dice: random.Random
) -> None:
    """Find the end of a connection on the broker's side."""
    heard, quiet = connection.heard_until, connection.until
    if connection.boot.ending is Ending.GOODBYE and quiet == connection.boot.ended == heard:
        connection.closed, connection.goodbye = _thawed(quiet, around), True
        return
    stop = around.stopped.at(heard) or around.stopped.after(heard)
    if math.isinf(heard):
        return
    if connection.boot.ending is Ending.RESET and quiet == connection.boot.ended == heard:
        given_up = quiet + 0.005
    elif (freeze := around.frozen.at(heard)) and quiet < connection.boot.ended:
        given_up = freeze.end  # the board hung up on a broker that stood still
    else:
        given_up = heard - dice.uniform(0, board.keepalive_s / 3) + 1.5 * board.keepalive_s + dice.uniform(0, SWEEP_S)
    given_up = _thawed(given_up, around)
    if following is not None:
        given_up = min(given_up, following.since - 0.001)  # taken over
    connection.closed, connection.will = given_up, board.has_will
    if stop is not None and stop.start <= given_up:
        connection.closed = stop.start
        connection.will = board.has_will and stop.start in around.graceful


def _thawed(when: float, around: Surroundings) -> float:
    """A moment, or when a broker that stands still then has read what waited."""
    freeze = around.frozen.at(when)
    return freeze.end + BURST_S if freeze else when
