"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Response

from services.api.context import Api, Context
from services.api.errors import RETRY_AFTER_S
from services.api.schemas import Alive, Check, ErrorDetail, NotReady, Ready, ok
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
    """Ready when the database answers, the link to the broker is up and a detector is online."""
    checks = {"database": await _database(api), "broker": _broker(api), "detector": _detector(api)}
    wrong = "; ".join(f"{name}: {check.message}" for name, check in checks.items() if not check.ok)
    if not wrong:
        return Ready(ready=True, checks=checks)
    response.status_code = 503
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return NotReady(error=ErrorDetail(code="not_ready", message=wrong), ready=False, checks=checks)


async def _database(api: Context) -> Check:
    try:
        async with api.reading() as session:
            await (await session.connection()).exec_driver_sql("SELECT 1")
    except DatabaseUnavailableError as error:
        log.info("not ready: %s", error)  # with addresses, which are nobody's business outside
        return Check(ok=False, message="the database does not answer")
    return Check(ok=True, message="answers")


def _broker(api: Context) -> Check:
    return (
        Check(ok=True, message="connected") if api.link.connected else Check(ok=False, message="no link to the broker")
    )


def _detector(api: Context) -> Check:
    if api.link.detector_online:
        return Check(ok=True, message="online")
    heard = "no detector is online" if api.link.connected else "unknown without a link to the broker"
    return Check(ok=False, message=heard)
