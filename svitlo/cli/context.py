"""What commands share: the data directory, the running stack, one async session, output."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from svitlo.settings import BrokerAddress, default_data_dir, load_settings
from svitlo.stack.places import Places

T = TypeVar("T")

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="The stack's data directory.", envvar="SVITLO_DATA_DIR", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True)
class Target:
    """The installation a command works on: its broker as we reach it, and as the boards do."""

    database_url: str
    broker: BrokerAddress
    boards: BrokerAddress
    secret: str


def data_dir(given: Path | None) -> Path:
    """The data directory as an absolute path."""
    return given.expanduser().absolute() if given is not None else default_data_dir()


def target(given: Path | None) -> Target:
    """The installation: from the environment where it is set (as in a container), else the running stack.

    Raises `StackError`, `ConfigurationError`.
    """
    settings = load_settings()
    if settings.database_url is not None and settings.mqtt_url is not None and settings.secret is not None:
        broker = settings.broker
        public = BrokerAddress.parse(settings.public_mqtt_url) if settings.public_mqtt_url else broker
        return Target(settings.required_database_url, broker, public, settings.required_secret)
    places = Places(data_dir(given))
    stack = places.running()
    secret = settings.secret.get_secret_value() if settings.secret else places.master_secret()
    return Target(stack.database_url, stack.broker, BrokerAddress.parse(stack.board_url), secret)


def with_session(where: Target, work: Callable[[Any], Awaitable[T]]) -> T:
    """Run `work(session)` in one transaction."""
    from svitlo.db.session import Database

    async def run() -> T:
        async with Database(where.database_url, pool_size=1) as database, database.transaction() as session:
            return await work(session)

    return asyncio.run(run())


def change_accounts(where: Target, work: Callable[[Any], Awaitable[T]]) -> T:
    """Run `work(session)` in one transaction, then bring the broker's accounts in step at once."""
    from svitlo.accounts.dynsec import DynamicSecurity
    from svitlo.accounts.passwords import derive_password
    from svitlo.accounts.roles import ADMIN
    from svitlo.accounts.sync import sync_accounts, wanted_accounts
    from svitlo.db.session import Database

    async def run() -> T:
        async with Database(where.database_url, pool_size=1) as database:
            # First see that the broker answers: a change that could only half happen is refused as a whole.
            password = derive_password(where.secret, ADMIN, 1)
            async with DynamicSecurity.connect(where.broker, password) as plugin:
                async with database.transaction() as session:
                    result = await work(session)
                async with database.transaction() as session:
                    wanted = await wanted_accounts(session)
                await sync_accounts(plugin, wanted, where.secret)
            return result

    return asyncio.run(run())


def shown_command(where: Path | None, *arguments: str) -> str:
    """A command as the person at this terminal can copy it: the way svitlo was started, with its data directory."""
    found, mine = shutil.which("svitlo"), Path(sys.argv[0])
    if mine.name == "__main__.py":
        program = "python -m svitlo"
    elif found is not None and Path(found).resolve() == mine.resolve():
        program = "svitlo"
    else:
        program = str(mine)
        with contextlib.suppress(ValueError):
            program = str(mine.absolute().relative_to(Path.cwd()))
    place = ["--data-dir", str(where)] if where is not None and where != default_data_dir() else []
    return f"{program} {shlex.join([*arguments, *place])}"


def show_json(value: Any) -> None:
    """Print JSON for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=_plain, indent=2))


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Print a table for people, or `empty` when there is nothing."""
    if not rows:
        typer.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        # As text: a name may hold brackets, which are markup otherwise.
        table.add_row(*(Text("" if cell is None else str(_plain(cell))) for cell in row))
    Console().print(table)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone().isoformat(timespec="seconds")
    return str(value)
