"""What a board is told about its broker and itself: the same for config.json, the claim code and the USB cable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from svitlo.cli.context import Target, data_dir, with_session
from svitlo.errors import UserError


def board_config(where: Target, device_id: str, *, tls: bool, port: int | None, interval_s: int) -> dict[str, Any]:
    """A board's config.json but for its network. Raises `NotFoundError` for an unknown device.

    Without a port it is the boards' own, or 8883 where only `tls` asks for the TLS door.
    """
    from svitlo import registry
    from svitlo.accounts.passwords import derive_password
    from svitlo.firmware import update_key

    async def work(session: Any) -> registry.DeviceRow:
        return await registry.get_device(session, device_id)

    device = with_session(where, work)
    boards = where.boards
    if boards.host.startswith("127."):
        typer.echo("svitlo: 127.0.0.1 is the board itself; run svitlo up --lan, and this command again", err=True)
    default_port = 8883 if tls and not boards.tls else boards.port
    return {
        "v": 1,
        "device_id": device.id,
        "password": derive_password(where.secret, device.id, device.generation),
        "update_key": update_key(where.secret, device.id).hex(),
        "mqtt": {"host": boards.host, "port": port or default_port, "tls": tls or boards.tls},
        "interval_s": interval_s,
        "keepalive_s": max(5, min(interval_s, 60)),
    }


def authority(given: Path | None, where: Path | None) -> bytes:
    """The certificate (DER) a board trusts: the given file, or what `svitlo broker tls` made. Raises `UserError`."""
    from svitlo.stack.places import Places

    path = given or Places(data_dir(where)).tls / "ca.der"
    try:
        certificate = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}): make it with svitlo broker tls, or name it with --ca"
        ) from error
    if certificate.startswith(b"-----BEGIN"):
        raise UserError(f"{path} is PEM, the board takes DER: openssl x509 -in {path} -outform der -out ca.der")
    return certificate
