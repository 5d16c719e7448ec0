"""`svitlo device`: the boards and their credentials."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from svitlo.cli import orders
from svitlo.cli.board_config import board_config
from svitlo.cli.claim import claim
from svitlo.cli.context import (
    AsJson,
    DataDir,
    Target,
    change_accounts,
    show_json,
    show_table,
    shown_command,
    target,
    with_session,
)
from svitlo.cli.flash import flash

app = typer.Typer(help="Devices: the boards that sit in the mains.", no_args_is_help=True)
app.command("flash")(flash)
app.command("claim")(claim)
for _name, _command in orders.COMMANDS.items():
    app.command(_name)(_command)

Id = Annotated[str, typer.Argument(metavar="ID", help="The device's id.")]
SiteArgument = Annotated[str, typer.Argument(metavar="SITE", help="The site it stands for.")]


def _credentials(where: Target, device_id: str, generation: int) -> dict[str, str]:
    from svitlo.accounts.passwords import derive_password

    return {
        "device_id": device_id,
        "username": device_id,
        "password": derive_password(where.secret, device_id, generation),
        "mqtt_url": where.boards.url,
    }


def _show(credentials: dict[str, str], title: str, where: Path | None, as_json: bool, *, first: bool = False) -> None:
    if as_json:
        show_json(credentials)
        return
    typer.echo(f"{title} Its credentials:")
    for key in ("device_id", "username", "password", "mqtt_url"):
        typer.echo(f"  {key:<10} {credentials[key]}")
    device_id = credentials["device_id"]
    if first:
        typer.echo(f"Board on a USB cable: {shown_command(where, 'device', 'flash', device_id)}")
        typer.echo(f"Board with a Wi-Fi of its own, svitlo-XXXX: {shown_command(where, 'device', 'claim', device_id)}")
    config = shown_command(where, "device", "config", device_id, "--ssid", "WIFI", "--wifi-password", "...")
    typer.echo(f"The board's config.json: {config}")


@app.command()
def add(
    site: SiteArgument,
    device_id: Annotated[str | None, typer.Option("--id", help="Its id; made from the site's if not given.")] = None,
    weight: Annotated[int, typer.Option("--weight", min=1, max=100, help="How much it counts at this site.")] = 1,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Add a device to a site and show its credentials."""
    from svitlo import registry

    async def work(session: Any) -> registry.DeviceRow:
        return await registry.add_device(session, site, device_id, weight=weight)

    where = target(data_dir)
    device = change_accounts(where, work)
    credentials = _credentials(where, device.id, device.generation)
    _show(credentials, f"Added device {device.id} to {site}.", data_dir, as_json, first=True)


@app.command("list")
def list_(
    unknown: Annotated[bool, typer.Option("--unknown", help="Those that talk to us but are not registered.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List the devices."""
    from svitlo import registry

    where = target(data_dir)
    if unknown:
        strangers = with_session(where, registry.list_unknown_devices)
        if as_json:
            show_json([asdict(row) for row in strangers])
            return
        cells = [(row.id, row.first_seen_at, row.last_seen_at, row.count) for row in strangers]
        show_table("Unknown devices", ("device", "first seen", "last seen", "messages"), cells, "No unknown devices.")
        return
    devices = with_session(where, registry.list_devices)
    if as_json:
        show_json([asdict(device) for device in devices])
        return
    rows = [(d.id, ", ".join(d.sites), d.last_seen_at, d.fw, d.rssi) for d in devices]
    columns = ("device", "sites", "last seen", "firmware", "RSSI dBm")
    show_table("Devices", columns, rows, f"No devices yet. Add one: {shown_command(data_dir, 'device', 'add', 'SITE')}")


@app.command()
def attach(
    device_id: Id,
    site: SiteArgument,
    weight: Annotated[
        int | None, typer.Option("--weight", min=1, max=100, help="How much it counts at this site (1 if not given).")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Let a device stand for one more site, or change its weight at one it stands for."""
    from svitlo import registry

    async def work(session: Any) -> str:
        await registry.get_device(session, device_id)
        if weight is not None and device_id in (await registry.get_site(session, site)).devices:
            await registry.set_weight(session, device_id, site, weight)
            return f"Device {device_id} has weight {weight} at {site} now."
        device = await registry.attach_device(session, device_id, site, weight or 1)
        return f"Device {device_id} stands for {', '.join(device.sites)} now."

    typer.echo(with_session(target(data_dir), work))


@app.command()
def detach(device_id: Id, site: SiteArgument, data_dir: DataDir = None) -> None:
    """Let a device stand for a site no more."""
    from svitlo import registry

    async def work(session: Any) -> registry.DeviceRow:
        return await registry.detach_device(session, device_id, site)

    device = with_session(target(data_dir), work)
    typer.echo(f"Device {device_id} stands for {', '.join(device.sites)} now.")


@app.command()
def config(
    device_id: Id,
    ssid: Annotated[str, typer.Option("--ssid", help="The Wi-Fi network's name.")] = "",
    wifi_password: Annotated[str, typer.Option("--wifi-password", help="The Wi-Fi network's password.")] = "",
    interval_s: Annotated[int, typer.Option("--interval", min=1, max=3600, help="Seconds between beats.")] = 10,
    tls: Annotated[bool, typer.Option("--tls", help="Let the board come through the broker's TLS door.")] = False,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Another port of the broker.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Print the board's config.json (it holds its password)."""
    known = board_config(target(data_dir), device_id, tls=tls, port=port, interval_s=interval_s)
    if not ssid:
        typer.echo("svitlo: without --ssid the board knows no Wi-Fi; fill it in before you copy the file", err=True)
    show_json({**known, "wifi": {"ssid": ssid, "password": wifi_password}})


@app.command()
def rotate(
    device_id: Id,
    over_the_air: Annotated[
        bool, typer.Option("--over-the-air", help="Send it to the board; the old one works until it is stored there.")
    ] = False,
    wait: orders.Wait = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Give a device a new password; the old one ends at once, unless it goes over the air."""
    from svitlo import registry

    if over_the_air:
        orders.rotate_over_the_air(device_id, wait, data_dir)
        return
    if wait is not None:
        raise typer.BadParameter("only with --over-the-air is there anything to wait for", param_hint="--wait")

    async def work(session: Any) -> registry.DeviceRow:
        return await registry.rotate_device(session, device_id)

    where = target(data_dir)
    device = change_accounts(where, work)
    _show(
        _credentials(where, device.id, device.generation), f"Device {device.id} has a new password.", data_dir, as_json
    )


@app.command()
def remove(device_id: Id, data_dir: DataDir = None) -> None:
    """Remove a device; it is cut off at once, its readings stay."""
    from svitlo import registry

    async def work(session: Any) -> None:
        await registry.remove_device(session, device_id)

    change_accounts(target(data_dir), work)
    typer.echo(f"Removed device {device_id}.")
