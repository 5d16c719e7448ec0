"""Boards, sites and moments of an explanation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.api.why import Board, Policy, Site
from services.api.why.facts import BoardMemory, SiteMemory
from svitlo.contracts import PowerState, SiteStateWord
from svitlo.settings import load_settings

NOW = datetime(2026, 11, 20, 16, 5, tzinfo=UTC)
POLICY = msgspec.convert(load_settings().policy.model_dump(), Policy)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def board(name: str = "hall", liveness: str = "online", heard: float | None = 4, **more: Any) -> Board:
    values: dict[str, Any] = {
        "id": name,
        "weight": 1,
        "liveness": liveness,
        "boot": "9f3c01ab",
        "conn": 3,
        "interval_s": 10,
        "last_proof_at": ago(heard) if heard is not None else None,
        "lost_at": None,
        "lost_by": None,
        "paused_at": None,
        "deadline_at": None,
        "updated_at": ago(1),
        "memory": BoardMemory(),
    }
    return Board(**values | more)


def lost(name: str = "hall", by: str = "timeout", **more: Any) -> Board:
    return board(name, "lost", 109, lost_at=ago(86), lost_by=by, **more)


def never(name: str = "hall") -> Board:
    return board(name, "never_seen", None, boot=None, conn=None)


LONG_AGO = ago(7200)


def site(state: str = "on", power: str | None = None, since: datetime | None = LONG_AGO, **more: Any) -> Site:
    values: dict[str, Any] = {
        "slug": "home",
        "name": "Home",
        "rule": "any",
        "k": None,
        "confirm_off_s": None,
        "confirm_on_s": None,
        "power": PowerState(power or state),
        "state": SiteStateWord(state),
        "since": since,
        "outage": None,
        "memory": SiteMemory(),
    }
    return Site(**values | more)
