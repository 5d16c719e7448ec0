"""`svitlo ingest|detector|notifier|api`: one service in the foreground, settings from the environment."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from svitlo.log import configure
from svitlo.settings import Settings, load_settings

LAST_S = 9.0
"""A service ends within ten seconds of SIGTERM, come what may."""

Run = Callable[[Settings], Coroutine[Any, Any, None]]


async def run_until_told(run: Run, settings: Settings) -> None:
    """Run a service until SIGTERM or SIGINT, which cancel it."""
    task = asyncio.create_task(run(settings), name="service")
    loop = asyncio.get_running_loop()

    def stop() -> None:
        task.cancel()
        # Told to stop, a service stops: what is worth keeping is in the database by now.
        loop.call_later(LAST_S, os._exit, 1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _command(name: str, what: str) -> Callable[[], None]:
    def command() -> None:
        settings = load_settings()
        configure(settings.log_level, settings.log_format)
        run: Run = importlib.import_module(f"services.{name}.service").run
        asyncio.run(run_until_told(run, settings))

    command.__doc__ = what
    return command


def setup(
    secrets_dir: Annotated[Path, typer.Option(help="Where the secrets of .env lie as files.")],
    broker_dir: Annotated[Path, typer.Option(help="The broker's data directory.")],
    credentials_dir: Annotated[Path, typer.Option(help="Where each service's credentials go.")],
    plugin: Annotated[str, typer.Option(help="The broker's account plugin, as the broker sees it.")],
) -> None:
    """Prepare an installation in containers: schema, the broker's files, the services' credentials."""
    from svitlo.setup import setup as prepare

    settings = load_settings()
    configure(settings.log_level, settings.log_format)
    asyncio.run(
        prepare(
            settings, secrets_dir=secrets_dir, broker_dir=broker_dir, credentials_dir=credentials_dir, plugin=plugin
        )
    )


COMMANDS: dict[str, Callable[..., None]] = {
    "ingest": _command("ingest", "Run the ingest service: records readings, keeps the broker's accounts."),
    "detector": _command("detector", "Run the detector: turns wills and silence into power events."),
    "notifier": _command("notifier", "Run the notifier: alerts people in Telegram, or on the console."),
    "api": _command("api", "Run the API."),
    "setup": setup,
}
