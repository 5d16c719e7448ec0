"""When we do not see: a broker that stops or stands still, a link that breaks, a detector that is away."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tests.support.fleet_simulation.clock import DAY, HOUR
from tests.support.fleet_simulation.incidents import QUIET_HEAD, QUIET_TAIL, Incident, Kind
from tests.support.fleet_simulation.profile import Profile
from tests.support.fleet_simulation.spans import Span, Spans
from tests.support.fleet_simulation.world import World

TRIES = 20
STALL_LIMIT_S = 3.5
"""We notice only longer stalls; shorter ones are delays."""
SETTLING_S = 240.0
"""So long before and after a blind span what happens is not told apart from what happened in it."""


class Trouble(StrEnum):
    """Why we do not see. The first three are the broker's, and the boards feel them too."""

    STOP = "stop"
    """Told to stop: it publishes the will of every client first."""
    KILL = "kill"
    """Killed: no wills, and what it kept may be seconds old."""
    FREEZE = "freeze"
    """It stands still, with its sockets open."""
    LINK = "link"
    """Our own connection breaks."""
    STALL = "stall"
    """Our own process stands still."""
    AWAY = "away"
    """Our own process is killed and comes back."""


BROKERS = frozenset({Trouble.STOP, Trouble.KILL, Trouble.FREEZE})


@dataclass(frozen=True)
class Blindness:
    """One trouble and how long it lasts. `lag_s` is how late it is felt: how long a stopping broker keeps our link."""

    trouble: Trouble
    span: Span
    lag_s: float = 0.0


@dataclass(frozen=True)
class Troubles:
    """All of them: those of the broker never overlap, neither do ours, but each other they may."""

    broker: tuple[Blindness, ...]
    ours: tuple[Blindness, ...]

    def down(self, *kinds: Trouble) -> Spans:
        """The spans of some kinds."""
        return Spans(each.span for each in (*self.broker, *self.ours) if each.trouble in kinds)


def strike(profile: Profile, seed: int, world: World, incidents: list[Incident]) -> Troubles:
    """Draw when we are blind: at any time, and on purpose around some of the cuts and failures."""
    calendar = _Calendar(profile, world, incidents)
    dice = random.Random(f"{seed}/blindness")
    aimed = [incident for incident in incidents if incident.kind in (Kind.CUT, Kind.NETWORK)]

    def somewhen(longest: float) -> Span:
        start = dice.uniform(QUIET_HEAD, profile.days * DAY - QUIET_TAIL)
        return Span(start, start + dice.uniform(0.5, longest))

    def around() -> Blindness:
        span = _around(dice, dice.choice(aimed).span)
        ours = Blindness(dice.choice((Trouble.AWAY, Trouble.AWAY, Trouble.LINK)), span)
        return ours if dice.random() < 0.75 else _stopped(dice, span)

    draws: tuple[tuple[float, Callable[[], Blindness]], ...] = (
        (profile.blinded_cuts if aimed else 0, around),
        (profile.broker_restarts, lambda: _stopped(dice, somewhen(60))),
        (profile.broker_freezes, lambda: Blindness(Trouble.FREEZE, somewhen(40))),
        (profile.link_breaks, lambda: Blindness(Trouble.LINK, somewhen(120))),
        (profile.stalls, lambda: Blindness(Trouble.STALL, _longer(somewhen(25), STALL_LIMIT_S))),
        (profile.downtimes, lambda: Blindness(Trouble.AWAY, somewhen(300))),
    )
    for rate, draw in draws:
        for _ in range(round(rate * profile.days)):
            any(calendar.enter(draw()) for _ in range(TRIES))
    return calendar.troubles()


class _Calendar:
    def __init__(self, profile: Profile, world: World, incidents: list[Incident]) -> None:
        self._profile = profile
        self._broker: list[Blindness] = []
        self._ours: list[Blindness] = []
        self._settling = max(SETTLING_S, 2.5 * max(profile.intervals_s))
        self._groups = [
            (len(house.neighbours) == 1, [incident for incident in incidents if incident.house in house.neighbours])
            for house in world.houses.values()
        ]

    def troubles(self) -> Troubles:
        """What was entered."""
        return Troubles(*(tuple(sorted(each, key=lambda one: one.span)) for each in (self._broker, self._ours)))

    def enter(self, found: Blindness) -> bool:
        """Take it unless another of its side is on (two may follow closely), or too much would be hidden."""
        side = self._broker if found.trouble in BROKERS else self._ours
        wide = Span(found.span.start - 2, found.span.end + found.lag_s + 2)
        if wide.end > self._profile.days * DAY - QUIET_TAIL / 2 or wide.start < QUIET_HEAD / 2:
            return False
        if any(wide.overlaps(other.span) for other in side) or self._mixes(found.span):
            return False
        side.append(found)
        return True

    def _mixes(self, span: Span) -> bool:
        """Whether different happenings at one house, or at two that share a site, would fall into one blind time."""
        hidden = Span(span.start - self._settling, span.end + self._settling)
        for other in sorted((*self._broker, *self._ours), key=lambda each: each.span):
            if hidden.overlaps(other.span):
                start, end = other.span.start - self._settling, other.span.end + self._settling
                hidden = Span(min(hidden.start, start), max(hidden.end, end))
        return any(
            len({_name(incident, alone=alone) for incident in incidents if incident.span.overlaps(hidden)}) > 1
            for alone, incidents in self._groups
        )


def _name(incident: Incident, *, alone: bool) -> tuple[Kind, float]:
    """What makes it one happening: at one house its kind, at several its begin too."""
    return incident.kind, 0.0 if alone else incident.span.start


def _stopped(dice: random.Random, span: Span) -> Blindness:
    if dice.random() < 0.5:
        return Blindness(Trouble.KILL, span)
    slow = dice.random() < 0.2  # a slow disk keeps our link open
    return Blindness(Trouble.STOP, span, dice.uniform(0.5, 6) if slow else dice.uniform(0.0004, 0.003))


def _longer(span: Span, least: float) -> Span:
    return Span(span.start, max(span.end, span.start + least))


def _around(dice: random.Random, span: Span) -> Span:
    """Over its begin, over its end, over the whole of it, or within."""
    before = dice.choice((dice.uniform(0.1, 20), dice.uniform(5, 300)))
    after = dice.choice((dice.uniform(1, 60), dice.uniform(5, 400)))
    match dice.randrange(5):
        case 0:
            return Span(span.start - before, span.start + min(after, span.length * dice.random()))
        case 1:
            return Span(max(span.end - before, span.start + span.length * dice.random()), span.end + after)
        case 2:
            start = span.start + span.length * dice.uniform(0, 0.9)
            return Span(start, start + max(1.0, (span.end - start) * dice.random()))
        case _:
            return Span(span.start - before, min(span.end, span.start + 4 * HOUR) + after)
