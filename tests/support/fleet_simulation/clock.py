"""Seconds of the simulation and the moments they stand for."""

from __future__ import annotations

from datetime import UTC, datetime

START = datetime(2026, 1, 5, tzinfo=UTC)
EPOCH_S = START.timestamp()
HOUR = 3600.0
DAY = 24 * HOUR


def moment(seconds: float) -> datetime:
    """The moment that lies so many seconds after the start."""
    return datetime.fromtimestamp(EPOCH_S + seconds, UTC)


def seconds(at: datetime) -> float:
    """How long after the start a moment lies."""
    return (at - START).total_seconds()
