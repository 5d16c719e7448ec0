"""Why a site is in the state it is in."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter

from services.api import store
from services.api.access import KEY_SCHEMES, Anyone
from services.api.answers import errors, ok
from services.api.context import Api
from services.api.routers.sites import NO_SITE
from services.api.why import Facts, Policy, Why, explain
from svitlo.clock import utc_now
from svitlo.contracts import is_slug
from svitlo.errors import NotFoundError

router = APIRouter(prefix="/api/v1", tags=["sites"], dependencies=KEY_SCHEMES)


@router.get("/sites/{site}/why", responses={**ok(Why), **errors(401, 404, 422, 503)})
async def get_why(site: str, api: Api, caller: Anyone) -> Why:
    """Why one site is in the state it is in: rule, boards, guards, deadlines. Without a key boards have no names."""
    facts: Facts | None = None
    async with api.reading() as session:
        if is_slug(site):
            facts = await store.facts_of(session, site, private=caller.sees_private)
    if facts is None:
        raise NotFoundError(NO_SITE)
    return explain(
        facts,
        now=utc_now(),
        zone=ZoneInfo(api.settings.timezone),
        policy=msgspec.convert(api.settings.policy.model_dump(), Policy),
        named=caller.sees_private,
    )
