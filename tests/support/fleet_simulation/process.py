"""Our process: a core, what it is told and says, and what is stored of it for the next one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from uuid import UUID

from services.detector.core.effects import DeviceChanged, Effect, SiteChanged
from services.detector.core.fleet import Fleet
from services.detector.core.observation import Observation, ObservationKind
from services.detector.core.policy import Policy
from tests.support.fleet_simulation.clock import moment, seconds
from tests.support.fleet_simulation.stored import Stored
from tests.support.fleet_simulation.world import World

Take = Callable[[float, Sequence[Effect]], None]
"""Given each batch of effects with its time."""

Witness = Callable[[float, str, object], None]
"""Told of all that passes between shell and core: when, what, and the message or the effects."""


class Process:
    """A core that can be killed and started again. `due` is when it wants to be woken."""

    def __init__(self, world: World, policy: Policy, take: Take, witness: Witness | None) -> None:
        self.due = math.inf
        self._world = world
        self._policy = policy
        self._take = take
        self._witness = witness
        self._ids = count(1)
        self._stored = Stored()
        self._fleet: Fleet | None = None
        self._observed = 0

    @property
    def running(self) -> bool:
        """Whether there is a core."""
        return self._fleet is not None

    @property
    def observed(self) -> int:
        """How many messages all cores were given."""
        return self._observed + (self._fleet.tally.observed if self._fleet is not None else 0)

    @property
    def watching(self) -> bool:
        """Whether the core believes that it sees."""
        return self._fleet is not None and self._fleet.watch.since is not None

    def start(self, now: float) -> None:
        """A new core takes over what was stored."""
        self._fleet = Fleet(self._policy, self._new_id)
        self._stored.restore(self._fleet, moment(now))
        self._tell(now, "start", self._fleet.set_registry(self._world.places, moment(now)))

    def kill(self, now: float) -> None:
        """The core is gone, without a word."""
        self._observed = self.observed
        self._fleet = None
        self.due = math.inf
        if self._witness is not None:
            self._witness(now, "kill", [])

    def snapshot(self, now: float) -> None:
        """Store all of it."""
        if self._fleet is not None:
            self._stored.snapshot(self._fleet, moment(now))

    def observe(self, now: float, observation: Observation) -> None:
        """A message."""
        if self._witness is not None:
            self._witness(now, "message", observation)
        effects = self._fleet.observe(observation)  # type: ignore[union-attr]  # millions come here; it runs
        if effects:
            self._apply(now, effects)
        elif observation.kind is not ObservationKind.BEAT:
            self.look(after=now)

    def tick(self, now: float) -> bool:
        """Time passes; says whether the core wants an echo."""
        self._tell(now, "tick", self._core.tick(moment(now)))
        return self._core.wants_proof

    def link_up(self, now: float) -> None:
        """The link is there."""
        self._tell(now, "link_up", self._core.link_up(moment(now)))

    def link_down(self, now: float, since: float, reason: str = "link") -> None:
        """The link is not there, and was not since."""
        if self.watching:
            self._core.link_down(moment(since), reason)
            self._tell(now, f"link_down ({reason})", [])

    def link_proven(self, now: float, sent: float) -> None:
        """An echo is back; one sent before the core knew of the link counts from then."""
        core = self._core
        if core.watch.since is not None:
            self._tell(now, "echo", core.link_proven(max(moment(sent), core.watch.since), moment(now)))

    def look(self, after: float = -math.inf) -> None:
        """Note when the core wants to be woken; a deadline that passed without effect is left to the next echo."""
        due = self._fleet.next_deadline() if self._fleet is not None else None
        when = math.inf if due is None else seconds(due)
        self.due = when if when > after else math.inf

    @property
    def _core(self) -> Fleet:
        assert self._fleet is not None
        return self._fleet

    def _tell(self, now: float, what: str, effects: Sequence[Effect]) -> None:
        if self._witness is not None:
            self._witness(now, what, [])
        self._apply(now, effects)

    def _apply(self, now: float, effects: Sequence[Effect]) -> None:
        if effects:
            for effect in effects:
                if isinstance(effect, DeviceChanged | SiteChanged):
                    self._stored.take(effect)
            if self._witness is not None:
                self._witness(now, "effects", effects)
            self._take(now, effects)
        self.look(after=now)

    def _new_id(self, _now: datetime) -> UUID:
        return UUID(int=next(self._ids))
