"""An ESP32 on a serial port: a pty whose other end is a loader, MicroPython's REPL, or the real firmware.

What is in the chip's flash decides what starts: nothing, MicroPython, MicroPython with a main.py. The REPL's commands
run on a real MicroPython in the directory that stands for the flash's file system. A pty has no reset lines: a SYNC
stands for the reset into the loader, the first word that is none of the loader's for the reset out of it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import select
import shutil
import subprocess
import threading
import tty
from pathlib import Path

from svitlo.simulator.micropython import UmqttSource, environment, firmware_path, interpreter
from tests.support.rom import SYNC, Kind, Rom

RESET = 77
WINDOW = 128
_BANNER = re.compile(rb"MicroPython v[^\0]*")
_NUMBERS = itertools.count(1)
_RAW = b"raw REPL; CTRL-B to exit\r\n>"


class Board:
    """One board, plugged in until `unplug`. `port` is where it is; `files` its file system."""

    def __init__(self, files: Path, umqtt: UmqttSource, kind: Kind, image: bytes | None = None) -> None:
        self.files = files
        self.rom = Rom(kind)
        self.heard = bytearray()
        self.said = bytearray()
        self.boots = 0
        self.stop_after: int | None = None
        """Unplug after so many bytes more from the host."""
        self.deaf_boots = 0
        """So many programs hang until a reset: Ctrl-C does not reach them."""
        self.resets_when_opened = False
        """The bridge resets the board when the port opens, and what is said meanwhile is lost."""
        self._umqtt = umqtt
        if image is not None:
            self.rom.flash[kind.offset : kind.offset + len(image)] = image
        files.mkdir(parents=True, exist_ok=True)
        self._master, slave = os.openpty()
        tty.setraw(slave)
        # By a name of its own: that of a pty goes to the next one, in any worker, while somebody still tries it.
        self._link = files.with_name(f"tty-{next(_NUMBERS)}")
        self._link.symlink_to(os.ttyname(slave))
        self.port = str(self._link)
        self._slave = slave  # kept open, or each close of the other side would end us
        self._mode = "off"
        self._child: subprocess.Popen[bytes] | None = None
        self._line = bytearray()
        self._paste = 0
        self._ends = 0
        self._wake, self._poke = os.pipe()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)
        self._start()
        self._thread.start()

    def unplug(self) -> None:
        """Take the cable out."""
        os.write(self._poke, b"x")
        self._thread.join(10)

    def tree(self) -> dict[str, bytes]:
        """The files, without the surroundings of the desktop's shims."""
        return {
            str(path.relative_to(self.files)): path.read_bytes()
            for path in sorted(self.files.rglob("*"))
            if path.is_file() and "world" not in path.parts
        }

    def _run(self) -> None:
        try:
            while True:
                sources = [self._master, self._wake]
                if self._child is not None and self._child.stdout is not None:
                    sources.append(self._child.stdout.fileno())
                ready, _, _ = select.select(sources, [], [])
                if self._wake in ready:
                    return
                if self._master in ready:
                    data = os.read(self._master, 4096)
                    self.heard += data
                    if self.stop_after is not None:
                        self.stop_after -= len(data)
                        if self.stop_after <= 0:
                            return
                    self._hear(data)
                elif ready:
                    self._hear_child()
        finally:
            self._end_child()
            self._link.unlink(missing_ok=True)
            os.close(self._slave)
            os.close(self._master)

    def _say(self, data: bytes) -> None:
        self.said += data
        while data:
            data = data[os.write(self._master, data) :]

    def _start(self, reset: int | None = None) -> None:
        """What a reset starts."""
        self._end_child()
        self.boots += 1
        kind = self.rom.kind
        if self.rom.flash[kind.offset] != 0xE9:
            self._mode = "blank"
            return
        if reset != 5:
            self._say(b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nentry 0x400806ac\r\n")
        world = self.files / "world"
        world.mkdir(exist_ok=True)
        if reset is None:
            (world / "reset_cause").unlink(missing_ok=True)
        else:
            (world / "reset_cause").write_text(str(reset))
        if (self.files / "main.py").exists():
            self._mode = "program"
            self._spawn(firmware_path() / "unix" / "run.py")
        else:
            self._repl()

    def _repl(self, banner: bool = True) -> None:
        self._mode = "friendly"
        self._line.clear()
        self._say(self._banner() if banner else b">>> ")

    def _banner(self) -> bytes:
        found = _BANNER.search(self.rom.flash)
        assert found is not None
        return found[0] + b'\r\nType "help()" for more information.\r\n>>> '

    def _spawn(self, script: Path) -> None:
        self._end_child()
        self._child = subprocess.Popen(
            interpreter("256wk", script),
            cwd=self.files,
            env=environment(self._umqtt, self.files),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _end_child(self) -> int | None:
        child, self._child = self._child, None
        if child is None:
            return None
        child.kill()
        code = child.wait()
        for end in (child.stdin, child.stdout):
            if end is not None:
                with contextlib.suppress(BrokenPipeError):
                    end.close()
        return code

    def _hear(self, data: bytes) -> None:
        if self.resets_when_opened:
            self.resets_when_opened = False
            self._start(reset=1)
            return
        if SYNC in data:
            self._end_child()
            self._mode = "loader"
        if self._mode == "loader":
            if self.rom.idle and data.startswith(b"\r"):
                self._start(reset=1)
            else:
                erased = self.rom.erased
                self._say(self.rom.feed(data))
                if self.rom.erased != erased:
                    shutil.rmtree(self.files)
                    self.files.mkdir()
                return
        if self._mode == "blank":  # it restarts for ever, and says so each time
            self._say(b"invalid header: 0xffffffff\r\n" * 3)
            return
        for byte in data:
            if self._mode == "program":
                if byte == 3 and self._child is not None and self.boots > self.deaf_boots:
                    self._type(b"\x03")
                elif byte != 3:
                    self._line.append(byte)
            elif self._mode == "friendly":
                self._friendly(byte)
            elif self._mode == "raw":
                self._raw(byte)
            elif self._mode == "paste":
                self._pasted(byte)

    def _hear_child(self) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        data = os.read(self._child.stdout.fileno(), 4096)
        if data:
            self._say(data.replace(b"\n", b"\r\n"))
            if self._mode in ("raw", "busy"):
                self._ends += data.count(b"\x04")
                if self._ends >= 2:
                    self._ends = 0
                    self._mode = "raw"
                    self._say(b">")
            return
        code = self._child.wait()
        program = self._mode == "program"
        self._end_child()
        if code == RESET and not program:
            self._start(reset=2)
        elif program:
            waiting = bytes(self._line)
            self._repl()
            self._hear(waiting)

    def _friendly(self, byte: int) -> None:
        if byte == 1:
            self._mode = "raw"
            self._line.clear()
            self._say(_RAW)
        elif byte == 2:
            self._say(b"\r\n" + self._banner())
        elif byte == 4:
            self._say(b"MPY: soft reboot\r\n")
            self._start(reset=5)
        elif byte in (3, 13):
            self._say(b"\r\n>>> ")

    def _raw(self, byte: int) -> None:
        if byte == 1 and bytes(self._line) == b"\x05A":
            self._line.clear()
            self._mode, self._paste = "paste", WINDOW
            self._say(b"R\x01" + bytes([WINDOW, 0, 1]))
        elif byte == 1:
            self._say(_RAW)
        elif byte == 2:
            self._end_child()
            self._mode = "friendly"
            self._say(b"\r\n" + self._banner())
        elif byte == 3:
            self._line.clear()
        elif byte == 4 and not self._line:
            self._end_child()
            self._say(b"OK\r\nMPY: soft reboot\r\n" + _RAW)
        elif byte == 4:
            self._say(b"OK")
            self._execute()
        else:
            self._line.append(byte)

    def _pasted(self, byte: int) -> None:
        if byte in (3, 4):
            self._say(b"\x04")
            if byte == 3:
                self._line.clear()
                self._mode = "raw"
                self._say(b"\x04\x04>")
            else:
                self._execute()
            return
        self._line.append(byte)
        self._paste -= 1
        if self._paste == 0:
            self._paste = WINDOW
            self._say(b"\x01")

    def _execute(self) -> None:
        code = bytes(self._line)
        self._line.clear()
        self._mode, self._ends = "busy", 0
        if self._child is None:
            self._spawn(Path(__file__).parent / "raw_repl_mpy.py")
        self._type(len(code).to_bytes(4, "big") + code)

    def _type(self, data: bytes) -> None:
        assert self._child is not None
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended meanwhile, which is heard next
            self._child.stdin.write(data)
            self._child.stdin.flush()
