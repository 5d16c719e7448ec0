"""Which entries of the event log people are told of; everybody else who reads the log sees them all."""

from __future__ import annotations

from collections.abc import Callable

from services.notifier.views import RETRACTED
from svitlo.contracts import Change, EventKind, PowerEvent

_NEWS: dict[EventKind, Callable[[PowerEvent], bool]] = {
    # What came and went while nobody watched is told once, by its end.
    EventKind.POWER_LOST: lambda event: event.reconstructed is not True,
    # Power that never went does not come back: right behind such an end stands the retraction.
    EventKind.POWER_RESTORED: lambda event: event.cause not in RETRACTED,
    EventKind.OUTAGE_REVISED: lambda event: event.change is not Change.CONFIRMED,
    EventKind.UNSTABLE: lambda _event: True,
    EventKind.STABLE: lambda _event: True,
}
"""By kind; a kind that is not here is never told."""


def is_news(event: PowerEvent) -> bool:
    """Whether an event is told to those who follow its site."""
    told = _NEWS.get(event.kind)
    return told is not None and event.quiet is not True and told(event)
