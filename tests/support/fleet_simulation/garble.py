"""A network worse than any: what is said gets lost, doubled, and late by minutes, out of any order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from operator import itemgetter

from msgspec.structs import replace

from tests.support.fleet_simulation.clock import moment
from tests.support.fleet_simulation.speech import Said

LOST = 0.1
DOUBLED = 0.15
LATE = 0.1
LATEST_S = 600.0


def garbled(chunks: Iterable[list[Said]], seed: int) -> Iterator[list[Said]]:
    """The same messages, a tenth of them lost, a tenth late and some twice; what comes after the end is lost."""
    dice = random.Random(f"{seed}/garble")
    waiting: list[Said] = []
    for chunk in chunks:
        if not chunk:
            continue
        end = chunk[-1][0]
        for at, observation in chunk:
            if dice.random() < LOST:
                continue
            late = at + dice.uniform(0, LATEST_S)
            punctual = dice.random() >= LATE
            if punctual:
                waiting.append(Said(at, observation))
            if not punctual or dice.random() < DOUBLED:
                waiting.append(Said(late, replace(observation, at=moment(late))))
        waiting.sort(key=itemgetter(0))
        yield [said for said in waiting if said[0] <= end]
        waiting = [said for said in waiting if said[0] > end]
