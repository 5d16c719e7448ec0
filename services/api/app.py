"""The app: routers, errors, headers and what they work with, put together."""

from __future__ import annotations

from fastapi import FastAPI

from services.api import errors
from services.api.context import Context
from services.api.headers import CommonHeaders
from services.api.routers import devices, health, outages, page, sites, statistics, why
from services.api.watch import Link
from svitlo import __version__
from svitlo.db.session import Database
from svitlo.settings import Settings

DATABASE_TIMEOUT_S = 5.0

_DESCRIPTION = """Whether there is power, place by place, and the record of outages.

Public sites can be read without a key. Private sites and devices need a key of kind `read` or `admin`, sent as
`Authorization: Bearer svk_...` or `X-API-Key: svk_...`; a wrong key is refused everywhere. All times are UTC.
Errors have one shape: `{"error": {"code": "...", "message": "..."}}`."""


def create_app(
    settings: Settings, database: Database, link: Link, *, database_timeout_s: float = DATABASE_TIMEOUT_S
) -> FastAPI:
    """Build the app. `database_timeout_s` bounds what one request waits for the database."""
    app = FastAPI(
        title="Svitlo",
        version=__version__,
        description=_DESCRIPTION,
        # Both would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = Context(settings, database, link, database_timeout_s)
    app.add_middleware(CommonHeaders)
    errors.install(app)
    for module in (sites, why, outages, statistics, devices, health, page):
        app.include_router(module.router)
    return app
