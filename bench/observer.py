"""A bystander on the broker: when wills, births and events pass by."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from svitlo.accounts.passwords import derive_password
from svitlo.accounts.roles import ADMIN
from svitlo.cli.context import Target
from svitlo.contracts import (
    DeviceChannel,
    DeviceState,
    DeviceStatus,
    PowerEvent,
    SiteChannel,
    decode_as,
    decode_device,
    topics,
)
from tests.support.wait import eventually

_STATUS = topics.device("+", DeviceChannel.STATUS)
_EVENT = topics.site("+", SiteChannel.EVENT)


@dataclass(frozen=True)
class Moment:
    """An arrival by both clocks: `time.monotonic()` and UTC."""

    mono: float = field(default_factory=time.monotonic)
    wall: datetime = field(default_factory=lambda: datetime.now(UTC))


class Observer:
    """Notes each passage under its device or site, oldest first; use as a context manager."""

    def __init__(self, where: Target) -> None:
        self.wills: dict[str, list[Moment]] = defaultdict(list)
        self.births: dict[str, list[Moment]] = defaultdict(list)
        self.events: dict[str, list[tuple[Moment, PowerEvent]]] = defaultdict(list)
        self._where = where
        self._ready = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "bench-observer")
        self._client.username_pw_set(ADMIN, derive_password(where.secret, ADMIN, 1))
        self._client.on_connect = lambda client, *_: client.subscribe([(_STATUS, 1), (_EVENT, 1)])
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect(self._where.broker.host, self._where.broker.port)
        self._client.loop_start()
        eventually(lambda: self._ready, 10, "the observer is subscribed")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribed(self, *_: object) -> None:
        self._ready = True

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        moment = Moment()
        if message.retain or not message.payload:
            return
        name, payload = message.topic.split("/")[2], bytes(message.payload)
        if message.topic.endswith("/event"):
            self.events[name].append((moment, decode_as(PowerEvent, payload)))
            return
        status = decode_device(DeviceChannel.STATUS, payload)
        assert isinstance(status, DeviceStatus)
        (self.births if status.state is DeviceState.ONLINE else self.wills)[name].append(moment)
