"""The firmware as boards load it: piece by piece, each where the board asked for it, to few boards at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from uuid import UUID

from services.ingest.order_rules import Pace
from svitlo.bus import ServiceLink
from svitlo.contracts import DeviceChannel, topics, update_chunk
from svitlo.errors import BrokerUnavailableError, SvitloError
from svitlo.firmware import Bundle

log = logging.getLogger(__name__)

COMPILE_AGAIN_S = 60.0

Firmware = Callable[[], Bundle]


class Updates:
    """Serves what boards ask for; `loading` says which device may load under which order."""

    def __init__(self, link: ServiceLink, firmware: Firmware, pace: Pace) -> None:
        self._link = link
        self._firmware = firmware
        self._pace = pace
        self.bundle: Bundle | None = None
        self.trouble = ""
        """Why there is no bundle."""
        self.loading: dict[str, UUID] = {}
        self._compiled_at = -COMPILE_AGAIN_S
        self._asked: dict[str, tuple[UUID, int]] = {}
        self._ask = asyncio.Event()
        self._served: dict[str, float] = {}

    async def compile(self) -> Bundle | None:
        """The firmware as a bundle; None when it cannot be made, which is tried again after a minute."""
        if self.bundle is None and time.monotonic() - self._compiled_at >= COMPILE_AGAIN_S:
            self._compiled_at = time.monotonic()
            try:
                self.bundle = await asyncio.to_thread(self._firmware)
            except SvitloError as error:
                self.trouble = f"held back: {error}"[:200]
                log.error("boards cannot be updated: %s", error)  # noqa: TRY400 - its text says it all
        return self.bundle

    def ask(self, device: str, order: UUID, offset: int) -> None:
        """A board wants the piece at `offset`; the last it asked for is the one it gets."""
        self._asked[device] = (order, offset)
        self._ask.set()

    def leave(self, device: str) -> None:
        """A board loads no more."""
        self._asked.pop(device, None)
        self._served.pop(device, None)

    async def run(self) -> None:
        """Serve until cancelled. A piece that is lost on the way the board asks for again."""
        while True:
            await self._ask.wait()
            self._ask.clear()
            asked, self._asked = self._asked, {}
            for device, (order, offset) in asked.items():
                if (piece := self._piece(device, order, offset)) is not None:
                    with contextlib.suppress(BrokerUnavailableError):
                        await self._link.publish(topics.device(device, DeviceChannel.UPDATE), piece, qos=0)

    def _piece(self, device: str, order: UUID, offset: int) -> bytes | None:
        if self.bundle is None or self.loading.get(device) != order or offset >= len(self.bundle.data):
            return None
        now = time.monotonic()
        self._served = {name: at for name, at in self._served.items() if now - at < self._pace.serving_s}
        if device not in self._served and len(self._served) >= self._pace.slots:
            return None  # its turn comes; it asks again
        self._served[device] = now
        return update_chunk(self.bundle.data, offset)
