"""How big a simulated world is and how much happens in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """Numbers of a world. Rates are per house and day where a house is meant, per day otherwise.

    `odd_beats` is the share of heartbeats that get lost, doubled or late. The core is woken at its deadlines if
    `prompt`, else only once a second, which is cheaper by far.
    """

    days: float
    sites: int
    boards: int
    intervals_s: tuple[int, ...] = (60,)
    cuts: float = 0.3
    blinks: float = 0.1
    flickers: float = 0.02
    router_failures: float = 0.15
    hiccups: float = 0.2
    crashes: float = 0.15
    goodbyes: float = 0.03
    districts: float = 0.5
    provider_failures: float = 0.3
    broker_restarts: float = 1.0
    broker_freezes: float = 1.0
    link_breaks: float = 0.5
    stalls: float = 0.5
    downtimes: float = 1.0
    blinded_cuts: float = 2.0
    odd_beats: float = 0.01
    prompt: bool = True


WEEK = Profile(days=7, sites=100, boards=300, prompt=False)
"""Three million observations."""

DENSE = Profile(
    days=1.5,
    sites=6,
    boards=14,
    intervals_s=(10, 30, 60),
    cuts=4,
    blinks=2,
    flickers=0.7,
    router_failures=2.5,
    hiccups=2,
    crashes=3,
    goodbyes=1,
    districts=3,
    provider_failures=2,
    broker_restarts=8,
    broker_freezes=6,
    link_breaks=4,
    stalls=4,
    downtimes=8,
    blinded_cuts=14,
)
"""Few sites, but hardly an hour in which nothing happens."""
