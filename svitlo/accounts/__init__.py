"""The broker's accounts: who exists, what each may do, and how the broker is kept in step with the database."""

from svitlo.accounts.dynsec import DynamicSecurity
from svitlo.accounts.passwords import derive_password
from svitlo.accounts.roles import (
    ADMIN,
    SERVICES,
    Account,
    device_account,
    integrator_account,
    service_account,
)
from svitlo.accounts.seed import seed_document, write_seed
from svitlo.accounts.sync import SyncReport, sync_accounts

__all__ = [
    "ADMIN",
    "SERVICES",
    "Account",
    "DynamicSecurity",
    "SyncReport",
    "derive_password",
    "device_account",
    "integrator_account",
    "seed_document",
    "service_account",
    "sync_accounts",
    "write_seed",
]
