"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Response

from services.api import store
from services.api.answers import ErrorDetail, ok
from services.api.context import Api, Context
from services.api.errors import RETRY_AFTER_S
from services.api.schemas import Alive, Check, NotReady, Ready
from services.api.tick import Tick
from svitlo.clock import utc_now
from svitlo.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=ok(Alive))
async def healthz() -> Alive:
    """The process is alive. Looks at nothing else."""
    return Alive()


@router.get(
    "/readyz", response_model=None, responses={**ok(Ready), 503: {"model": NotReady, "description": "Not ready"}}
)
async def readyz(api: Api, response: Response) -> Ready | NotReady:
    """Ready when the database answers, the link to the broker is up and a detector watches."""
    database, tick = await _database(api)
    checks = {"database": database, "broker": _broker(api), "detector": _detector(api, tick)}
    wrong = "; ".join(f"{name}: {check.message}" for name, check in checks.items() if not check.ok)
    if not wrong:
        return Ready(ready=True, checks=checks)
    response.status_code = 503
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return NotReady(error=ErrorDetail(code="not_ready", message=wrong), ready=False, checks=checks)


async def _database(api: Context) -> tuple[Check, Tick | None]:
    """Whether the database answers, and what the detector last wrote there of its watch."""
    try:
        async with api.reading() as session:
            tick = await store.detector_tick(session)
    except DatabaseUnavailableError as error:
        log.info("not ready: %s", error)  # with addresses, which are nobody's business outside
        # The detector may be watching all the same; what cannot be seen is not held against it.
        return Check(ok=False, message="the database does not answer"), Tick(now := utc_now(), now)
    return Check(ok=True, message="answers"), tick


def _broker(api: Context) -> Check:
    return (
        Check(ok=True, message="connected") if api.link.connected else Check(ok=False, message="no link to the broker")
    )


def _detector(api: Context, tick: Tick | None) -> Check:
    if api.link.detector_online:
        if tick is None or not tick.fresh(utc_now()):
            return Check(ok=False, message="online, but it has not written its tick lately")
        return Check(ok=True, message="online")
    heard = "no detector is online" if api.link.connected else "unknown without a link to the broker"
    return Check(ok=False, message=heard)
