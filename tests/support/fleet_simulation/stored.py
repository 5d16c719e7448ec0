"""What the database holds of the detector's state, for a restart."""

from __future__ import annotations

from datetime import datetime

from services.detector.core.device import DeviceState
from services.detector.core.effects import DeviceChanged, SiteChanged
from services.detector.core.fleet import Fleet
from services.detector.core.site import SiteState


class Stored:
    """Devices as of a snapshot and of the changes since, sites as of their changes."""

    def __init__(self) -> None:
        self._devices: dict[str, DeviceState] = {}
        self._sites: dict[str, SiteState] = {}
        self._last_tick: datetime | None = None
        self._watched_since: datetime | None = None

    def take(self, effect: DeviceChanged | SiteChanged) -> None:
        """Store one change at once."""
        if isinstance(effect, DeviceChanged):
            self._devices[effect.device] = effect.state
        else:
            self._sites[effect.site] = effect.state

    def snapshot(self, fleet: Fleet, now: datetime) -> None:
        """Store how far each device has come, and that we watch."""
        self._devices = dict(fleet.devices)
        self._last_tick, self._watched_since = now, fleet.watch.since

    def restore(self, fleet: Fleet) -> None:
        """Hand it to a new process."""
        fleet.restore(self._devices, self._sites, self._last_tick, self._watched_since)
