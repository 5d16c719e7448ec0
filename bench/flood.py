"""Heartbeats as fast as a socket takes them: MQTT packets made beforehand, QoS 0 (MQTT 3.1.1, section 3.3).

One connection speaks for all boards. Each round a board's `seq` grows and its clocks go on, so that every beat is news.
Some boards lose the mains one after the other, each for `OFF_S`.
"""

from __future__ import annotations

import multiprocessing
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

from svitlo.contracts import DeviceChannel, Heartbeat, ResetCause, encode, topics
from svitlo.settings import BrokerAddress

BOARDS = 1000
FLIP_EVERY_S = 0.5
OFF_S = 5.0

# What changes in each round, in numbers as long as the ones that take their place: lengths stay true.
_SEQ, _UPTIME, _TS = 1_111_111_111_111, 22_222_222, 3_333_333_333
_UP_BEFORE_S = 10_000_000
_MAINS = {True: b'"mains":true ', False: b'"mains":false'}


@dataclass(frozen=True)
class Flood:
    """Who floods and what: `boards` that stay on, then `flips` that do not; all booted at `booted` (Unix seconds).

    For `calm_s` every board beats once a second, before it becomes a flood.
    """

    where: BrokerAddress
    booted: int
    boards: int = BOARDS
    flips: int = 0
    calm_s: float = 0.0

    def off_for(self, number: int, now: float) -> float:
        """Seconds at `now` (Unix) since the flipping board of that number went off last."""
        return (now - number * FLIP_EVERY_S) % (self.flips * FLIP_EVERY_S)


def boot_time() -> int:
    """A moment long ago; with the same one, floods that follow one another go on within one boot."""
    return int(time.time()) - _UP_BEFORE_S


def board(number: int) -> str:
    """The id of a board in the flood."""
    return f"board-{number}"


@contextmanager
def flooding(flood: Flood) -> Iterator[Synchronized[int]]:
    """The flood from a process of its own; yields how many beats it has handed to the socket."""
    context = multiprocessing.get_context("spawn")
    stop, sent = context.Event(), context.Value("q", 0)
    process = context.Process(target=_pour, args=(flood, stop, sent), name="flood", daemon=True)
    process.start()
    try:
        yield sent
    finally:
        stop.set()
        process.join(10)
        if process.is_alive():
            process.terminate()


def _pour(flood: Flood, stop: Event, sent: Synchronized[int]) -> None:
    steady = b"".join(_publish(number) for number in range(flood.boards))
    flipping = [
        {on: _publish(number).replace(_MAINS[True], _MAINS[on]) for on in _MAINS}
        for number in range(flood.boards, flood.boards + flood.flips)
    ]
    second, timed = 0, b""
    with socket.create_connection((flood.where.host, flood.where.port), timeout=60) as link:
        link.sendall(_connect("bench-flood", flood.where.username or "", flood.where.password or ""))
        if link.recv(4) != b"\x20\x02\x00\x00":
            raise ConnectionRefusedError("the broker does not take the flood")
        began = time.time()
        while not stop.is_set():
            now = time.time()
            if int(now) != second:
                second = int(now)
                timed = _at(steady, second, flood.booted)
            mains = (either[flood.off_for(number, now) >= OFF_S] for number, either in enumerate(flipping))
            flips = _at(b"".join(mains), second, flood.booted)
            # Milliseconds grow faster than rounds, and go on growing in the next flood.
            link.sendall((timed + flips).replace(b"%d" % _SEQ, b"%d" % (now * 1000)))
            sent.value += flood.boards + flood.flips
            if now < began + flood.calm_s:
                stop.wait(1)


def _at(packets: bytes, second: int, booted: int) -> bytes:
    uptime = b"%d" % (second - booted)
    return packets.replace(b"%d" % _UPTIME, uptime).replace(b"%d" % _TS, b"%d" % second)


def _publish(number: int) -> bytes:
    beat = Heartbeat(
        v=1,
        boot=f"{number:08x}",
        boots=3,
        conn=1,
        seq=_SEQ,
        uptime_s=_UPTIME,
        interval_s=10,
        reset=ResetCause.POWER_ON,
        mains=True,
        rssi=-55,
        heap=80_000,
        fw="bench",
        ts=_TS,
    )
    payload = encode(beat).replace(_MAINS[True].strip(), _MAINS[True])
    body = _text(topics.device(board(number), DeviceChannel.HEARTBEAT)) + payload
    return b"\x30" + _length(len(body)) + body


def _connect(client_id: str, username: str, password: str) -> bytes:
    clean_with_user_and_password, keepalive_s = 0xC2, 60
    head = _text("MQTT") + struct.pack("!BBH", 4, clean_with_user_and_password, keepalive_s)
    body = head + _text(client_id) + _text(username) + _text(password)
    return b"\x10" + _length(len(body)) + body


def _text(text: str) -> bytes:
    return struct.pack("!H", len(text.encode())) + text.encode()


def _length(number: int) -> bytes:
    """The remaining length, 7 bits a byte (section 2.2.3)."""
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)
