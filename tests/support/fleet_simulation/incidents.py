"""What befalls the houses. Nothing of another kind comes near: mixed cases no evidence could tell apart."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from svitlo.contracts import ResetCause
from tests.support.fleet_simulation.clock import DAY, HOUR
from tests.support.fleet_simulation.profile import Profile
from tests.support.fleet_simulation.spans import Span
from tests.support.fleet_simulation.world import House, World

QUIET_HEAD = HOUR
QUIET_TAIL = 1.5 * HOUR
TRIES = 30


class Kind(StrEnum):
    """What happened to a house, or to one board in it."""

    CUT = "cut"
    NETWORK = "network"
    CRASH = "crash"
    GOODBYE = "goodbye"


@dataclass(frozen=True)
class Incident:
    """One happening in one house.

    `parts` are the spans without power or without network, or in which the one `board` did not run; `reset` is what
    that board says on its return.
    """

    kind: Kind
    house: str
    parts: tuple[Span, ...]
    board: str | None = None
    reset: ResetCause = ResetCause.POWER_ON

    @property
    def span(self) -> Span:
        return Span(self.parts[0].start, self.parts[-1].end)


def befall(profile: Profile, seed: int, world: World) -> list[Incident]:
    """Draw what happens, in the order of time."""
    calendar = _Calendar(profile, random.Random(f"{seed}/incidents"), world)
    for _ in range(calendar.often(profile.districts)):
        calendar.district()
    for _ in range(calendar.often(profile.provider_failures)):
        calendar.provider()
    for house in world.houses.values():
        calendar.fill(house)
    return sorted(calendar.incidents, key=lambda incident: (incident.span, incident.house, incident.board or ""))


class _Calendar:
    def __init__(self, profile: Profile, dice: random.Random, world: World) -> None:
        self.incidents: list[Incident] = []
        self._profile = profile
        self._dice = dice
        self._world = world
        self._busy: dict[str, list[Span]] = {name: [] for name in world.houses}

    def often(self, rate: float) -> int:
        """How many times something happens that happens so often a day."""
        expected = rate * self._profile.days
        return int(expected) + (self._dice.random() < expected % 1)

    def district(self) -> None:
        """Many houses lose power at one moment and get it back together, or one after the other."""
        start = self._start()
        length = self._cut_length()
        staged = self._dice.choice((0.0, 2.0, 400.0))
        for house in self._share():
            end = start + length + self._dice.uniform(0, staged)
            self._enter(Incident(Kind.CUT, house.name, (Span(start, end),)))

    def provider(self) -> None:
        """Many houses lose the network at one moment."""
        start = self._start()
        length = self._failure_length()
        for house in self._share():
            self._enter(Incident(Kind.NETWORK, house.name, (Span(start, start + length),)))

    def fill(self, house: House) -> None:
        """What happens to one house alone."""
        profile, dice = self._profile, self._dice
        for _ in range(self.often(profile.cuts)):
            self._place(Kind.CUT, house, lambda at: [Span(at, at + self._cut_length())])
        for _ in range(self.often(profile.blinks)):
            self._place(Kind.CUT, house, lambda at: [Span(at, at + dice.uniform(0.2, 2))])
        for _ in range(self.often(profile.flickers)):
            self._place(Kind.CUT, house, self._flicker)
        for _ in range(self.often(profile.router_failures)):
            self._place(Kind.NETWORK, house, lambda at: [Span(at, at + self._failure_length())])
        for _ in range(self.often(profile.hiccups)):
            self._place(Kind.NETWORK, house, lambda at: [Span(at, at + dice.uniform(1, 25))])
        for _ in range(self.often(profile.crashes)):
            self._crash(house)
        for _ in range(self.often(profile.goodbyes)):
            self._goodbye(house)

    def _crash(self, house: House) -> None:
        dice = self._dice
        board = dice.choice(house.boards)
        drawn = dice.random()
        hang = 0.0 if drawn < 0.4 else 60.0 if drawn < 0.6 else dice.uniform(60, 900)
        reset = ResetCause.WATCHDOG if hang else dice.choice((ResetCause.SOFT, ResetCause.HARD))
        for _ in range(TRIES):
            at = self._start()
            incident = Incident(Kind.CRASH, house.name, (Span(at, at + max(hang, 0.1)),), board.name, reset)
            if self._enter(incident):
                return

    def _goodbye(self, house: House) -> None:
        """A planned stop: an update, or somebody unplugs the board for less than the limit of a pause."""
        dice = self._dice
        board = dice.choice(house.boards)
        planned = dice.random() < 0.5
        length = dice.uniform(0.5, 60) if planned else dice.uniform(60, 3000)
        for _ in range(TRIES):
            at = self._start()
            reset = ResetCause.SOFT if planned else ResetCause.POWER_ON
            if self._enter(Incident(Kind.GOODBYE, house.name, (Span(at, at + length),), board.name, reset)):
                return

    def _place(self, kind: Kind, house: House, parts: Callable[[float], list[Span]]) -> None:
        for _ in range(TRIES):
            if self._enter(Incident(kind, house.name, tuple(parts(self._start())))):
                return

    def _enter(self, incident: Incident) -> bool:
        """Take the incident unless something else is too near, here or in a house that shares a site."""
        house = self._world.houses[incident.house]
        slowest = max(board.interval_s for board in house.boards)
        taken = Span(incident.span.start - 5 * slowest, incident.span.end + 300 + 5 * slowest)
        if taken.end > self._profile.days * DAY - QUIET_TAIL:
            return False
        if any(
            taken.overlaps(span) and not self._same(incident, name, span)
            for name in house.neighbours
            for span in self._busy[name]
        ):
            return False
        self._busy[house.name].append(taken)
        self.incidents.append(incident)
        return True

    def _same(self, incident: Incident, house: str, taken: Span) -> bool:
        """Whether the other entry is part of the same happening: neighbours may lose their power together."""
        return house != incident.house and any(
            other.house == house and other.kind is incident.kind and other.span.start == incident.span.start
            for other in self.incidents
        )

    def _start(self) -> float:
        return self._dice.uniform(QUIET_HEAD, self._profile.days * DAY - QUIET_TAIL)

    def _share(self) -> list[House]:
        houses = list(self._world.houses.values())
        return self._dice.sample(houses, max(1, int(len(houses) * self._dice.uniform(0.2, 0.95))))

    def _cut_length(self) -> float:
        """From half a minute to ten hours."""
        low, high = self._dice.choices(
            ((20, 120), (120, 900), (900, 3 * HOUR), (3 * HOUR, 10 * HOUR)), (20, 35, 35, 10)
        )[0]
        return self._dice.uniform(low, high)

    def _failure_length(self) -> float:
        low, high = self._dice.choices(((40, 300), (300, HOUR), (HOUR, 4 * HOUR)), (40, 40, 20))[0]
        return self._dice.uniform(low, high)

    def _flicker(self, at: float) -> list[Span]:
        """Power that comes and goes: a few cuts, short or less so, with pauses in which boards may or may not boot."""
        dice = self._dice
        parts = []
        for _ in range(dice.randint(2, 8)):
            end = at + dice.choice((dice.uniform(0.3, 3), dice.uniform(10, 90), dice.uniform(90, 400)))
            parts.append(Span(at, end))
            at = end + dice.choice((dice.uniform(0.5, 10), dice.uniform(10, 60), dice.uniform(60, 300)))
        return parts
