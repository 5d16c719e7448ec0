"""Who is there: houses with mains and a router of their own, the boards in them, the sites they stand for."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from math import ceil

from services.detector.core.place import Place, Rule
from tests.support.fleet_simulation.clock import DAY, HOUR, moment
from tests.support.fleet_simulation.profile import Profile

MOST_BOARDS = 7
REGIONS = 3


@dataclass(frozen=True)
class Board:
    """One board. `pace` is how fast its clock runs; `battery_s` how long it outlives the mains it then can sense.

    One that does not count its boots says 0; one that cannot tell why it started says `unknown`. `broken_at` is
    when it dies for good; a board that `never_ran` is only registered.
    """

    name: str
    house: str
    interval_s: int
    keepalive_s: int
    pace: float
    has_will: bool = True
    counts_boots: bool = True
    tells_reset: bool = True
    battery_s: float = 0.0
    keeps_journal: bool = False
    broken_at: float | None = None
    never_ran: bool = False

    @property
    def telling(self) -> bool:
        """Whether its return can decide what took it away."""
        return self.counts_boots and self.tells_reset


@dataclass(frozen=True)
class House:
    """One mains connection and one router, which takes its time after a cut (0: it has a battery)."""

    name: str
    boards: tuple[Board, ...]
    router_boot_s: float
    neighbours: frozenset[str] = frozenset()
    """The houses with which it shares a site (itself too): what happens there must not mix with what happens here."""


@dataclass(frozen=True)
class World:
    """All of them, and the registry."""

    houses: dict[str, House]
    places: dict[str, Place]

    @cached_property
    def boards(self) -> dict[str, Board]:
        return {board.name: board for house in self.houses.values() for board in house.boards}

    @cached_property
    def sites_of(self) -> dict[str, list[str]]:
        """The sites each board stands for."""
        found: dict[str, list[str]] = {name: [] for name in self.boards}
        for site, place in self.places.items():
            for name in place.devices:
                found[name].append(site)
        return found


def build(profile: Profile, seed: int) -> World:
    """Draw a world. Every tenth site has no mains of its own: it is a stair of the house before it."""
    dice = random.Random(f"{seed}/world")
    names = [f"site-{number}" for number in range(profile.sites)]
    shared = {names[n]: names[n - 1] for n in range(4, len(names), 10)}
    sizes = _sizes(profile, dice)
    houses: dict[str, House] = {}
    places: dict[str, Place] = {}
    for name, size in zip(names, sizes, strict=True):
        boards = _boards(profile, dice, name, size)
        with_battery = any(board.battery_s for board in boards)
        router_boot = 0.0 if with_battery or dice.random() < 0.5 else dice.uniform(20, 90)
        landlord = shared.get(name)
        neighbours = frozenset((name, landlord)) if landlord else frozenset((name,))
        houses[name] = House(name, boards, router_boot, neighbours)
        devices = {board.name: dice.randint(1, 3) for board in boards}
        if landlord:
            houses[landlord] = _with_neighbour(houses[landlord], name)
            devices[houses[landlord].boards[0].name] = 1
        places[name] = _place(profile, devices, boards, dice)
    regions = {place.parent: Place() for place in places.values() if place.parent is not None}
    return World(houses, places | regions)


def _with_neighbour(house: House, name: str) -> House:
    return House(house.name, house.boards, house.router_boot_s, house.neighbours | {name})


def _sizes(profile: Profile, dice: random.Random) -> list[int]:
    """How many boards each site has: a third has one, the others share the rest."""
    sizes = [1] * profile.sites
    growing = range(profile.sites // 3, profile.sites)
    for _ in range(profile.boards - profile.sites):
        sizes[dice.choice([place for place in growing if sizes[place] < MOST_BOARDS])] += 1
    dice.shuffle(sizes)
    return sizes


def _boards(profile: Profile, dice: random.Random, house: str, size: int) -> tuple[Board, ...]:
    """The boards of a house are of one make more often than not."""
    interval = dice.choice(profile.intervals_s)
    sensing = dice.random() < 0.12
    silent = dice.random() < 0.08
    boards = []
    for number in range(size):
        spare = number >= 2  # never the only one, so that nothing hangs on it
        boards.append(
            Board(
                name=f"{house}-board-{number}",
                house=house,
                interval_s=interval,
                keepalive_s=dice.choice((10, 10, 15, 30, 60)),
                pace=1 + dice.uniform(-50e-6, 50e-6),
                has_will=dice.random() < 0.95,
                counts_boots=not silent and dice.random() < 0.95,
                tells_reset=not silent and dice.random() < 0.95,
                battery_s=dice.uniform(45, 75) if sensing and dice.random() < 0.8 else 0.0,
                keeps_journal=dice.random() < 0.3,
                broken_at=dice.uniform(2 * HOUR, profile.days * DAY) if spare and dice.random() < 0.08 else None,
                never_ran=spare and dice.random() < 0.05,
            )
        )
    return tuple(boards)


def _place(profile: Profile, devices: dict[str, int], boards: tuple[Board, ...], dice: random.Random) -> Place:
    """Mostly `any`; the other rules only where every board is there for good, else they would be off for good.

    Some sites want their verdicts confirmed for a while, some are maintained at the same hour each day.
    """
    lasting = len(devices) > 1 and all(board.broken_at is None and not board.never_ran for board in boards)
    weights = (75, 8, 9, 8) if lasting else (1, 0, 0, 0)
    rule = dice.choices((Rule.ANY, Rule.ALL, Rule.MAJORITY, Rule.K), weights)[0]
    hour = dice.uniform(2, 22) * HOUR if dice.random() < 0.05 else None
    return Place(
        devices,
        rule,
        dice.randint(1, sum(devices.values())),
        parent=f"region-{dice.randrange(REGIONS)}",
        confirm_off=timedelta(seconds=20) if dice.random() < 0.05 else None,
        confirm_on=timedelta(seconds=10) if dice.random() < 0.05 else None,
        maintenance=() if hour is None else _windows(profile, hour),
    )


def _windows(profile: Profile, hour: float) -> tuple[tuple[datetime, datetime], ...]:
    starts = [day * DAY + hour for day in range(ceil(profile.days))]
    return tuple((moment(start), moment(start + 2 * HOUR)) for start in starts)
