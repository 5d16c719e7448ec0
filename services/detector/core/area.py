"""When many devices vanish together, it may be us or the network: alerts wait a moment, then go out as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from services.detector.core.policy import Policy


class Hold(Struct, frozen=True):
    """Alerts of the area `id` wait until `until` (UTC)."""

    id: UUID
    until: datetime


class AreaGuard:
    """Watches how many devices vanish within a short time.

    It trips when at least `area_devices` and at least the share `area_share` of all that were online vanish within
    `area_window`, and goes on for as long as more of them follow. A will that is still held counts already, and so does
    a board that is overdue: else the first half of many would be told of before anybody notices that they are many.
    """

    def __init__(self, policy: Policy, new_id: Callable[[datetime], UUID]) -> None:
        self._policy = policy
        self._new_id = new_id
        self._vanished: dict[str, datetime] = {}
        self._hold: Hold | None = None
        self.sites: Counter[UUID] = Counter()

    def vanished(self, device: str, now: datetime, online: int, overdue: int) -> None:
        """A device fell silent at `now`, or its will came.

        Of all the others `overdue` are silent for longer than they should be, and `online` speak as far as we know.
        """
        self._forget(now)
        self._vanished.pop(device, None)  # the newest stand last
        self._vanished[device] = now
        count = len(self._vanished) + overdue
        if (
            self._hold is None
            and count >= self._policy.area_devices
            and count >= self._policy.area_share * (online + count)
        ):
            self._hold = Hold(self._new_id(now), now + self._policy.area_wait)

    def back(self, device: str) -> None:
        """A device speaks again."""
        self._vanished.pop(device, None)

    def __contains__(self, device: str) -> bool:
        return device in self._vanished

    def hold(self, now: datetime) -> Hold | None:
        """What an outage found now belongs to, if many vanished just now."""
        self._forget(now)
        return self._hold

    def rewind(self) -> None:
        """Our clock was set back: what it saw has no times any more."""
        self._vanished.clear()
        self._hold = None

    @property
    def until(self) -> datetime | None:
        """Until when alerts wait; None while nothing unusual happens."""
        return self._hold.until if self._hold is not None else None

    def _forget(self, now: datetime) -> None:
        while self._vanished:
            device, at = next(iter(self._vanished.items()))
            if at >= now - self._policy.area_window:
                break
            del self._vanished[device]
        if not self._vanished and self._hold is not None and self._hold.until <= now:
            self._hold = None
