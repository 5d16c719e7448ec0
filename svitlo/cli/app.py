"""All commands in one place."""

from __future__ import annotations

from typing import Annotated

import typer

from svitlo import __version__
from svitlo.cli import bot, broker, db, device, key, maintenance, replay, services, simulate, site, stack, why

app = typer.Typer(
    name="svitlo",
    help="Tells people when the power went off and came back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(stack.up)
app.command("demo")(stack.demo)
app.command("simulate")(simulate.simulate)
app.command("replay")(replay.replay)
app.add_typer(site.app, name="site")
app.add_typer(device.app, name="device")
app.add_typer(maintenance.app, name="maintenance")
app.command("why")(why.why)
app.add_typer(key.app, name="key")
app.add_typer(bot.app, name="bot")
app.add_typer(db.app, name="db")
app.add_typer(broker.app, name="broker")
for _name, _command in services.COMMANDS.items():
    app.command(_name)(_command)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"svitlo {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass
