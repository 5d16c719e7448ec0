"""What the core wants done: to be stored, logged or published by the shell."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from services.detector.core.device import DeviceState
from services.detector.core.outage import Outage
from services.detector.core.site import SiteState
from svitlo.contracts import PowerEvent


class DeviceChanged(Struct, frozen=True):
    """A device's liveness, or what is known of its dark span, changed."""

    device: str
    state: DeviceState


class SiteChanged(Struct, frozen=True):
    """What is known of a site changed."""

    site: str
    state: SiteState


class OutageChanged(Struct, frozen=True):
    """An outage began, ended or is better known: its row as it now stands."""

    site: str
    outage: Outage


class EventLogged(Struct, frozen=True):
    """One entry for the event log. Written in one transaction with the outages it speaks of."""

    event: PowerEvent

    @property
    def site(self) -> str:
        """The site it is about."""
        return self.event.site


class GapSeen(Struct, frozen=True):
    """A span in which we were blind has ended."""

    started_at: datetime
    ended_at: datetime
    reason: str


Effect = DeviceChanged | SiteChanged | OutageChanged | EventLogged | GapSeen
