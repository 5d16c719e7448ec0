"""What the database holds of the detector's state, for a restart: JSON, as `services.detector.store` writes it."""

from __future__ import annotations

from datetime import datetime

import msgspec

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
        self._blind_since: datetime | None = None

    def take(self, effect: DeviceChanged | SiteChanged) -> None:
        """Store one change at once."""
        if isinstance(effect, DeviceChanged):
            self._devices[effect.device] = effect.state
        else:
            self._sites[effect.site] = effect.state

    def snapshot(self, fleet: Fleet, now: datetime) -> None:
        """Store how far each device has come, and since when we watch."""
        self._devices = dict(fleet.devices)
        self._last_tick, self._watched_since, self._blind_since = now, fleet.watch.since, fleet.blind_since

    def restore(self, fleet: Fleet, now: datetime) -> None:
        """Hand it to a new process."""
        devices = msgspec.json.decode(msgspec.json.encode(self._devices), type=dict[str, DeviceState])
        sites = msgspec.json.decode(msgspec.json.encode(self._sites), type=dict[str, SiteState])
        fleet.restore(devices, sites, self._last_tick, self._watched_since, self._blind_since)
        fleet.rewind(now)
