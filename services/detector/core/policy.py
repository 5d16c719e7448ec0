"""When silence becomes an outage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Policy:
    """The knobs of detection; see `svitlo.settings.Policy` for what each means and its default."""

    misses: int
    grace: timedelta
    will_hold: timedelta
    birth_hold: timedelta
    reconnect: timedelta
    confirm_off: timedelta
    confirm_on: timedelta
    pause_limit: timedelta
    area_devices: int = 5
    area_share: float = 0.5
    area_window: timedelta = timedelta(seconds=10)
    area_wait: timedelta = timedelta(seconds=20)
    flap_changes: int = 4
    flap_window: timedelta = timedelta(minutes=10)
    flap_calm: timedelta = timedelta(minutes=5)

    def timeout(self, interval_s: int) -> timedelta:
        """How long a device may be silent: interval x misses + grace."""
        return timedelta(seconds=interval_s * self.misses) + self.grace

    def late_after(self, interval_s: int) -> timedelta:
        """When a device counts as late: one interval and the grace without a word."""
        return timedelta(seconds=interval_s) + self.grace

    def settle(self, interval_s: int) -> timedelta:
        """How long after a blind span silence proves nothing.

        A board whose own connection broke retries with growing pauses, so right after a broker's return a healthy
        board may still be waiting for its next attempt.
        """
        return max(self.timeout(interval_s), self.reconnect)
