"""What the API answers, with an example of each. Times are UTC; `_lo` and `_hi` bound the true moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.answers import ErrorBody, shown_by
from svitlo.contracts import Cause, SiteStateWord

_REF = {
    "id": "019a0000-0000-7000-8000-000000000001",
    "started_lo": "2026-11-20T18:03:11Z",
    "started_hi": "2026-11-20T18:03:34Z",
}
_SITE: dict[str, Any] = {
    "v": 1,
    "site": "shevchenka-12",
    "name": "Shevchenka 12",
    "state": "off",
    "since": "2026-11-20T18:03:11Z",
    "cause": "presumed",
    "devices": {"total": 4, "alive": 0},
    "outage": _REF,
    "planned": None,
    "updated_at": "2026-11-20T18:03:34Z",
}
_OUTAGE: dict[str, Any] = {
    "id": _REF["id"],
    "site": "shevchenka-12",
    "started_lo": "2026-11-20T18:03:11Z",
    "started_hi": "2026-11-20T18:03:34Z",
    "ended_lo": "2026-11-20T20:41:07Z",
    "ended_hi": "2026-11-20T20:41:09Z",
    "detected_at": "2026-11-20T18:03:34Z",
    "duration_s": 9478.0,
    "cause": "power",
    "rev": 2,
    "retracted": False,
    "momentary": False,
    "reconstructed": False,
    "maintenance": False,
}
_DEVICE: dict[str, Any] = {
    "id": "shevchenka-12-hall",
    "sites": ["shevchenka-12"],
    "last_seen_at": "2026-11-20T18:03:11Z",
    "liveness": "lost",
    "fw": "1.0.0",
    "rssi": -61,
    "interval_s": 10,
    "reset": "power_on",
}
_GAP = {"started_at": "2026-11-20T03:10:05Z", "ended_at": "2026-11-20T03:10:41Z", "reason": "link"}
_TALLY = {"number": 2, "off_s": 9532.0, "off_lo_s": 9453.0, "longest_s": 9478.0, "mean_s": 4766.0}
_PLANNED = {"number": 1, "off_s": 1800.0, "off_lo_s": 1770.0, "longest_s": 1800.0, "mean_s": 1800.0}
_STATISTICS: dict[str, Any] = {
    "site": "shevchenka-12",
    "since": "2026-10-22T12:00:00Z",
    "until": "2026-11-21T12:00:00Z",
    "observed_s": 2591964.0,
    "unobserved_s": 36.0,
    "availability": 0.996322,
    "availability_hi": 0.996353,
    "outages": _TALLY,
    "planned": _PLANNED,
    "momentary": 1,
    "unseen": 0,
}
_CHECKS: dict[str, Any] = {
    "database": {"ok": True, "message": "answers"},
    "broker": {"ok": True, "message": "connected"},
    "detector": {"ok": True, "message": "online"},
}


def _absent(value: object) -> bool:
    return value is None


class DeviceTally(BaseModel):
    """How many devices stand for a site, and how many of them are alive."""

    model_config = shown_by(_SITE["devices"])

    total: int
    alive: int


class ChildTally(BaseModel):
    """How many sites stand directly under a site, and how their power is."""

    model_config = shown_by({"total": 12, "on": 8, "partial": 1, "off": 3, "unknown": 0})

    total: int
    on: int
    partial: int = Field(description="On, with sites under them that are not.")
    off: int
    unknown: int


class Planned(BaseModel):
    """Maintenance that is going on."""

    model_config = shown_by({"starts_at": "2026-11-24T07:00:00Z", "ends_at": "2026-11-24T09:00:00Z"})

    starts_at: datetime
    ends_at: datetime


class OutageRef(BaseModel):
    """The outage that is going on."""

    model_config = shown_by(_REF)

    id: UUID
    started_lo: datetime = Field(description="Last proof of power; shown as the start.")
    started_hi: datetime = Field(description="First evidence of loss.")


class SiteState(BaseModel):
    """The state of a site, the same as its retained MQTT topic carries."""

    model_config = shown_by(_SITE)

    v: Literal[1] = 1
    site: str
    name: str
    state: SiteStateWord
    since: datetime | None = Field(description="Since when it is so; null while nothing is known.")
    cause: Cause | None = Field(description="Of the outage that is going on.")
    devices: DeviceTally
    outage: OutageRef | None
    planned: Planned | None = Field(default=None, description="Maintenance that is going on.")
    updated_at: datetime
    children: ChildTally | None = Field(
        default=None, exclude_if=_absent, description="Only where sites stand under this one."
    )
    unstable: Literal[True] | None = Field(
        default=None,
        exclude_if=_absent,
        description="Only while power comes and goes; alerts then wait until it is calm.",
    )


class SiteList(BaseModel):
    """Sites, by key."""

    model_config = shown_by({"items": [_SITE]})

    items: list[SiteState]


class Outage(BaseModel):
    """One outage; without an end it is still going on (unless retracted)."""

    model_config = shown_by(_OUTAGE)

    id: UUID
    site: str
    started_lo: datetime = Field(description="Last proof of power; shown as the start.")
    started_hi: datetime = Field(description="First evidence of loss.")
    ended_lo: datetime | None
    ended_hi: datetime | None = Field(description="First proof of power; shown as the end. Null while it goes on.")
    detected_at: datetime = Field(description="When the loss was known.")
    duration_s: float | None = Field(description="ended_hi - started_lo in seconds; null while it goes on.")
    cause: Cause
    rev: int = Field(description="Grows with every revision of times or cause.")
    retracted: bool = Field(description="Whether evidence showed later that the power had been on.")
    momentary: bool = Field(description="So short that no deadline passed. Listed only when asked for.")
    reconstructed: bool = Field(description="It began and ended while nobody watched, and came to light afterwards.")
    maintenance: bool = Field(description="It began in a maintenance window; nobody was told.")


class OutagePage(BaseModel):
    """Outages, newest first; `next` continues the list as `cursor`, null at its end."""

    model_config = shown_by({"items": [_OUTAGE], "next": "AAZguQ6iVcABmgAAAABwAIAAAAAAAAAB"})

    items: list[Outage]
    next: str | None


class Gap(BaseModel):
    """A span in which we ourselves were blind: what happened in it is not known by silence."""

    model_config = shown_by(_GAP)

    started_at: datetime
    ended_at: datetime
    reason: str = Field(description="start, link, stall or clock: what it was of ours that failed.")


class GapList(BaseModel):
    """Gaps, newest first."""

    model_config = shown_by({"items": [_GAP]})

    items: list[Gap]


class OutageTally(BaseModel):
    """How many outages, and how long the power was off in observed time."""

    model_config = shown_by(_TALLY)

    number: int = Field(description="IEEE 1366: SAIFI, with the site as the only customer.")
    off_s: float = Field(description="From the last proof of power to the first one after: the most. IEEE 1366: SAIDI.")
    off_lo_s: float = Field(description="From the first evidence of the loss to the last: the least.")
    longest_s: float
    mean_s: float | None = Field(description="IEEE 1366: CAIDI. Null without an outage.")


class SiteStatistics(BaseModel):
    """How reliable a site's power was, as far as it was observed: time in which we were blind counts nowhere."""

    model_config = shown_by(_STATISTICS)

    site: str
    since: datetime = Field(description="As asked, or when the site was made.")
    until: datetime = Field(description="As asked, or now.")
    observed_s: float
    unobserved_s: float = Field(description="How long we were blind.")
    availability: float | None = Field(
        description="1 - outages.off_s / observed_s; null if nothing was observed. ASAI."
    )
    availability_hi: float | None = Field(description="The same with outages.off_lo_s: the most it can have been.")
    outages: OutageTally
    planned: OutageTally = Field(description="Those that began in maintenance, which `outages` leaves out.")
    momentary: int = Field(description="Interruptions so short that no deadline passed. IEEE 1366: MAIFI.")
    unseen: int = Field(description="Outages that took place while we were blind, which `outages` leaves out.")


