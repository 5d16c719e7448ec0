"""The process: one HTTP server and one link to the broker, until cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from services.api.app import create_app
from services.api.watch import BrokerWatch
from svitlo.db.session import Database
from svitlo.errors import ConfigurationError
from svitlo.settings import Settings

log = logging.getLogger(__name__)

GRACE_S = 5
"""How long requests under way may take when the service ends."""


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to whoever runs the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def run(settings: Settings) -> None:
    """Serve on `http_host` and `http_port` until cancelled; requests under way get `GRACE_S` to finish.

    Starts with the database or the broker away, too, and says so at /readyz. Raises `ConfigurationError` when a
    setting is missing or the port cannot be had.
    """
    watch = BrokerWatch(settings.broker, settings.instance)
    async with Database(settings.required_database_url) as database:
        app = create_app(settings, database, watch)
        listener = _listen(settings.http_host, settings.http_port)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch.run(), name="api-link")
            tasks.create_task(_serve(app, listener), name="api-http")


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `ConfigurationError`; uvicorn itself would end the process."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=512)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on SVITLO_HTTP_HOST {host}, SVITLO_HTTP_PORT {port}: {error.strerror or error}"
        ) from error


async def _serve(app: FastAPI, listener: socket.socket) -> None:
    server = _Server(
        uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    host, port = listener.getsockname()[:2]
    log.info("serving on http://%s:%s", f"[{host}]" if ":" in host else host, port)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="api-uvicorn")
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    finally:
        listener.close()
