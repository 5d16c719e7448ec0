"""Maintenance that is going on. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.api.schemas import Planned
from svitlo.maintenance import Window, spans

AHEAD = timedelta(hours=48)
"""How far ahead windows are joined to one, as in the state that the detector publishes."""


def open_window(windows: Iterable[Window], now: datetime) -> Planned | None:
    """The maintenance that is going on; windows that overlap or touch are one."""
    going_on = (span for span in spans(windows, now, now + AHEAD) if span[0] <= now < span[1])
    return next((Planned(starts_at=start, ends_at=end) for start, end in going_on), None)
