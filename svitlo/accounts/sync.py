"""Bring the broker's accounts in step with the database: what is missing is made, what is too many goes.

An account that is already right is left alone, because setting a password cuts its client off. So this is safe to
run at any time, and after the broker lost its data it makes everything anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.accounts.dynsec import DynamicSecurity
from svitlo.accounts.passwords import derive_password
from svitlo.accounts.roles import Account, device_account, integrator_account
from svitlo.accounts.seed import DEFAULT_ACCESS, describe, own_accounts
from svitlo.contracts import DeviceChannel, topics

_DEVICES = text(
    "SELECT d.id, c.generation FROM devices d JOIN device_credentials c ON c.device_id = d.id "
    "WHERE d.removed_at IS NULL"
)
_KEYS = text("SELECT name, generation FROM api_keys WHERE kind = 'mqtt' AND revoked_at IS NULL")

PAGE = 200
_DONE_ALREADY = ("Client already exists", "Role already exists", "Client not found", "Role not found")


@dataclass(frozen=True)
class SyncReport:
    """How many accounts were made, given a new password, given new rights, and removed."""

    created: int
    rotated: int
    changed: int
    removed: int

    def __bool__(self) -> bool:
        return any((self.created, self.rotated, self.changed, self.removed))


async def wanted_accounts(session: AsyncSession) -> list[Account]:
    """Every account the broker should have."""
    devices = await session.execute(_DEVICES)
    keys = await session.execute(_KEYS)
    return [
        *own_accounts(),
        *(device_account(device_id, generation) for device_id, generation in devices),
        *(integrator_account(name, generation) for name, generation in keys),
    ]


async def sync_accounts(plugin: DynamicSecurity, wanted: Sequence[Account], secret: str) -> SyncReport:
    """Make the broker's accounts what `wanted` says. Raises `AccountError`, `BrokerUnavailableError`."""
    clients = {client["username"]: client for client in await _listing(plugin, "listClients", "clients")}
    roles = {role["rolename"]: role for role in await _listing(plugin, "listRoles", "roles")}
    commands: list[dict[str, Any]] = [_default_access()]
    created = rotated = changed = 0
    for account in wanted:
        known = clients.get(account.username)
        role = roles.get(account.role)
        if role is None:
            commands.append(_create_role(account))
        elif _rights(role["acls"]) != _rights(account.acls()):
            commands.append({"command": "modifyRole", "rolename": account.role, "acls": account.acls()})
            changed += 1
        if known is None:
            commands.append(_create_client(account, secret))
            created += 1
        elif not _same_identity(known, account):
            commands += [{"command": "deleteClient", "username": account.username}, _create_client(account, secret)]
            rotated += 1
    names = {account.username for account in wanted}
    extra = [username for username in clients if username not in names]
    for username in extra:
        commands.append({"command": "deleteClient", "username": username})
    keep = {account.role for account in wanted}
    commands += [{"command": "deleteRole", "rolename": name} for name in roles if name not in keep]
    # Somebody else may be doing the same at this moment; what is there already, or gone already, is as it should be.
    await plugin.run(commands, ignore=_DONE_ALREADY)
    await plugin.clear_retained([topic for name in extra if "." not in name for topic in _retained(name)])
    return SyncReport(created, rotated, changed, len(extra))


def _default_access() -> dict[str, Any]:
    return {
        "command": "setDefaultACLAccess",
        "acls": [{"acltype": kind, "allow": allow} for kind, allow in DEFAULT_ACCESS.items()],
    }


def _create_role(account: Account) -> dict[str, Any]:
    return {"command": "createRole", "rolename": account.role, "acls": account.acls()}


def _create_client(account: Account, secret: str) -> dict[str, Any]:
    command: dict[str, Any] = {
        "command": "createClient",
        "username": account.username,
        "password": derive_password(secret, account.username, account.generation),
        "textdescription": describe(account),
        "roles": [{"rolename": account.role}],
    }
    if account.client_id is not None:
        command["clientid"] = account.client_id
    return command


def _same_identity(known: dict[str, Any], account: Account) -> bool:
    return (
        known.get("textdescription") == describe(account)
        and known.get("clientid") == account.client_id
        and [role["rolename"] for role in known.get("roles", [])] == [account.role]
        and not known.get("disabled", False)
    )


def _rights(acls: Sequence[dict[str, Any]]) -> set[tuple[str, str, bool]]:
    return {(acl["acltype"], acl["topic"], acl["allow"]) for acl in acls}


def _retained(device_id: str) -> list[str]:
    return [topics.device(device_id, channel) for channel in (DeviceChannel.HEARTBEAT, DeviceChannel.STATUS)]


async def _listing(plugin: DynamicSecurity, command: str, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        request = {"command": command, "verbose": True, "count": PAGE, "offset": len(found)}
        page: list[dict[str, Any]] = (await plugin.run([request]))[0].get(key, [])
        found += page
        if len(page) < PAGE:
            return found
