"""Broker passwords, derived instead of stored.

A password is HMAC-SHA256 (RFC 2104) over the user name and a generation number, keyed with the installation's
master secret. So the broker's accounts can be rebuilt from the database, which holds only generations, and nobody
who reads the database or a backup of it can connect.
"""

from __future__ import annotations

import base64
import hashlib
import hmac


def derive_password(secret: str, username: str, generation: int) -> str:
    """The password of `username` in its `generation` (from 1): 32 characters of base32, 160 bits."""
    message = f"svitlo mqtt password v1\n{username}\n{generation}".encode()
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    return base64.b32encode(digest[:20]).decode().lower()
