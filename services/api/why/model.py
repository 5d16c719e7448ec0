"""The explanation as the API gives it and the command line prints it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from services.api.answers import shown_by
from services.api.schemas import ChildTally, OutageRef, Planned
from svitlo.contracts import Cause, PowerState, SiteStateWord


class Vote(StrEnum):
    """What one board says about its site's power."""

    ALIVE = "alive"
    DEAD = "dead"
    UNSEEN = "unseen"
    ABSTAINS = "abstains"


class Verdict(StrEnum):
    """What the rule makes of the votes; `hold`: boards not heard yet may still turn it either way."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"
    HOLD = "hold"


class Guard(StrEnum):
    """What keeps the detector from deciding, or from telling people."""

    BLIND = "blind"
    SETTLING = "settling"
    PENDING = "pending"
    AREA = "area"
    MAINTENANCE = "maintenance"
    UNSTABLE = "unstable"
    HELD = "held"


_RULE = {
    "rule": "any",
    "words": "the rule `any` needs one alive",
    "needs": 1,
    "alive": 0,
    "dead": 2,
    "unseen": 0,
    "abstains": 0,
    "verdict": "off",
}
_DARK = {
    "start_lo": "2026-11-20T16:03:11Z",
    "start_hi": "2026-11-20T16:03:34Z",
    "end_lo": None,
    "end_hi": None,
    "cause": "presumed",
    "blind": False,
}
_SESSION = {"boot": "9f3c01ab", "conn": 3, "since": "2026-11-20T09:41:02Z"}
_BOARD: dict[str, Any] = {
    "device": "hall",
    "words": "last heard 1 min 49 s ago, at 18:03:11; its silence counted as a loss at 18:03:34",
    "liveness": "lost",
    "vote": "dead",
    "weight": 1,
    "interval_s": 10,
    "timeout_s": 23.0,
    "last_proof_at": "2026-11-20T16:03:11Z",
    "silent_s": 109.0,
    "lost_at": "2026-11-20T16:03:34Z",
    "lost_by": "timeout",
    "lost_if_silent_at": None,
    "deadline_at": None,
    "session": _SESSION,
    "dark": _DARK,
}
_GUARD = {
    "guard": "area",
    "words": "Many boards vanished together: alerts of this site wait until 18:05:20.",
    "until": "2026-11-20T16:05:20Z",
}
_DEADLINE = {"at": "2026-11-20T16:05:20Z", "words": "what is held back is told"}
_DETECTOR = {
    "ticked_at": "2026-11-20T16:04:58Z",
    "fresh": True,
    "watching_since": "2026-11-20T09:40:55Z",
    "proven_at": "2026-11-20T16:04:57Z",
    "instance": "1",
}
_WHY: dict[str, Any] = {
    "site": "shevchenka-12",
    "name": "Shevchenka 12",
    "summary": "Off since 18:03:11: both boards are silent; the rule `any` needs one alive.",
    "warnings": [],
    "state": "off",
    "power": "off",
    "since": "2026-11-20T16:03:11Z",
    "cause": "presumed",
    "outage": {
        "id": "019a0000-0000-7000-8000-000000000001",
        "started_lo": "2026-11-20T16:03:11Z",
        "started_hi": "2026-11-20T16:03:34Z",
    },
    "planned": None,
    "children": None,
    "rule": _RULE,
    "devices": [_BOARD],
    "guards": [_GUARD],
    "deadlines": [_DEADLINE],
    "detector": _DETECTOR,
    "as_of": "2026-11-20T16:04:58Z",
    "asked_at": "2026-11-20T16:05:00Z",
}


class WhyRule(BaseModel):
    """The rule, and what it makes of the votes; `alive`, `dead`, `unseen` and `abstains` are sums of weights."""

    model_config = shown_by(_RULE)

    rule: str = Field(description="any, all, majority or k; `children` where a site has no boards of its own.")
    words: str
    needs: int | None = Field(default=None, description="How much weight must live; null where nobody has a vote.")
    alive: int
    dead: int
    unseen: int = Field(description="Alive when last heard, which was before we began to watch.")
    abstains: int = Field(description="Never heard, or gone with a goodbye.")
    verdict: Verdict


class WhyDark(BaseModel):
    """A span in which a board was not known to have power; without an end it goes on."""

    model_config = shown_by(_DARK)

    start_lo: datetime
    start_hi: datetime
    end_lo: datetime | None = None
    end_hi: datetime | None = None
    cause: str = Field(description="power: it had none; network or device: it had some all along; presumed: unknown.")
    blind: bool = Field(description="Whether we were blind when it began.")


class WhySession(BaseModel):
    """The board's current connection; only its own last will is believed."""

    model_config = shown_by(_SESSION)

    boot: str
    conn: int | None = None
    since: datetime | None = Field(default=None, description="When we saw it begin; null if we did not.")


