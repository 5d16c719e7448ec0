"""`svitlo db`: migrations."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from svitlo.cli.context import DataDir, data_dir

app = typer.Typer(help="The database.", no_args_is_help=True)


def _url(given: Path | None) -> str:
    from svitlo.settings import load_settings
    from svitlo.stack.places import Places

    settings = load_settings()
    if settings.database_url is not None:
        return settings.required_database_url
    return Places(data_dir(given)).running().database_url


@app.command()
def upgrade(revision: Annotated[str, typer.Argument(help="How far.")] = "head", data_dir: DataDir = None) -> None:
    """Bring the database's schema up to date."""
    from svitlo.db import migrate

    asyncio.run(migrate.upgrade(_url(data_dir), revision))


@app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="Back to which revision.")], data_dir: DataDir = None
) -> None:
    """Take the database's schema back (data of what is dropped is lost)."""
    from svitlo.db import migrate

    asyncio.run(migrate.downgrade(_url(data_dir), revision))
