"""Keeps the broker's accounts what the database says they should be, also after the broker lost its data."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from svitlo.accounts.dynsec import DynamicSecurity
from svitlo.accounts.passwords import derive_password
from svitlo.accounts.roles import ADMIN
from svitlo.accounts.sync import sync_accounts, wanted_accounts
from svitlo.db.session import Database
from svitlo.errors import AccountError, BrokerUnavailableError, DatabaseUnavailableError
from svitlo.settings import BrokerAddress

log = logging.getLogger(__name__)

EVERY_S = 300.0
RETRY_S = 5.0


class AccountKeeper:
    """Compares at the start, after each new link to the broker, when the registry changes, and now and then."""

    def __init__(self, database: Database, address: BrokerAddress, secret: str) -> None:
        self._database = database
        self._address = address
        self._secret = secret
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something may have changed."""
        self._wake.set()

    async def run(self) -> None:
        """Keep until cancelled."""
        while True:
            self._wake.clear()
            wait = EVERY_S
            try:
                await self._sync()
            except (AccountError, BrokerUnavailableError, DatabaseUnavailableError) as error:
                log.warning("the broker's accounts could not be compared: %s", error)
                wait = RETRY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _sync(self) -> None:
        async with self._database.transaction() as session:
            wanted = await wanted_accounts(session)
        password = derive_password(self._secret, ADMIN, 1)
        async with DynamicSecurity.connect(self._address, password) as plugin:
            report = await sync_accounts(plugin, wanted, self._secret)
        if report:
            log.info(
                "broker accounts: %d made, %d given a new password, %d given other rights, %d removed",
                report.created,
                report.rotated,
                report.changed,
                report.removed,
            )
