"""A broker of our own that turns on its board at one step of the conversation, and is a good one otherwise."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

TALK_S = 60.0
"""How long a connection may be silent before its thread gives up; far longer than any board is."""


class Step(IntEnum):
    """Where a treatment sets in: a packet of the board (by its MQTT type), or a moment of the connection."""

    CONNECT = 1
    PUBLISH = 3
    SUBSCRIBE = 8
    PINGREQ = 12
    ACCEPT = 100
    BEAT = 101


PUBACK, SUBACK, PINGRESP, DISCONNECT = 4, 9, 13, 14


@dataclass(frozen=True)
class Packet:
    """One packet of the board."""

    kind: int
    flags: int
    body: bytes

    @property
    def topic(self) -> str:
        """Of a PUBLISH."""
        return self.body[2 : 2 + int.from_bytes(self.body[:2], "big")].decode()

    @property
    def id(self) -> bytes:
        """The two bytes of a packet that wants an answer."""
        if self.kind == Step.PUBLISH:
            after = 2 + int.from_bytes(self.body[:2], "big")
            return self.body[after : after + 2]
        return self.body[:2]

    @property
    def payload(self) -> bytes:
        """Of a PUBLISH."""
        return self.body[2 + len(self.topic.encode()) + (2 if self.flags & 6 else 0) :]


class Session:
    """The broker's end of one connection. What the board does to it ends in EOFError or OSError."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.socket = sock
        self.number = number
        self.subscribed: set[str] = set()

    def packet(self) -> Packet:
        head = self._exactly(1)[0]
        length = shift = 0
        while True:
            digit = self._exactly(1)[0]
            length |= (digit & 127) << shift
            shift += 7
            if not digit & 128:
                return Packet(head >> 4, head & 15, self._exactly(length))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def wait_for_the_end(self) -> None:
        """Say nothing until the board hangs up."""
        while self.socket.recv(4096):
            pass

    def reset(self) -> None:
        """Close with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


Treatment = Callable[[Session, bytes], bool]
"""What happens in place of the given answer; True if the connection goes on as with a good broker."""


@dataclass(frozen=True)
class Beat:
    """A heartbeat that was heard."""

    at: float
    session: int
    body: dict[str, Any]


class HostileBroker:
    """Speaks MQTT 3.1.1 to one board, retains its messages, plays them back. Use as a context manager."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.beats: list[Beat] = []
        self.begun = 0.0  # when the first connection was treated badly (monotonic)
        self.left = 0  # connections that are still to be treated badly
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._retained: dict[str, bytes] = {}
        self._step: Step | None = None
        self._treatment: Treatment | None = None
        self._living: list[Session] = []
        self._count = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True, name="hostile broker").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.drop()

    def treat(self, step: Step, treatment: Treatment, times: int = 1) -> None:
        """From now on, so many connections meet this when they come to that step."""
        with self._lock:
            self._step, self._treatment, self.left = step, treatment, times

    def drop(self) -> None:
        """Close what is open."""
        for session in list(self._living):
            with contextlib.suppress(OSError):
                session.socket.shutdown(socket.SHUT_RDWR)

    def heard_since(self, moment: float) -> list[Beat]:
        """The heartbeats after that moment (monotonic)."""
        return [beat for beat in list(self.beats) if beat.at > moment]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._count += 1
                threading.Thread(target=self._serve, args=(sock, self._count), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        session = Session(sock, number)
        self._living.append(session)
        try:
            sock.settimeout(TALK_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                session.socket = self._context.wrap_socket(sock, server_side=True)
            # The board giving up is what most treatments wait for.
            if self._answered(session, Step.ACCEPT, b""):
                while self._take(session, session.packet()):
                    pass
        except (EOFError, OSError):
            pass
        finally:
            self._living.remove(session)
            session.socket.close()

    def _take(self, session: Session, packet: Packet) -> bool:
        """Answer one packet; False at the end of the connection."""
        match packet.kind:
            case Step.CONNECT:
                return self._answered(session, Step.CONNECT, b"\x20\x02\x00\x00")
            case Step.PINGREQ:
                return self._answered(session, Step.PINGREQ, b"\xd0\x00")
            case Step.SUBSCRIBE:
                topic = packet.body[4 : 4 + int.from_bytes(packet.body[2:4], "big")].decode()
                session.subscribed.add(topic)
                going_on = self._answered(session, Step.SUBSCRIBE, b"\x90\x03" + packet.id + b"\x00")
                if going_on and topic in self._retained:
                    session.send(message(topic, self._retained[topic], retain=True))
                return going_on
            case Step.PUBLISH:
                return self._published(session, packet)
        return packet.kind != DISCONNECT

    def _published(self, session: Session, packet: Packet) -> bool:
        if packet.flags & 1:
            self._retained[packet.topic] = packet.payload
        if packet.flags & 6 and not self._answered(session, Step.PUBLISH, b"\x40\x02" + packet.id):
            return False
        if packet.topic in session.subscribed:
            session.send(message(packet.topic, packet.payload))
        if packet.topic.endswith("/heartbeat"):
            self.beats.append(Beat(time.monotonic(), session.number, json.loads(packet.payload)))
            return self._answered(session, Step.BEAT, b"")
        return True

    def _answered(self, session: Session, step: Step, answer: bytes) -> bool:
        with self._lock:
            treatment = self._treatment if step == self._step and self.left else None
            if treatment is not None:
                self.left -= 1
                self.begun = self.begun or time.monotonic()
        if treatment is None:
            session.send(answer)
            return True
        return treatment(session, answer)


def message(topic: str, payload: bytes, *, retain: bool = False) -> bytes:
    """A PUBLISH at QoS 0."""
    name = topic.encode()
    return packet(0x31 if retain else 0x30, struct.pack("!H", len(name)) + name + payload)


def packet(head: int, body: bytes) -> bytes:
    """A packet with its length in front."""
    length, rest = bytearray(), len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length.append(digit | (128 if rest else 0))
        if not rest:
            return bytes([head]) + bytes(length) + body


def stall(after: int = 0) -> Treatment:
    """So many bytes of the answer, then silence."""

    def treatment(session: Session, answer: bytes) -> bool:
        session.send(answer[:after])
        session.wait_for_the_end()
        return False

    return treatment


def close(after: int = 0) -> Treatment:
    """So many bytes of the answer, then the end of the stream."""

    def treatment(session: Session, answer: bytes) -> bool:
        session.send(answer[:after])
        return False

    return treatment


def reset(after: int = 0) -> Treatment:
    """So many bytes of the answer, then a RST."""

    def treatment(session: Session, answer: bytes) -> bool:
        session.send(answer[:after])
        session.reset()
        return False

    return treatment


def late(seconds: float) -> Treatment:
    """The right answer, but late."""

    def treatment(session: Session, answer: bytes) -> bool:
        time.sleep(seconds)
        session.send(answer)
        return True

    return treatment


def instead(data: bytes) -> Treatment:
    """Something else in place of the answer; good again afterwards."""

    def treatment(session: Session, answer: bytes) -> bool:
        session.send(data)
        return True

    return treatment


def of(data: bytes, treatment: Treatment) -> Treatment:
    """The treatment, with this for the answer: for a packet that nobody asked for."""
    return lambda session, _: treatment(session, data)
