"""`svitlo device claim`: the code a board in set-up mode is given on its own page."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from svitlo.cli.board_config import authority, board_config
from svitlo.cli.context import DataDir, target
from svitlo.errors import UserError

LONGEST_CODE = 3600
"""As much as the field on the board's page takes."""


def claim(
    device_id: Annotated[str, typer.Argument(metavar="ID", help="The device's id.")],
    qr: Annotated[
        bool, typer.Option("--qr", help="Also as a QR code, to scan with the phone in the board's Wi-Fi.")
    ] = (False),
    interval_s: Annotated[int, typer.Option("--interval", min=1, max=3600, help="Seconds between beats.")] = 10,
    tls: Annotated[bool, typer.Option("--tls", help="Let the board come through the broker's TLS door.")] = False,
    ca: Annotated[
        Path | None, typer.Option("--ca", help="The authority's certificate, DER; with svitlo broker tls it is found.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Another port of the broker.")] = None,
    where: DataDir = None,
) -> None:
    """Print the claim code of a board (it holds its password).

    A board that was never set up, or whose button is held for five seconds, opens a Wi-Fi network svitlo-XXXX with a
    page that asks for this code.
    """
    from svitlo import claims

    config = board_config(target(where), device_id, tls=tls, port=port, interval_s=interval_s)
    code = claims.encode(config, authority(ca, where) if config["mqtt"]["tls"] else None)
    if len(code) > LONGEST_CODE:
        raise UserError(
            "the authority's certificate is too long for a claim code: use svitlo device flash, or an authority of "
            "your own with svitlo broker tls"
        )
    drawn = _draw(claims.setup_url(code)) if qr else ""
    typer.echo(
        f"1. Join the Wi-Fi network svitlo-XXXX that {device_id} opens in set-up mode.\n"
        f"2. Its page opens by itself, or at {claims.SETUP_URL}{' (the QR code below leads there)' if qr else ''}.\n"
        "3. Choose your Wi-Fi there and paste this claim code. It holds the board's password: show it to nobody.",
        err=True,
    )
    typer.echo(code)
    if drawn:
        typer.echo(drawn, nl=False)


def _draw(text: str) -> str:
    """A QR code as block characters. Raises `UserError` where the terminal is too narrow."""
    import io

    import segno

    symbol = segno.make_qr(text, error="l", boost_error=False)
    width = symbol.symbol_size(border=2)[0]
    columns = shutil.get_terminal_size().columns
    if width > columns and sys.stdout.isatty():
        raise UserError(
            f"the QR code is {width} columns wide, the terminal {columns}: make it wider, or its font smaller"
        )
    drawn = io.StringIO()
    symbol.terminal(drawn, border=2, compact=True)
    return drawn.getvalue()
