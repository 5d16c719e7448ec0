"""When a board runs: its boots, from one start to what ended it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from svitlo.contracts import ResetCause
from tests.support.fleet_simulation.clock import DAY
from tests.support.fleet_simulation.incidents import Incident, Kind
from tests.support.fleet_simulation.spans import Span, Spans
from tests.support.fleet_simulation.world import Board

LONG_AGO = -3 * DAY


class Ending(StrEnum):
    """How a boot ended: without a sign, with a reset of its connection, or with a goodbye."""

    SILENT = "silent"
    RESET = "reset"
    GOODBYE = "goodbye"


@dataclass(frozen=True)
class Boot:
    """One boot; its uptime counts from `began`."""

    name: str
    number: int
    reset: ResetCause
    began: float
    ended: float
    ending: Ending


@dataclass(frozen=True)
class _Stop:
    at: float
    resumed: float
    reset: ResetCause
    ending: Ending


def boots_of(board: Board, incidents: Iterable[Incident], dice: random.Random) -> list[Boot]:
    """The boots of a board, given what befell its house."""
    if board.never_ran:
        return []
    number = dice.randint(1, 400)
    began, reset = LONG_AGO * dice.random() - 60, ResetCause.POWER_ON
    boots = []
    for stop in [*_stops(board, incidents, dice), _Stop(math.inf, math.inf, reset, Ending.SILENT)]:
        last = board.broken_at is not None and board.broken_at <= stop.at
        if last:
            stop = _Stop(board.broken_at or 0.0, math.inf, reset, Ending.SILENT)
        if began < stop.at:  # else the power went before the board was up
            said = reset if board.tells_reset else ResetCause.UNKNOWN
            boots.append(
                Boot(
                    name=f"{dice.getrandbits(32):08x}",
                    number=number if board.counts_boots else 0,
                    reset=said,
                    began=began,
                    ended=stop.at,
                    ending=stop.ending,
                )
            )
            number += 1
        began, reset = stop.resumed + dice.uniform(1, 4), stop.reset
        if last:
            break
    return boots


def unpowered(board: Board, incidents: Iterable[Incident]) -> Spans:
    """When the mains of a board were off."""
    return Spans(
        part for incident in _its_own(board, incidents) if incident.kind is Kind.CUT for part in incident.parts
    )


def _its_own(board: Board, incidents: Iterable[Incident]) -> list[Incident]:
    return [
        incident for incident in incidents if incident.house == board.house and incident.board in (None, board.name)
    ]


def _stops(board: Board, incidents: Iterable[Incident], dice: random.Random) -> list[_Stop]:
    stops = []
    for incident in _its_own(board, incidents):
        charge, since = board.battery_s, incident.span.start
        for part in incident.parts:
            if incident.kind is Kind.CUT:
                charge = min(charge + part.start - since, board.battery_s)  # it charges as fast as it drains
                charge, since = charge - part.length, part.end
                if charge < 0:
                    stops.append(_cut(part, part.end + charge, dice))
                    charge = 0.0
            elif incident.kind is Kind.CRASH:
                ending = Ending.RESET if incident.reset is ResetCause.SOFT and dice.random() < 0.5 else Ending.SILENT
                stops.append(_Stop(part.start, part.end, incident.reset, ending))
            elif incident.kind is Kind.GOODBYE:
                stops.append(_Stop(part.start, part.end, incident.reset, Ending.GOODBYE))
    return sorted(stops, key=lambda stop: stop.at)


def _cut(part: Span, at: float, dice: random.Random) -> _Stop:
    reset = ResetCause.BROWNOUT if part.length < 2 and dice.random() < 0.3 else ResetCause.POWER_ON
    return _Stop(max(at, part.start), part.end, reset, Ending.SILENT)
