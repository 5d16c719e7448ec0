"""Sites and their state now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from services.api import store
from services.api.access import KEY_SCHEMES, Anyone
from services.api.answers import errors, ok
from services.api.context import Api
from services.api.schemas import SiteList, SiteState
from svitlo.clock import utc_now
from svitlo.contracts import SiteStateWord, is_slug
from svitlo.contracts.topics import SLUG_PATTERN
from svitlo.errors import NotFoundError

NO_SITE = "There is no such site, or it is private: check its name, or send a read key."
"""The same words whether a site is missing, removed or private: nothing tells them apart."""

router = APIRouter(prefix="/api/v1", tags=["sites"], dependencies=KEY_SCHEMES)


@router.get("/sites", responses={**ok(SiteList), **errors(401, 422, 503)})
async def list_sites(
    api: Api,
    caller: Anyone,
    state: Annotated[SiteStateWord | None, Query(description="Only sites in this state.")] = None,
    parent: Annotated[
        str | None, Query(pattern=SLUG_PATTERN, description="Only sites directly under this one.")
    ] = None,
) -> SiteList:
    """All sites you may see, by key: public ones, and with a key the private ones too."""
    async with api.reading() as session:
        found = await store.sites(session, private=caller.sees_private, now=utc_now(), state=state, parent=parent)
    return SiteList(items=found)


@router.get("/sites/{site}", responses={**ok(SiteState), **errors(401, 404, 422, 503)})
async def get_site(site: str, api: Api, caller: Anyone) -> SiteState:
    """One site now. Without a key a private site is not found."""
    found: list[SiteState] = []
    async with api.reading() as session:
        # What is no slug cannot be a site, and a database does not take every string (a zero byte, for one).
        if is_slug(site):
            found = await store.sites(session, private=caller.sees_private, now=utc_now(), slug=site)
    if not found:
        raise NotFoundError(NO_SITE)
    return found[0]