class Device(BaseModel):
    """A board, what it last said of itself, and whether it is alive (`online` or `late`)."""

    model_config = shown_by(_DEVICE)

    id: str
    sites: list[str]
    last_seen_at: datetime | None
    liveness: str = Field(description="never_seen, online, late, lost or paused.")
    fw: str | None
    rssi: int | None = Field(description="dBm")
    interval_s: int | None
    reset: str | None = Field(description="Why it last started.")


class DeviceList(BaseModel):
    """Devices, by id."""

    model_config = shown_by({"items": [_DEVICE]})

    items: list[Device]


class Alive(BaseModel):
    """The process answers; nothing else is looked at."""

    model_config = shown_by({"status": "ok"})

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """One thing the API depends on."""

    model_config = shown_by(_CHECKS["database"])

    ok: bool
    message: str


class Ready(BaseModel):
    """Everything the API depends on answers."""

    model_config = shown_by({"ready": True, "checks": _CHECKS})

    ready: bool
    checks: dict[str, Check]


class NotReady(ErrorBody):
    """Something the API depends on does not answer; `error` sums up, `checks` name each."""

    model_config = shown_by(
        {
            "error": {"code": "not_ready", "message": "detector: no detector is online"},
            "ready": False,
            "checks": {**_CHECKS, "detector": {"ok": False, "message": "no detector is online"}},
        }
    )

    ready: bool
    checks: dict[str, Check]
