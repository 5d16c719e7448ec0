"""The page at the root, for people."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.api import store
from services.api.access import PUBLIC_CACHE, VARY, Anyone
from services.api.context import Api
from services.api.errors import RETRY_AFTER_S
from services.api.page.render import POLICY, View, render, render_unavailable
from services.api.page.words import choose
from svitlo.clock import utc_now
from svitlo.errors import DatabaseUnavailableError

router = APIRouter(include_in_schema=False)

_HEADERS = {"Content-Security-Policy": POLICY, "X-Frame-Options": "DENY", "Vary": f"Accept-Language, {VARY}"}


@router.get("/", response_class=HTMLResponse)
async def show(request: Request, api: Api, _caller: Anyone) -> HTMLResponse:
    """Every public site at a glance."""
    asked, accepted = request.query_params.get("lang"), request.headers.get("accept-language", "")
    words = choose(asked, accepted, api.settings.language)
    view = View(words, ZoneInfo(api.settings.timezone), utc_now())
    headers = {**_HEADERS, "Content-Language": words.code}
    try:
        async with api.reading() as session:
            places = await store.places(session, view.now)
    except DatabaseUnavailableError:
        return HTMLResponse(
            render_unavailable(view), 503, {**headers, "Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
        )
    html = render(view, places, fresh=api.link.detector_online)
    return HTMLResponse(html, headers={**headers, "Cache-Control": PUBLIC_CACHE})
