"""What the tests of the detector among real parts stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.broker import Broker
from tests.support.scene import Scene


@pytest.fixture
async def scene(broker: Broker, database_url: str) -> AsyncIterator[Scene]:
    """An empty scene on a broker and a database of the test's own."""
    async with Scene.set(broker, database_url) as found:
        yield found
