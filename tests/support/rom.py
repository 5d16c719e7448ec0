"""The loader in an ESP32's ROM and esptool's flasher stub, as far as esptool can see them: bytes in, bytes out.

Its flash is kept as flash is: a write only clears bits, so what was not erased first comes out wrong.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

END = 0xC0
FLASH_SIZE = 4 * 1024 * 1024
SECTOR = 4096
SYNC = b"\xc0\x00\x08\x24\x00"
"""How each conversation with the loader begins."""

_OK, _FAILED = b"\x00\x00", b"\x01\x05"


@dataclass(frozen=True)
class Kind:
    """A kind of chip: where its image begins, and where esptool looks things up."""

    name: str
    image_id: int
    offset: int
    magic: int
    spi: int
    usr2: int
    w0: int
    tells_security: bool


ESP32 = Kind("ESP32", 0, 0x1000, 0x00F01D83, 0x3FF42000, 0x24, 0x80, False)
ESP32_C3 = Kind("ESP32-C3", 5, 0x0, 0, 0x60002000, 0x20, 0x58, True)


class Rom:
    """One chip in its loader. `commands` names what was asked, in order."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.flash = bytearray(b"\xff" * FLASH_SIZE)
        self.commands: list[int] = []
        self.erased = 0
        self.stub = False
        self._registers: dict[int, int] = {0x40001000: kind.magic}
        self._packet: bytearray | None = None
        self._at = 0
        self._inflate = zlib.decompressobj()
        self._handlers: dict[int, Callable[[bytes], bytes | None]] = {
            0x02: self._flash_begin,
            0x03: self._flash_data,
            0x04: lambda _: b"",
            0x05: lambda _: b"",
            0x06: lambda _: b"",
            0x07: self._checked,
            0x08: lambda _: b"",
            0x09: self._write_register,
            0x0A: lambda _: b"",
            0x0B: lambda _: b"",
            0x0D: lambda _: b"",
            0x0F: lambda _: b"",
            0x10: self._flash_begin,
            0x11: self._flash_packed,
            0x12: lambda _: b"",
            0x13: self._md5,
            0x14: self._security,
            0xD0: self._erase_all,
        }

    @property
    def idle(self) -> bool:
        """Whether it is between two packets."""
        return self._packet is None

    def feed(self, data: bytes) -> bytes:
        """What the chip answers to these bytes."""
        answer = b""
        for byte in data:
            if byte != END:
                if self._packet is not None:
                    self._packet.append(byte)
            elif self._packet:
                packet = bytes(self._packet).replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
                self._packet = None
                answer += self._answer(packet)
            else:
                self._packet = bytearray()
        return answer

    def _answer(self, packet: bytes) -> bytes:
        direction, op, size, _check = struct.unpack_from("<BBHI", packet)
        body = packet[8:]
        if direction != 0 or size != len(body):
            return b""
        self.commands.append(op)
        if op == 0x08:
            self.stub = False  # who says SYNC has reset the chip
            return _slip(struct.pack("<BBHI", 1, op, 4, 0x20120707) + bytes(4)) * 8
        handler = self._handlers.get(op)
        result = handler(body) if handler is not None else None
        value = self._registers.get(struct.unpack_from("<I", body)[0], 0) if op == 0x0A else 0
        status = (_FAILED if result is None else _OK) + (b"" if self.stub else bytes(2))
        data = (result or b"") + status
        answer = _slip(struct.pack("<BBHI", 1, op, len(data), value) + data)
        if op == 0x06 and not self.stub:
            self.stub = True
            answer += _slip(b"OHAI")
        return answer

    def _write_register(self, body: bytes) -> bytes:
        address, value = struct.unpack_from("<II", body)
        if address == self.kind.spi and value & 1 << 18:
            self._spi_command()
        else:
            self._registers[address] = value
        return b""

    def _spi_command(self) -> None:
        command = self._registers.get(self.kind.spi + self.kind.usr2, 0) & 0xFF
        sfdp = 0x50444653 if self._registers.get(self.kind.spi + 4, 0) == 0 else 0
        self._registers[self.kind.spi + self.kind.w0] = {0x9F: 0x1640EF, 0x5A: sfdp}.get(command, 0)

    def _flash_begin(self, body: bytes) -> bytes:
        size, _blocks, _block, self._at = struct.unpack_from("<IIII", body)
        self._inflate = zlib.decompressobj()
        start, end = self._at // SECTOR * SECTOR, -(-(self._at + size) // SECTOR) * SECTOR
        self.flash[start:end] = b"\xff" * (end - start)
        return b""

    def _checked(self, body: bytes) -> bytes | None:
        (size,) = struct.unpack_from("<I", body)
        return b"" if len(body) == 16 + size else None

    def _flash_data(self, body: bytes) -> bytes | None:
        return self._program(body[16:]) if self._checked(body) is not None else None

    def _flash_packed(self, body: bytes) -> bytes | None:
        return self._program(self._inflate.decompress(body[16:])) if self._checked(body) is not None else None

    def _program(self, data: bytes) -> bytes:
        end = self._at + len(data)
        old = int.from_bytes(self.flash[self._at : end], "big")
        self.flash[self._at : end] = (old & int.from_bytes(data, "big")).to_bytes(len(data), "big")
        self._at = end
        return b""

    def _md5(self, body: bytes) -> bytes:
        address, size = struct.unpack_from("<II", body)
        digest = hashlib.md5(self.flash[address : address + size])
        return digest.digest() if self.stub else digest.hexdigest().encode()

    def _security(self, _body: bytes) -> bytes | None:
        return struct.pack("<I8BII", 0, *bytes(8), self.kind.image_id, 0) if self.kind.tells_security else None

    def _erase_all(self, _body: bytes) -> bytes | None:
        if not self.stub:
            return None
        self.flash[:] = b"\xff" * FLASH_SIZE
        self.erased += 1
        return b""


def make_image(kind: Kind, version: str = "1.28.0", size: int = 300 * 1024) -> bytes:
    """A file that passes for a MicroPython image of this chip."""
    noise = hashlib.shake_256(f"{kind.name} {version}".encode()).digest(size)
    data = bytearray(byte & 0x3F for byte in noise)  # packs to three quarters, so that it goes over in pieces
    data[:24] = bytes([0xE9, 1, 2, 0x20]) + bytes(8) + kind.image_id.to_bytes(2, "little") + bytes(10)
    table = 0x8000 - kind.offset
    data[table : table + 2] = b"\xaa\x50"
    banner = f"MicroPython v{version} on 2026-04-06; Generic module with {kind.name.replace('-', '')}\0".encode()
    data[0x20000 : 0x20000 + len(banner)] = banner
    return bytes(data)


def _slip(packet: bytes) -> bytes:
    return b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"
