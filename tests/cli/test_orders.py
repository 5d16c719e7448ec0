"""`svitlo device identify | reboot | update | rotate | orders`: what is asked of boards, and what became of it."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo import registry
from svitlo.firmware import update_key
from tests.cli.conftest import CommandLine


@pytest.fixture
def house(svitlo: CommandLine) -> CommandLine:
    """A house with two boards that were never heard."""

    async def work(session: AsyncSession) -> None:
        await registry.add_site(session, "house", "House")
        await registry.add_device(session, "house", "hall")
        await registry.add_device(session, "house", "attic")

    svitlo.prepare(work)
    return svitlo


def test_a_boards_configuration_holds_its_own_key_for_orders(house: CommandLine) -> None:
    hall, attic = (house("device", "config", name).json["update_key"] for name in ("hall", "attic"))
    assert hall == update_key("x" * 32, "hall").hex() != attic
