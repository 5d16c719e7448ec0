"""`svitlo broker`: TLS for the broker, and its accounts rebuilt from the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from svitlo.cli.context import DataDir, change_accounts, data_dir, target

app = typer.Typer(help="The MQTT broker: TLS and accounts.", no_args_is_help=True)


@app.command()
def tls(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Host names and addresses of the broker.")],
    out: Annotated[Path | None, typer.Option("--out", help="Another directory than the stack's own.")] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The TLS listener's port.")] = 8883,
    where: DataDir = None,
) -> None:
    """Make a private CA and a broker certificate that boards without a clock accept."""
    from svitlo.stack import system_user
    from svitlo.stack.places import Places
    from svitlo.stack.tls import make_certificates

    directory = out.absolute() if out is not None else Places(data_dir(where)).tls
    make_certificates(directory, names, port=port, owner=system_user.owner())
    typer.echo(f"Made a certificate for {', '.join(names)} in {directory}.")
    typer.echo(f"Boards need {directory / 'ca.der'} and a config.json made with: svitlo device config ID --tls")
    if out is None:
        typer.echo(f"The broker listens on port {port} after the next svitlo up.")


@app.command()
def sync(data_dir: DataDir = None) -> None:
    """Bring the broker's accounts in step with the database (after the broker lost its data, say)."""

    async def work(session: Any) -> None:
        """Nothing changes but the broker."""

    change_accounts(target(data_dir), work)
    typer.echo("The broker's accounts are those of the database.")
