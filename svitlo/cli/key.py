"""`svitlo key`: keys for the API and broker accounts for integrators."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from svitlo.cli.context import AsJson, DataDir, change_accounts, show_json, show_table, target, with_session

app = typer.Typer(help="Keys: for the API, and broker accounts for integrators.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the key is called: a-z, 0-9 and -.")]


class Kind(StrEnum):
    """What a key is for."""

    READ = "read"
    ADMIN = "admin"
    MQTT = "mqtt"


@app.command()
def add(
    name: Name,
    kind: Annotated[Kind, typer.Option("--kind", help="read and admin: the API; mqtt: a broker account.")],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Add a key and show it once."""
    from svitlo import registry
    from svitlo.accounts.passwords import derive_password

    async def work(session: Any) -> tuple[registry.KeyRow, str | None]:
        return await registry.add_key(session, name, kind.value)

    where = target(data_dir)
    row, secret = change_accounts(where, work) if kind is Kind.MQTT else with_session(where, work)
    shown = {"name": name, "kind": kind.value}
    if kind is Kind.MQTT:
        username = f"key.{name}"
        shown |= {
            "client_id": username,
            "username": username,
            "password": derive_password(where.secret, username, row.generation),
            "mqtt_url": where.boards.url,
        }
    else:
        shown["key"] = secret or ""
    if as_json:
        show_json(shown)
        return
    typer.echo(f"Added {kind.value} key {name}, shown once:")
    for key, value in shown.items():
        if key not in ("name", "kind"):
            typer.echo(f"  {key:<9} {value}")


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the keys (never their secrets)."""
    from svitlo import registry

    keys = with_session(target(data_dir), registry.list_keys)
    if as_json:
        show_json([asdict(key) for key in keys])
        return
    show_table("Keys", ("name", "kind", "made"), [(k.name, k.kind, k.created_at) for k in keys], "No keys yet.")


@app.command()
def revoke(name: Name, data_dir: DataDir = None) -> None:
    """Revoke a key at once."""
    from svitlo import registry

    async def work(session: Any) -> registry.KeyRow:
        return await registry.revoke_key(session, name)

    where = target(data_dir)
    kinds = {key.name: key.kind for key in with_session(where, registry.list_keys)}
    if kinds.get(name) == Kind.MQTT:
        change_accounts(where, work)
    else:
        with_session(where, work)
    typer.echo(f"Revoked key {name}.")
