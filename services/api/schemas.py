"""What the API answers, with an example of each. Times are UTC; `_lo` and `_hi` bound the true moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from svitlo.contracts import Cause, SiteStateWord


def _model(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(frozen=True, json_schema_extra={"examples": [example]})


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
_CHECKS: dict[str, Any] = {
    "database": {"ok": True, "message": "answers"},
    "broker": {"ok": True, "message": "connected"},
    "detector": {"ok": True, "message": "online"},
}

_ERROR = {
    "code": "bad_cursor",
    "message": "The cursor is not one this API gave out. Leave it out to begin at the newest.",
}


class DeviceTally(BaseModel):
    """How many devices stand for a site, and how many of them are alive."""

    model_config = _model(_SITE["devices"])

    total: int
    alive: int


class OutageRef(BaseModel):
    """The outage that is going on."""

    model_config = _model(_REF)

    id: UUID
    started_lo: datetime = Field(description="Last proof of power; shown as the start.")
    started_hi: datetime = Field(description="First evidence of loss.")


class SiteState(BaseModel):
    """The state of a site, the same as its retained MQTT topic carries."""

    model_config = _model(_SITE)

    v: Literal[1] = 1
    site: str
    name: str
    state: SiteStateWord
    since: datetime | None = Field(description="Since when it is so; null while nothing is known.")
    cause: Cause | None = Field(description="Of the outage that is going on.")
    devices: DeviceTally
    outage: OutageRef | None
    planned: None = None
    updated_at: datetime


class SiteList(BaseModel):
    """Sites, by key."""

    model_config = _model({"items": [_SITE]})

    items: list[SiteState]


class Outage(BaseModel):
    """One outage; without an end it is still going on (unless retracted)."""

    model_config = _model(_OUTAGE)

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


class OutagePage(BaseModel):
    """Outages, newest first; `next` continues the list as `cursor`, null at its end."""

    model_config = _model({"items": [_OUTAGE], "next": "AAZguQ6iVcABmgAAAABwAIAAAAAAAAAB"})

    items: list[Outage]
    next: str | None


class Device(BaseModel):
    """A board, what it last said of itself, and whether it is alive (`online` or `late`)."""

    model_config = _model(_DEVICE)

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

    model_config = _model({"items": [_DEVICE]})

    items: list[Device]


class Alive(BaseModel):
    """The process answers; nothing else is looked at."""

    model_config = _model({"status": "ok"})

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """One thing the API depends on."""

    model_config = _model(_CHECKS["database"])

    ok: bool
    message: str


class ErrorDetail(BaseModel):
    """A word for programs, a sentence for people."""

    model_config = _model(_ERROR)

    code: str
    message: str


class ErrorBody(BaseModel):
    """The one shape of every error."""

    model_config = _model({"error": _ERROR})

    error: ErrorDetail


class Ready(BaseModel):
    """Everything the API depends on answers."""

    model_config = _model({"ready": True, "checks": _CHECKS})

    ready: bool
    checks: dict[str, Check]


class NotReady(ErrorBody):
    """Something the API depends on does not answer; `error` sums up, `checks` name each."""

    model_config = _model(
        {
            "error": {"code": "not_ready", "message": "detector: no detector is online"},
            "ready": False,
            "checks": {**_CHECKS, "detector": {"ok": False, "message": "no detector is online"}},
        }
    )

    ready: bool
    checks: dict[str, Check]


def ok(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of a 200 answer: the model's own example stands at the response too."""
    example = model.model_json_schema()["examples"][0]
    return {200: {"model": model, "content": {"application/json": {"example": example}}}}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of the errors an address may answer."""
    return {status: {"model": ErrorBody, "description": _WORDS[status]} for status in statuses}


_WORDS = {
    400: "The cursor is not one this API gave out",
    401: "The key is missing, wrong or revoked",
    404: "There is no such site, or it is private and no key came",
    422: "A parameter is wrong; the message names it",
    503: "The database does not answer; try again after Retry-After seconds",
}
