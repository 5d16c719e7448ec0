"""What happens to a simulated street, drawn from a seed: the same seed, the same history."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can happen."""

    POWER_CUT = "power cut"
    """Every board of a site goes silent without a word and boots anew when power returns."""
    NETWORK_LOSS = "network loss"
    """A board goes on running but reaches nobody; on return it is the same boot."""
    FLAP = "flap"
    """A board loses its connection with a clean TCP close and is back within seconds, several times."""


@dataclass(frozen=True)
class Rates:
    """How often, per hour: power cuts for each site, network losses and flaps for each board; mean lengths in s."""

    power_cuts: float = 0.5
    network_losses: float = 0.2
    flaps: float = 0.2
    power_cut_s: float = 120.0
    network_loss_s: float = 60.0


@dataclass(frozen=True)
class Happening:
    """Something that begins `at_s` seconds after the start and lasts `length_s`; `target` is a site or a device."""

    at_s: float
    length_s: float
    kind: Kind
    target: str


def draw(sites: dict[str, Sequence[str]], duration_s: float, rates: Rates, seed: int) -> list[Happening]:
    """The history of `duration_s` seconds for sites with their devices, in order of time.

    Happenings of one kind and target never overlap; arrivals are Poisson, lengths exponential (at least 1 s).
    """
    found: list[Happening] = []
    for site, devices in sorted(sites.items()):
        # A generator for each target: adding a site does not change the history of the others.
        found += _arrivals(Kind.POWER_CUT, site, rates.power_cuts, rates.power_cut_s, duration_s, seed)
        for device in devices:
            found += _arrivals(Kind.NETWORK_LOSS, device, rates.network_losses, rates.network_loss_s, duration_s, seed)
            found += _arrivals(Kind.FLAP, device, rates.flaps, 10.0, duration_s, seed)
    return sorted(found, key=lambda item: (item.at_s, item.target))


def _arrivals(kind: Kind, target: str, per_hour: float, mean_s: float, duration_s: float, seed: int) -> list[Happening]:
    if per_hour <= 0:
        return []
    dice = random.Random(f"{seed}/{kind}/{target}")  # noqa: S311 - a simulation, not a secret
    found = []
    at = dice.expovariate(per_hour / 3600)
    while at < duration_s:
        length = max(1.0, dice.expovariate(1 / mean_s))
        found.append(Happening(at, length, kind, target))
        at += length + dice.expovariate(per_hour / 3600)
    return found
