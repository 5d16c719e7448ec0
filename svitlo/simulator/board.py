"""A virtual board: the wire contract over a real MQTT connection (paho-mqtt on the event loop)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import socket
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from svitlo import __version__
from svitlo.contracts import (
    DeviceChannel,
    DeviceState,
    DeviceStatus,
    Heartbeat,
    OfflineReason,
    ResetCause,
    encode,
    topics,
)

REPEAT_S = 1.0


class VirtualBoard:
    """One board. `run` keeps it alive; `cut_power`, `lose_network`, `drop` and their ends are what befalls it."""

    def __init__(
        self, device_id: str, password: str, host: str, port: int, *, interval_s: int = 10, keepalive_s: int = 10
    ) -> None:
        self.device_id = device_id
        self.beats = 0
        self.connects = 0
        self._password = password
        self._host, self._port = host, port
        self._interval_s, self._keepalive_s = interval_s, keepalive_s
        self._boots = 0
        self._powered = asyncio.Event()
        self._network = asyncio.Event()
        self._network.set()
        self._client: mqtt.Client | None = None
        self._lost = asyncio.Event()
        self._ready = asyncio.Event()
        self._boot()

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the board's birth."""
        return self._ready.is_set() and not self._lost.is_set()

    async def run(self) -> None:
        """Live until cancelled: connect, beat, come back."""
        try:
            while True:
                await self._powered.wait()
                await self._network.wait()
                if await self._connect():
                    await self._beat_on()
                else:
                    await asyncio.sleep(random.uniform(0.5, 1.5) * REPEAT_S)  # noqa: S311 - jitter
        finally:
            self._abandon()

    def cut_power(self) -> None:
        """The mains goes: not a word more, and the socket stays open as far as the broker can see."""
        self._powered.clear()
        self._mute()

    def restore_power(self) -> None:
        """The mains is back: a new boot."""
        if not self._powered.is_set():
            self._abandon()
            self._boot()

    def lose_network(self) -> None:
        """The router goes: silence, but the board runs on."""
        self._network.clear()
        self._mute()

    def restore_network(self) -> None:
        """The router is back: the same boot connects again."""
        if not self._network.is_set():
            self._abandon()
            self._network.set()

    def drop(self) -> None:
        """The connection breaks with a TCP close; the board connects again at once."""
        self._abandon()

    async def goodbye(self) -> None:
        """A clean end: says bye, then disconnects; stays off until `restore_power`."""
        client, connected = self._client, self.connected
        self._powered.clear()  # first, so that no beat is sent after the goodbye
        if client is not None and connected:
            client.publish(self._topic(DeviceChannel.STATUS), self._status(OfflineReason.BYE), qos=1, retain=True)
            client.disconnect()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._lost.wait()

    def _boot(self) -> None:
        self._boot_id = secrets.token_hex(4)
        self._boots += 1
        self._conn = 0
        self._seq = 0
        self._born = time.monotonic()
        self._powered.set()

    def _topic(self, channel: DeviceChannel) -> str:
        return topics.device(self.device_id, channel)

    def _status(self, reason: OfflineReason | None = None) -> bytes:
        return encode(
            DeviceStatus(
                v=1,
                state=DeviceState.OFFLINE if reason else DeviceState.ONLINE,
                boot=self._boot_id,
                conn=self._conn,
                keepalive_s=self._keepalive_s,
                interval_s=self._interval_s,
                reason=reason,
            )
        )

    def _heartbeat(self) -> bytes:
        self._seq += 1
        return encode(
            Heartbeat(
                v=1,
                boot=self._boot_id,
                boots=self._boots,
                conn=self._conn,
                seq=self._seq,
                uptime_s=int(time.monotonic() - self._born),
                interval_s=self._interval_s,
                reset=ResetCause.POWER_ON,
                rssi=-55,
                heap=80_000,
                fw=f"sim-{__version__}",
                ts=int(time.time()),
            )
        )

    async def _connect(self) -> bool:
        self._conn += 1
        self._lost, self._ready = asyncio.Event(), asyncio.Event()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, self.device_id, clean_session=True, reconnect_on_failure=False
        )
        client.username_pw_set(self.device_id, self._password)
        client.will_set(self._topic(DeviceChannel.STATUS), self._status(OfflineReason.LWT), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = lambda *_: self._lost.set()
        client.on_message = self._on_message
        _join_loop(client)
        self._client = client
        try:
            client.connect(self._host, self._port, self._keepalive_s)
            async with asyncio.timeout(10):
                await self._ready.wait()
        except (OSError, TimeoutError):
            self._abandon()
            return False
        self.connects += 1
        return not self._lost.is_set()

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._lost.set()
        else:
            client.subscribe([(self._topic(DeviceChannel.STATUS), 1), (self._topic(DeviceChannel.COMMAND), 1)])
            client.publish(self._topic(DeviceChannel.STATUS), self._status(), qos=1, retain=True)
        self._ready.set()

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        """No stale word outlives a living board: an offline on its own topic is answered with a new birth."""
        if message.topic == self._topic(DeviceChannel.STATUS) and b'"offline"' in message.payload:
            client.publish(self._topic(DeviceChannel.STATUS), self._status(), qos=1, retain=True)

    async def _beat_on(self) -> None:
        client, lost = self._client, self._lost
        assert client is not None
        due = 0.0
        while not lost.is_set() and self._powered.is_set() and self._network.is_set():
            client.loop_misc()
            if time.monotonic() >= due:
                sent = client.publish(self._topic(DeviceChannel.HEARTBEAT), self._heartbeat(), qos=0, retain=True)
                self.beats += sent.rc == mqtt.MQTT_ERR_SUCCESS
                due = time.monotonic() + self._interval_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(self._interval_s, self._keepalive_s / 3)):
                    await lost.wait()

    def _mute(self) -> None:
        """Stop reading and writing without closing: what a dead board's socket looks like from outside."""
        if self._client is not None and (sock := self._client.socket()) is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(sock)
            loop.remove_writer(sock)

    def _abandon(self) -> None:
        """Close the socket without a DISCONNECT."""
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(OSError, ValueError):
            sock = client.socket()
            if sock is not None:
                loop = asyncio.get_running_loop()
                loop.remove_reader(sock)
                loop.remove_writer(sock)
                if isinstance(sock, socket.socket):
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
                sock.close()
        self._lost.set()


def _join_loop(client: mqtt.Client) -> None:
    """Let the event loop drive the client's socket, so that a thousand boards need no thousand threads."""
    loop = asyncio.get_running_loop()

    def opened(_client: mqtt.Client, _data: Any, sock: Any) -> None:
        loop.add_reader(sock, client.loop_read)

    def closed(_client: mqtt.Client, _data: Any, sock: Any) -> None:
        if sock.fileno() >= 0:  # else we have closed it ourselves
            loop.remove_reader(sock)

    def wants_write(_client: mqtt.Client, _data: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            loop.add_writer(sock, client.loop_write)

    def has_written(_client: mqtt.Client, _data: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            loop.remove_writer(sock)

    client.on_socket_open = opened
    client.on_socket_close = closed
    client.on_socket_register_write = wants_write
    client.on_socket_unregister_write = has_written
