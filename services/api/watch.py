"""What the broker tells the API: whether our link is up, and whether a detector is alive."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from svitlo.bus import ServiceLink
from svitlo.contracts import PayloadError, ServiceStatus, decode_as, topics
from svitlo.settings import BrokerAddress

log = logging.getLogger(__name__)

_GOODBYE_S = 3.0
"""Longer than the link takes to say that the service is offline."""

_DETECTOR = topics.service("detector", "")


class Link(Protocol):
    """What the app asks of its link to the broker."""

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us."""
        ...

    @property
    def detector_online(self) -> bool:
        """Whether some detector says that it is online; False also while we cannot hear it."""
        ...


class BrokerWatch:
    """The API's own connection: announces the service, and listens to the status of the others."""

    def __init__(self, address: BrokerAddress, instance: str) -> None:
        self._detectors: dict[str, bool] = {}
        self._link = ServiceLink(
            address,
            "api",
            instance,
            subscriptions=[(topics.service("+", "+"), 1)],
            on_message=self._received,
            # What was said before is said again, retained, on every new connection; what is not, is gone.
            on_up=self._detectors.clear,
        )

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and our subscription."""
        return self._link.connected

    @property
    def detector_online(self) -> bool:
        """Whether some detector says that it is online; False also while we cannot hear it."""
        return self.connected and any(self._detectors.values())

    async def run(self) -> None:
        """Hold the connection until cancelled."""
        link = asyncio.create_task(self._link.run(), name="api-link-connection")
        try:
            await asyncio.shield(link)
        except asyncio.CancelledError:
            # Once may not do: before Python 3.12 asyncio.wait_for swallows a cancellation that comes together with
            # what it waited for, here an acknowledgement of the broker.
            while not link.done():
                link.cancel()
                await asyncio.wait([link], timeout=_GOODBYE_S)
            raise

    def _received(self, topic: str, payload: bytes, _retained: bool) -> None:
        if not topic.startswith(_DETECTOR):
            return
        instance = topic.removeprefix(_DETECTOR)
        if not payload:
            self._detectors.pop(instance, None)
            return
        try:
            self._detectors[instance] = decode_as(ServiceStatus, payload).state == "online"
        except PayloadError as error:
            log.warning("detector %s has a status that cannot be read: %s", instance, error)
