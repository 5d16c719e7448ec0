"""What all parts of an explanation look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from services.api.schemas import Planned
from services.api.why.facts import Board, Facts, Policy, Site
from services.api.why.judge import Watch, watch_of
from services.api.why.words import Clock
from services.api.work import open_window


@dataclass(frozen=True)
class Scene:
    """The facts, the detector's policy and watch, the maintenance that is going on, and how to tell it.

    Without `named` boards are numbered.
    """

    facts: Facts
    policy: Policy
    watch: Watch
    planned: Planned | None
    clock: Clock
    named: bool

    @property
    def site(self) -> Site:
        """The site."""
        return self.facts.site

    @property
    def boards(self) -> dict[str, Board]:
        """The boards by what they are called."""
        return {board.id if self.named else f"board {n}": board for n, board in enumerate(self.facts.boards, 1)}


def scene_of(facts: Facts, now: datetime, zone: ZoneInfo, policy: Policy, *, named: bool) -> Scene:
    """The scene at `now`; `policy` stands in for what the detector did not tell of its own."""
    told = facts.tick.details.policy if facts.tick is not None else {}
    known = msgspec.convert(msgspec.structs.asdict(policy) | told, Policy)
    planned = open_window(facts.windows, now)
    return Scene(facts, known, watch_of(facts.tick, now), planned, Clock(zone, now), named)
