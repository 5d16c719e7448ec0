"""Boards on raw sockets, for tests that care which connection, which boot and which moment.

Run as `python -m tests.support.boards HOST PORT NAME PASSWORD KEEPALIVE_S` it is one board in a process of its own, to
be stopped by signals.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import struct
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from svitlo.settings import BrokerAddress
from tests.support.broker import Broker, address
from tests.support.house import heartbeat, status

ACCEPTED = b"\x20\x02\x00\x00"


def now() -> datetime:
    return datetime.now(UTC)


class Board:
    """Beats every second. Use as an async context manager, or `start` and `die` it by hand.

    A board that loses its connection comes back by itself, as the same boot, unless it died.
    """

    def __init__(self, where: BrokerAddress, name: str, *, keepalive_s: int = 10, retry_s: float = 0.5) -> None:
        self.name = name
        self.boots = 0
        self.seq = 0
        self.conn = 0
        self.reset = "power_on"
        self.booted_at = now()
        self.heard_at: datetime | None = None
        self._where = where
        self._keepalive_s = keepalive_s
        self._retry_s = retry_s
        self._task: asyncio.Task[None] | None = None
        self._link: _Link | None = None
        self.boot()

    def boot(self, reset: str = "power_on") -> None:
        """Start anew: a new boot id, and everything counted from the beginning."""
        self.boot_id = secrets.token_hex(4)
        self.boots += 1
        self.reset = reset
        self.conn = self.seq = 0
        self.booted_at = now()
        self._born = time.monotonic()

    async def connect(self) -> None:
        """One more connection under the same client id, with birth and heartbeat; an older one is left as it is."""
        self.conn += 1
        loop = asyncio.get_running_loop()
        _, link = await loop.create_connection(lambda: _Link(self._born_again), self._where.host, self._where.port)
        self._link = link
        try:
            link.send(self._hello())
            async with asyncio.timeout(10):
                await link.accepted
        except BaseException:
            link.abort()
            raise
        self._born_again()
        link.send(_packet(0x82, struct.pack("!H", 1) + _text(f"svitlo/devices/{self.name}/status") + b"\x01"))
        self.beat()

    def beat(self) -> None:
        """One heartbeat, now."""
        assert self._link is not None
        self.seq += 1
        payload = heartbeat(
            self.seq,
            boot=self.boot_id,
            boots=self.boots,
            conn=self.conn,
            uptime_s=int(time.monotonic() - self._born),
            reset=self.reset,
        )
        self._link.send(_packet(0x31, _text(f"svitlo/devices/{self.name}/heartbeat") + payload))
        self.heard_at = now()

    async def start(self) -> None:
        """Connect, and live on in the background."""
        await self.connect()
        self._task = asyncio.create_task(self._live(), name=f"board {self.name}")

    async def die(self, *, silently: bool = False, politely: bool = False) -> None:
        """Not a word more.

        The broker sees the connection break and publishes the will; or sees nothing at all (`silently`); or is told
        to forget the will (`politely`).
        """
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._link is not None and politely:
            self._link.send(b"\xe0\x00")
            self._link.close()
        elif self._link is not None and not silently:
            self._link.abort()

    async def __aenter__(self) -> Board:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.die()

    async def _live(self) -> None:
        while True:
            assert self._link is not None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._link.lost.wait()
            if self._link.lost.is_set():
                await asyncio.sleep(self._retry_s * random.uniform(0.2, 1.0))
                with contextlib.suppress(OSError, TimeoutError):
                    await self.connect()
            else:
                self.beat()

    def _born_again(self) -> None:
        """Say hello: after each connect, and when somebody says offline in our name."""
        assert self._link is not None
        birth = status("online", boot=self.boot_id, conn=self.conn)
        topic = _text(f"svitlo/devices/{self.name}/status")
        self._link.send(_packet(0x33, topic + struct.pack("!H", 2) + birth))

    def _hello(self) -> bytes:
        will = status("offline", "lwt", boot=self.boot_id, conn=self.conn)
        flags = 0x80 | 0x40 | 0x20 | 0x08 | 0x04 | 0x02  # user, password, will (retained, QoS 1), clean session
        fields = [self.name, f"svitlo/devices/{self.name}/status", will, self._where.username, self._where.password]
        head = _text("MQTT") + bytes([4, flags]) + struct.pack("!H", self._keepalive_s)
        return _packet(0x10, head + b"".join(_text(field or "") for field in fields))


class _Link(asyncio.Protocol):
    """One connection; reads no more than a board of a test must know."""

    def __init__(self, on_offline: Callable[[], None]) -> None:
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self._on_offline = on_offline
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.accepted.done():
            if data.startswith(ACCEPTED):
                self.accepted.set_result(None)
            else:
                self.accepted.set_exception(ConnectionRefusedError(f"the broker answers {data!r}"))
        elif b'"offline"' in data:
            self._on_offline()

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost.set()
        if not self.accepted.done():
            self.accepted.set_exception(ConnectionResetError("the broker closed the connection"))

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def abort(self) -> None:
        assert self._transport is not None
        self._transport.abort()


def boards(broker: Broker, names: Iterable[str], *, keepalive_s: int = 10) -> dict[str, Board]:
    """Boards by name, with their own credentials, not yet started."""
    return {name: Board(address(broker, name), name, keepalive_s=keepalive_s) for name in names}


def _text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


def _packet(kind: int, body: bytes) -> bytes:
    length, rest = bytearray(), len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length.append(digit | (0x80 if rest else 0))
        if not rest:
            return bytes([kind]) + bytes(length) + body


async def _main(host: str, port: str, name: str, password: str, keepalive_s: str) -> None:
    board = Board(BrokerAddress(host, int(port), name, password), name, keepalive_s=int(keepalive_s))
    await board.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
