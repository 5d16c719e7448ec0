"""Outages, past and present."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BeforeValidator
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import store
from services.api.access import KEY_SCHEMES, Anyone
from services.api.answers import errors, ok
from services.api.context import Api
from services.api.errors import BadWindowError
from services.api.paging import Position, decode_cursor, encode_cursor
from services.api.routers.sites import NO_SITE
from services.api.schemas import OutagePage
from svitlo.contracts import is_slug
from svitlo.errors import NotFoundError

router = APIRouter(prefix="/api/v1", tags=["outages"], dependencies=KEY_SCHEMES)


def parse_moment(value: object) -> datetime:
    """A moment in UTC from ISO 8601; without an offset it is UTC. Raises `ValueError`."""
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("write a time such as 2026-11-20T18:00:00Z (in a URL, a + is written %2B)") from error


Moment = Annotated[datetime, BeforeValidator(parse_moment)]


@dataclass(frozen=True)
class Asked:
    """The parameters both lists share."""

    since: datetime | None
    until: datetime | None
    retracted: bool
    momentary: bool
    limit: int
    after: Position | None


def _asked(
    since: Annotated[
        Moment | None,
        Query(alias="from", description="Outages that end after this; ISO 8601, taken as UTC without an offset."),
    ] = None,
    until: Annotated[
        Moment | None,
        Query(alias="to", description="Outages that start before this; ISO 8601, taken as UTC without an offset."),
    ] = None,
    retracted: Annotated[
        bool, Query(description="Also those which evidence showed later to be none (the board was cut off or failed).")
    ] = False,
    momentary: Annotated[bool, Query(description="Also interruptions so short that no deadline passed.")] = False,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at once.")] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before, with the same filter.")] = None,
) -> Asked:
    if since is not None and until is not None and since >= until:
        raise BadWindowError("Correct these parameters: from must be before to.")
    return Asked(since, until, retracted, momentary, limit, None if cursor is None else decode_cursor(cursor))


Question = Annotated[Asked, Depends(_asked)]


async def _page(session: AsyncSession, asked: Asked, site: str | None, *, private: bool) -> OutagePage:
    wanted = store.OutageFilter(site, asked.since, asked.until, asked.retracted, asked.momentary)
    # One more than asked for tells whether there is a next page.
    found = await store.outages(session, wanted, private=private, after=asked.after, limit=asked.limit + 1)
    items = found[: asked.limit]
    more = len(found) > len(items)
    return OutagePage(items=items, next=encode_cursor(Position(items[-1].started_lo, items[-1].id)) if more else None)


@router.get("/outages", responses={**ok(OutagePage), **errors(400, 401, 422, 503)})
async def list_outages(api: Api, caller: Anyone, asked: Question) -> OutagePage:
    """Outages of all sites you may see, newest start first.

    An outage belongs to the window if any moment of it does: it starts before `to`, and ends after `from` or goes on.
    """
    async with api.reading() as session:
        return await _page(session, asked, None, private=caller.sees_private)


@router.get("/sites/{site}/outages", responses={**ok(OutagePage), **errors(400, 401, 404, 422, 503)})
async def list_outages_of_site(site: str, api: Api, caller: Anyone, asked: Question) -> OutagePage:
    """Outages of one site, newest start first; the window works as for all sites."""
    async with api.reading() as session:
        if not is_slug(site) or not await store.site_exists(session, site, private=caller.sees_private):
            raise NotFoundError(NO_SITE)
        return await _page(session, asked, site, private=caller.sees_private)
