"""Heartbeats as fast as a socket takes them: MQTT packets made beforehand, QoS 0 (MQTT 3.1.1, section 3.3)."""

from __future__ import annotations

import socket
import struct
import time
from multiprocessing.synchronize import Event

from svitlo.contracts import DeviceChannel, Heartbeat, ResetCause, encode, topics
from svitlo.settings import BrokerAddress

BOARDS = 1000


def flood(address: BrokerAddress, stop: Event) -> None:
    """Publish beats of `BOARDS` boards in turn until told to stop (for a process of its own)."""
    packets = b"".join(_publish(number) for number in range(BOARDS))
    with socket.create_connection((address.host, address.port), timeout=60) as link:
        link.sendall(_connect("bench-flood", address.username or "", address.password or ""))
        if link.recv(4) != b"\x20\x02\x00\x00":
            raise ConnectionRefusedError("the broker does not take the flood")
        pinged = time.monotonic()
        while not stop.is_set():
            link.sendall(packets)
            if time.monotonic() - pinged > 10:
                link.sendall(b"\xc0\x00")
                pinged = time.monotonic()


def _publish(number: int) -> bytes:
    beat = Heartbeat(
        v=1,
        boot=f"{number:08x}",
        boots=3,
        conn=1,
        seq=1000 + number,
        uptime_s=86_400,
        interval_s=10,
        reset=ResetCause.POWER_ON,
        rssi=-55,
        heap=80_000,
        fw="bench",
        ts=1_767_225_600,
    )
    body = _text(topics.device(f"board-{number}", DeviceChannel.HEARTBEAT)) + encode(beat)
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
