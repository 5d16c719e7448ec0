"""The app over ASGI with a real database; only the link to the broker is a stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from services.api.app import create_app
from svitlo.db.session import Database
from svitlo.settings import load_settings
from tests.api.records import Records


@dataclass
class LinkStandIn:
    """What the broker would tell."""

    connected: bool = True
    detector_online: bool = True


@pytest.fixture
def link() -> LinkStandIn:
    return LinkStandIn()


@pytest.fixture
def app(database: Database, link: LinkStandIn) -> FastAPI:
    return create_app(load_settings(timezone="Europe/Kyiv", language="uk"), database, link)


@pytest.fixture
async def ticking(database: Database) -> None:
    """A detector has just said in the database that it watches."""
    async with database.transaction() as session:
        await session.execute(
            text("INSERT INTO service_ticks (service, at, since) VALUES ('detector', now(), now() - interval '1 day')")
        )


@pytest.fixture
async def client(app: FastAPI, ticking: None) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://svitlo.test") as opened:
        yield opened


@pytest.fixture
def records(database: Database) -> Records:
    return Records(database)
