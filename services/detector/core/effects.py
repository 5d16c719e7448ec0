"""What the core wants done: to be stored, logged or published by the shell."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from services.detector.core.device import DeviceState
from services.detector.core.site import Outage, SiteState
from svitlo.contracts import PowerEvent


class DeviceChanged(Struct, frozen=True):
    """A device's liveness changed."""

    device: str
    state: DeviceState


class SiteChanged(Struct, frozen=True):
    """What is shown of a site changed (its word, its outage, or how many of its devices live)."""

    site: str
    state: SiteState


class OutageStarted(Struct, frozen=True):
    """Power went at a site."""

    site: str
    outage: Outage
    event: PowerEvent


class OutageEnded(Struct, frozen=True):
    """Power came back at a site."""

    site: str
    outage: Outage
    event: PowerEvent


class GapSeen(Struct, frozen=True):
    """A span in which we were blind has ended."""

    started_at: datetime
    ended_at: datetime
    reason: str


Effect = DeviceChanged | SiteChanged | OutageStarted | OutageEnded | GapSeen
