"""Claim codes: what a board needs to know but its Wi-Fi, as text to type, paste or scan in set-up mode.

`svitlo1.` + base64url (no padding) of compact JSON + `.` + CRC32 of the part between the dots as 8 hex digits. It holds
the board's password; whoever has the code can speak as the board.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

PREFIX = "svitlo1"
SETUP_URL = "http://192.168.4.1/"
"""Where a board in set-up mode shows its page; the code goes into the fragment, which no browser sends anywhere."""

_NETWORKS = ("wifi", "ethernet")


def encode(config: Mapping[str, Any], ca_der: bytes | None = None) -> str:
    """The claim code of a configuration as in config.json; ca_der is the authority that signed the broker."""
    carried = {key: value for key, value in config.items() if key not in _NETWORKS}
    if ca_der is not None:
        carried["ca"] = base64.b64encode(ca_der).decode()
    plain = json.dumps(carried, ensure_ascii=False, separators=(",", ":")).encode()
    body = base64.urlsafe_b64encode(plain).decode().rstrip("=")
    return f"{PREFIX}.{body}.{_checksum(body)}"


def decode(code: str) -> dict[str, Any]:
    """The configuration in a claim code. Raises ValueError."""
    prefix, body, checksum = code.split(".")
    if prefix != PREFIX or checksum != _checksum(body):
        raise ValueError("not a claim code, or one with a typing error")
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return decoded


def authority(config: Mapping[str, Any]) -> bytes | None:
    """The authority's certificate (DER) that came with a decoded claim code."""
    return base64.b64decode(config["ca"]) if "ca" in config else None


def setup_url(code: str) -> str:
    """The address for a QR code: a phone in the board's Wi-Fi opens the page with the code filled in."""
    return f"{SETUP_URL}#{code}"


def _checksum(body: str) -> str:
    return f"{binascii.crc32(body.encode()):08x}"