class WhyDevice(BaseModel):
    """What one board says, and what that rests on."""

    model_config = shown_by(_BOARD)

    device: str = Field(description="Its id; with no key `board 1`, `board 2` ...")
    words: str
    liveness: str = Field(description="never_seen, online, late, lost or paused.")
    vote: Vote
    weight: int
    interval_s: int
    timeout_s: float = Field(description="How long it may be silent.")
    last_proof_at: datetime | None = Field(default=None, description="When the last proof that it has power arrived.")
    silent_s: float | None = Field(
        default=None, description="How long ago that was; the detector writes it down every 5 s."
    )
    lost_at: datetime | None = Field(default=None, description="The first evidence of its newest loss, if it is lost.")
    lost_by: str | None = Field(
        default=None, description="What that is: lwt (last will), timeout (silence) or mains (its sensor)."
    )
    lost_if_silent_at: datetime | None = Field(
        default=None, description="When silence will count as a loss; null while it cannot."
    )
    deadline_at: datetime | None = Field(
        default=None, description="When the detector looks at it next if nothing arrives."
    )
    session: WhySession | None = Field(default=None, description="Only with a key.")
    dark: WhyDark | None = Field(default=None, description="The newest span in which it was not heard.")


class WhyGuard(BaseModel):
    """Something that keeps the detector from deciding, or from telling people."""

    model_config = shown_by(_GUARD)

    guard: Guard
    words: str
    until: datetime | None = None


class WhyDeadline(BaseModel):
    """What happens next by itself, if nothing arrives before."""

    model_config = shown_by(_DEADLINE)

    at: datetime
    words: str


class WhyDetector(BaseModel):
    """Who watches."""

    model_config = shown_by(_DETECTOR)

    ticked_at: datetime | None = Field(default=None, description="When a detector last wrote; null if none ever did.")
    fresh: bool = Field(description="Whether that is so recent that it counts as now.")
    watching_since: datetime | None = Field(
        default=None, description="Since when it sees without a break; null while it is blind."
    )
    proven_at: datetime | None = Field(
        default=None, description="When the newest echo was sent that came back through the broker."
    )
    instance: str | None = Field(default=None, description="Only with a key.")


class Why(BaseModel):
    """Why a site is in the state it is in. Sentences tell times by the clock of SVITLO_TIMEZONE."""

    model_config = shown_by(_WHY)

    site: str
    name: str
    summary: str
    warnings: list[str] = Field(description="Why this may not be so now; empty if all is well.")
    state: SiteStateWord
    power: PowerState
    since: datetime | None = None
    cause: Cause | None = Field(default=None, description="Of the outage that is going on.")
    outage: OutageRef | None = None
    planned: Planned | None = Field(default=None, description="Maintenance that is going on.")
    children: ChildTally | None = None
    rule: WhyRule
    devices: list[WhyDevice]
    guards: list[WhyGuard] = Field(description="Those that are active now.")
    deadlines: list[WhyDeadline] = Field(description="The next first.")
    detector: WhyDetector
    as_of: datetime | None = Field(default=None, description="All of this was known by then, some of it later.")
    asked_at: datetime
