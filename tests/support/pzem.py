"""A PZEM-004T v3 on a unix socket: what a board's world/uart-N may name."""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

REQUEST = bytes.fromhex("f8040000000a6464")


def crc16(data: bytes) -> bytes:
    """Modbus's CRC as it stands on the wire (Modbus over serial line 1.02, section 6.2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


def answer(volts: float, *, address: int = 0xF8, amperes: float = 0.5, hertz: float = 50.0) -> bytes:
    """What the meter answers: ten registers; those of 32 bits come low half first."""
    milliamperes, deciwatts, watt_hours = round(amperes * 1000), round(volts * amperes * 10), 123_456
    registers = [round(volts * 10)]
    for wide in (milliamperes, deciwatts, watt_hours):
        registers += [wide & 0xFFFF, wide >> 16]
    registers += [round(hertz * 10), 100, 0]
    frame = bytes([address, 4, 20]) + struct.pack(">10H", *registers)
    return frame + crc16(frame)


def fault(code: int = 4, *, address: int = 0xF8) -> bytes:
    """What it answers when it cannot."""
    frame = bytes([address, 0x84, code])
    return frame + crc16(frame)


class Pzem:
    """The meter. `volts` is what it measures; None: the mains is gone, and the meter with it."""

    def __init__(self, volts: float | None = 230.0) -> None:
        self.volts = volts
        self.asked = 0
        self._folder = tempfile.mkdtemp(prefix="pzem-")  # a socket's path has to be short
        self.path = str(Path(self._folder) / "uart")
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(self.path)
        self._server.listen()
        self._wires: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for end in (self._server, *self._wires):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._server.accept()
                self._wires.append(wire)
                threading.Thread(target=self._talk, args=(wire,), daemon=True).start()

    def _talk(self, wire: socket.socket) -> None:
        pending = b""
        with contextlib.suppress(OSError):
            while data := wire.recv(64):
                pending += data
                while REQUEST in pending:
                    pending = pending.split(REQUEST, 1)[1]
                    self.asked += 1
                    if (volts := self.volts) is not None:
                        wire.sendall(answer(volts))
