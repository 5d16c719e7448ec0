"""What the core is told about a site: its devices and their weights, its rule, its parent, its maintenance."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

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
    `confirm_on` replace the policy's where they are given. `maintenance` lists windows `[start, end)` (UTC, sorted),
    the site's own and those of the sites above it; only the near future need be there.
    """

    devices: dict[str, int] = {}
    rule: Rule = Rule.ANY
    k: int = 1
    parent: str | None = None
    confirm_off: timedelta | None = None
    confirm_on: timedelta | None = None
    maintenance: tuple[tuple[datetime, datetime], ...] = ()
