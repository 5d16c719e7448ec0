"""The first `dynamic-security.json`: our own accounts, so that a fresh broker lets its services in and nobody else.

Everything else (devices, integrators) is added over MQTT. The file's format and its PBKDF2-HMAC-SHA512 hashes are
those of Mosquitto's dynamic-security plugin, 2.0 and 2.1.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from svitlo.accounts.passwords import derive_password
from svitlo.accounts.roles import SERVICES, Account, admin_account, service_account

ITERATIONS = 101
"""The plugin's own count; the passwords are 160 random-looking bits, which no count has to protect."""

DEFAULT_ACCESS = {
    "publishClientSend": False,
    "publishClientReceive": False,
    "subscribe": False,
    "unsubscribe": True,
}


def own_accounts() -> list[Account]:
    """The accounts every installation has: the administrator and the four services."""
    return [admin_account(), *(service_account(service) for service in SERVICES)]


def seed_document(secret: str) -> dict[str, Any]:
    """The plugin's configuration with our own accounts."""
    accounts = own_accounts()
    return {
        "defaultACLAccess": DEFAULT_ACCESS,
        "clients": [_client(secret, account) for account in accounts],
        "groups": [],
        "roles": [{"rolename": account.role, "acls": account.acls()} for account in accounts],
    }


def write_seed(path: Path, secret: str, *, owner: tuple[int, int] | None = None) -> bool:
    """Write the seed unless the broker already has accounts there; says whether it wrote.

    A file that is not whole JSON (a disk that filled up, a power cut) is put aside as `.broken` and replaced: the
    devices' accounts come back from the database.
    """
    if path.exists():
        try:
            if json.loads(path.read_text(encoding="utf-8")).get("clients"):
                return False
        except (ValueError, AttributeError):
            pass
        path.replace(path.with_suffix(".broken"))
    partial = path.with_suffix(".part")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(seed_document(secret), indent=1), encoding="utf-8")
    if owner is not None:
        os.chown(partial, *owner)
    partial.replace(path)
    return True


def _client(secret: str, account: Account) -> dict[str, Any]:
    salt = secrets.token_bytes(12)
    password = derive_password(secret, account.username, account.generation)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return {
        "username": account.username,
        "textdescription": describe(account),
        "roles": [{"rolename": account.role}],
        "password": base64.b64encode(digest).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": ITERATIONS,
    }


def describe(account: Account) -> str:
    """What the broker remembers of an account besides its rights: the password's generation."""
    return f"generation {account.generation}"
