"""Orders that change a board bear a MAC under a key of that board alone.

A board taken apart gives away only its own key. The server that signs is the one that owns the boards, so nothing would
be won by a signature others can check.
"""

from __future__ import annotations

import hashlib
import hmac

from svitlo.contracts import Command, CommandWord


def update_key(secret: str, device_id: str) -> bytes:
    """A board's key for orders, 32 bytes; in its config.json as hex. `secret` is the installation's master secret."""
    return hmac.new(secret.encode(), f"svitlo update key v1\n{device_id}".encode(), hashlib.sha256).digest()


_SIGNED: dict[CommandWord, tuple[str, ...]] = {
    CommandWord.UPDATE: ("order", "serial", "version", "size", "sha256"),
    CommandWord.ROTATE: ("order", "serial", "password"),
}
"""The fields under the MAC, in their order."""


def sign(key: bytes, device_id: str, command: Command) -> str:
    """The MAC of an `update` or `rotate`: HMAC-SHA256 in hex over lines of UTF-8. Raises `KeyError` for other words."""
    fields = (str(getattr(command, name)) for name in _SIGNED[command.command])
    text = "\n".join(("svitlo order v1", device_id, command.command.value, *fields))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
