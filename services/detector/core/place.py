"""What the core is told about a site: its devices and their weights, its rule, its parent, its maintenance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from zlib import crc32

from msgspec import Struct


class Rule(StrEnum):
    """How the votes of a site's devices make its power."""

    ANY = "any"
    ALL = "all"
    MAJORITY = "majority"
    K = "k"


class Place(Struct, frozen=True):
    """A site as the registry has it.

    `devices` maps each device to its weight. `k` is the weight that must live under the rule `k`. `confirm_off` and
    `confirm_on` replace the policy's where they are given. All may see a `public` site. `maintenance` lists windows
    `[start, end)` (UTC, sorted), the site's own and those of the sites above it; only the near future and the last days
    need be there.
    """

    devices: dict[str, int] = {}
    rule: Rule = Rule.ANY
    k: int = 1
    parent: str | None = None
    public: bool = True
    confirm_off: timedelta | None = None
    confirm_on: timedelta | None = None
    maintenance: tuple[tuple[datetime, datetime], ...] = ()

    @property
    def cast(self) -> int:
        """A number that stands for who votes and how; the same after a restart."""
        return crc32(repr((self.rule.value, self.k, sorted(self.devices.items()))).encode())


class Vote(StrEnum):
    """What one device says about its site's power."""

    ALIVE = "alive"
    DEAD = "dead"
    UNSEEN = "unseen"
    """Last known alive, but not heard since we began to watch: it may still be either."""
    ABSTAINS = "abstains"


class Verdict(StrEnum):
    """What the rule makes of the votes; `hold` means: too early to change anything."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"
    HOLD = "hold"


def decide(place: Place, votes: Mapping[str, Vote]) -> Verdict:
    """The site's rule over its devices' votes; a device not named abstains.

    A device not yet heard since we began to watch may be either: the rule says `hold` unless it comes out the same
    both ways. Taking such a device for dead would report our own restart as an outage.
    """
    weight = dict.fromkeys(Vote, 0)
    for name, vote in votes.items():
        weight[vote] += place.devices.get(name, 0)
    alive, unseen = weight[Vote.ALIVE], weight[Vote.UNSEEN]
    voters = alive + unseen + weight[Vote.DEAD]
    if voters == 0 or (place.rule is Rule.K and voters < place.k):
        return Verdict.UNKNOWN
    if _enough(place, alive, voters):
        return Verdict.ON
    return Verdict.HOLD if _enough(place, alive + unseen, voters) else Verdict.OFF


def _enough(place: Place, alive: int, voters: int) -> bool:
    match place.rule:
        case Rule.ANY:
            return alive > 0
        case Rule.ALL:
            return alive == voters
        case Rule.MAJORITY:
            return 2 * alive > voters
        case Rule.K:
            return alive >= place.k
