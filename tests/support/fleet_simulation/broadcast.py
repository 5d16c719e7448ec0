"""What reaches the broker from all boards, in order, an hour at a time."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from operator import itemgetter

from tests.support.fleet_simulation.blindness import Troubles
from tests.support.fleet_simulation.boots import boots_of, unpowered
from tests.support.fleet_simulation.clock import DAY, HOUR
from tests.support.fleet_simulation.connections import Connection, Surroundings, connections_of
from tests.support.fleet_simulation.incidents import Incident, Kind
from tests.support.fleet_simulation.profile import Profile
from tests.support.fleet_simulation.spans import Spans
from tests.support.fleet_simulation.speech import Run, Said, runs_of, words_of
from tests.support.fleet_simulation.world import House, World

PRELUDE = -600.0
"""Boards begin to talk so early, before anybody listens."""
CHUNK = HOUR
_AT = itemgetter(0)


class Broadcast:
    """All that is said in a world."""

    def __init__(
        self, profile: Profile, seed: int, world: World, incidents: list[Incident], troubles: Troubles
    ) -> None:
        self.connections: dict[str, list[Connection]] = {}
        self._end = profile.days * DAY
        self._runs: list[deque[Run]] = []
        words: list[Said] = []
        for house in world.houses.values():
            here = [incident for incident in incidents if incident.house == house.name]
            around = Surroundings.of(_network_down(house, here), troubles)
            for board in house.boards:
                dice = random.Random(f"{seed}/{board.name}")
                connections = connections_of(board, boots_of(board, here, dice), around, dice)
                self.connections[board.name] = connections
                off = unpowered(board, here)
                runs = runs_of(board, connections, off, dice, profile.odd_beats, self._end)
                self._runs.append(deque(run for run in runs if run.count))
                words += words_of(board, connections, off, dice, profile.odd_beats)
        self._words = sorted(words, key=_AT)

    def chunks(self, start: float = PRELUDE, end: float | None = None) -> Iterator[list[Said]]:
        """Everything that arrives in `[start, end)`; can be read once."""
        end = self._end if end is None else end
        late: list[Said] = []
        word = bisect_left(self._words, start, key=_AT)
        while start < end:
            stop = min(start + CHUNK, end)
            said, late = late, []
            for runs in self._runs:
                for run in runs:
                    if run.start >= stop:
                        break
                    run.said(start, stop, said)
                while runs and runs[0].end < stop:
                    runs.popleft()
            last = bisect_left(self._words, stop, key=_AT)
            said += self._words[word:last]
            word = last
            said.sort(key=_AT)
            cut = bisect_left(said, stop, key=_AT)
            late = said[cut:]
            yield said[:cut]
            start = stop


def _network_down(house: House, incidents: list[Incident]) -> Spans:
    """When the house's router does not carry: failures, and its own boot after a cut."""
    return Spans(
        (part.start, part.end + (house.router_boot_s if incident.kind is Kind.CUT else 0))
        for incident in incidents
        if incident.kind is Kind.NETWORK or (incident.kind is Kind.CUT and house.router_boot_s)
        for part in incident.parts
    )
