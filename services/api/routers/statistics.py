"""How reliable the power of a site was, and when we did not watch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.api import store
from services.api.access import KEY_SCHEMES, Anyone
from services.api.answers import errors, ok
from services.api.context import Api
from services.api.errors import BadWindowError
from services.api.routers.outages import Moment
from services.api.routers.sites import NO_SITE
from services.api.schemas import GapList, OutageTally, SiteStatistics
from svitlo.clock import utc_now
from svitlo.contracts import is_slug
from svitlo.errors import NotFoundError
from svitlo.statistics import Statistics, Tally

LATELY = timedelta(days=30)
_EARLIEST = datetime.min.replace(tzinfo=UTC) + LATELY

router = APIRouter(prefix="/api/v1", tags=["statistics"], dependencies=KEY_SCHEMES)


def _asked(
    since: Annotated[
        Moment | None, Query(description="Where the window begins; 30 days before its end unless given.")
    ] = None,
    until: Annotated[Moment | None, Query(description="Where it ends; now unless given.")] = None,
) -> store.Period:
    now = utc_now()
    until = now if until is None else until
    since = max(until, _EARLIEST) - LATELY if since is None else since
    if since >= until:
        raise BadWindowError("Correct these parameters: since must be before until.")
    return store.Period(since, until, now)


Window = Annotated[store.Period, Depends(_asked)]


@router.get("/sites/{site}/statistics", responses={**ok(SiteStatistics), **errors(401, 404, 422, 503)})
async def get_statistics(site: str, api: Api, caller: Anyone, asked: Window) -> SiteStatistics:
    """How reliable the power of one site was, over the time in which it was observed.

    They are of the site's own boards: of a site without any, nothing was observed.
    """
    found: Statistics | None = None
    async with api.reading() as session:
        if is_slug(site):
            found = await store.statistics_of(session, site, asked, private=caller.sees_private)
    if found is None:
        raise NotFoundError(NO_SITE)
    return SiteStatistics(
        site=site,
        since=found.since,
        until=found.until,
        observed_s=found.observed.total_seconds(),
        unobserved_s=found.unobserved.total_seconds(),
        availability=_share(found.availability),
        availability_hi=_share(found.availability_hi),
        outages=_tally(found.outages),
        planned=_tally(found.planned),
        momentary=found.momentary,
        unseen=found.unseen,
    )


@router.get("/gaps", responses={**ok(GapList), **errors(401, 422, 503)})
async def list_gaps(
    api: Api,
    _caller: Anyone,
    asked: Window,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at once.")] = 50,
) -> GapList:
    """When we ourselves were blind, newest start first; one that goes on is not among them yet.

    Earlier ones come with `until` set to the `started_at` of the last.
    """
    async with api.reading() as session:
        return GapList(items=await store.gaps(session, asked.since, asked.until, limit=limit))


def _tally(tally: Tally) -> OutageTally:
    return OutageTally(
        number=tally.number,
        off_s=tally.off.total_seconds(),
        off_lo_s=tally.off_lo.total_seconds(),
        longest_s=tally.longest.total_seconds(),
        mean_s=tally.mean.total_seconds() if tally.mean is not None else None,
    )


def _share(availability: float | None) -> float | None:
    return None if availability is None else round(availability, 6)
