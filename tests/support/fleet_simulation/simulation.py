"""One whole run: a world, what befell it, the core on what was heard of it, and the score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from services.detector.core.outage import Outage
from services.detector.core.policy import Policy
from tests.support.fleet_simulation.blindness import Troubles, strike
from tests.support.fleet_simulation.broadcast import Broadcast
from tests.support.fleet_simulation.clock import DAY
from tests.support.fleet_simulation.garble import garbled
from tests.support.fleet_simulation.incidents import Incident, befall
from tests.support.fleet_simulation.ledger import Ledger
from tests.support.fleet_simulation.process import Process, Witness
from tests.support.fleet_simulation.profile import Profile
from tests.support.fleet_simulation.score import Score
from tests.support.fleet_simulation.shell import Shell
from tests.support.fleet_simulation.spans import Spans
from tests.support.fleet_simulation.speech import Said
from tests.support.fleet_simulation.truth import Truth
from tests.support.fleet_simulation.world import World, build

POLICY = Policy(
    misses=2,
    grace=timedelta(seconds=3),
    will_hold=timedelta(seconds=2),
    birth_hold=timedelta(seconds=1),
    reconnect=timedelta(seconds=45),
    confirm_off=timedelta(0),
    confirm_on=timedelta(0),
    pause_limit=timedelta(hours=1),
)
"""The settings' defaults."""


@dataclass
class Simulation:
    """Everything drawn from one seed."""

    profile: Profile
    seed: int
    world: World = field(init=False)
    incidents: list[Incident] = field(init=False)
    troubles: Troubles = field(init=False)

    def __post_init__(self) -> None:
        self.world = build(self.profile, self.seed)
        self.incidents = befall(self.profile, self.seed, self.world)
        self.troubles = strike(self.profile, self.seed, self.world, self.incidents)

    def broadcast(self) -> Broadcast:
        """All that is said; to be read once."""
        return Broadcast(self.profile, self.seed, self.world, self.incidents, self.troubles)

    def run(self, witness: Witness | None = None) -> Result:
        """Let the core hear all of it and judge what it made of it."""
        process, ledger, seen = self._played(self.broadcast().chunks(), witness)
        ledger.close()
        score = self.score(ledger, seen)
        score.violations = sorted([*ledger.violations, *score.violations], key=lambda each: (each.site, each.at))
        return Result(self.profile, self.seed, score, process.observed)

    def run_garbled(self) -> Ledger:
        """Let the core hear all of it over a network worse than any; what it says must keep its own rules still."""
        _, ledger, _ = self._played(garbled(self.broadcast().chunks(), self.seed))
        return ledger

    def score(self, ledger: Ledger, seen: Spans) -> Score:
        """Judge what the ledger holds against the truth."""
        score = Score()
        rows: dict[str, list[Outage]] = {site: [] for site in self.world.places}
        for site, row in ledger.rows.values():
            rows[site].append(row)
        for site, place in self.world.places.items():
            if place.devices:
                score.add(Truth(self.world, self.incidents, site), rows[site], seen, POLICY)
        return score

    def _played(self, chunks: Iterable[list[Said]], witness: Witness | None = None) -> tuple[Process, Ledger, Spans]:
        end, ledger = self.profile.days * DAY, Ledger()
        process = Process(self.world, POLICY, ledger.take, witness)
        shell = Shell(self.seed, self.troubles, process, prompt=self.profile.prompt)
        shell.hear(chunks, end)
        return process, ledger, shell.seen(end)


@dataclass
class Result:
    """The score of a run, and what it was made of."""

    profile: Profile
    seed: int
    score: Score
    observations: int
