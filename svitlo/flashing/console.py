"""MicroPython on the board, through mpremote: interrupt what runs, read and write files, listen to the console."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from svitlo.flashing.errors import FlashError, PortLostError
from svitlo.flashing.ports import why_not

Say = Callable[[str], None]

ANSWER_S = 15.0
"""How long a running firmware may take for its goodbye on a bad link."""
RETURN_S = 10.0
"""How long a port may be away while a board with a USB of its own restarts."""
ASK_AGAIN_S = 1.5
PIECE = 512

_CTRL_C = b"\r\x03"
_CTRL_B = b"\x02"
_BANNER = re.compile(rb"MicroPython v?(\d+)\.(\d+)(\S*) on [^;\r\n]*; [^\r\n]*with ([\w-]+)")
_NOT_PYTHON = re.compile(rb"invalid header: 0x|waiting for download|No bootable app|flash read err")
_NOISE = re.compile(
    r">>>|MicroPython v|Type \"help|ets |ESP-ROM:|Build:|rst:0x|configsip|clk_drv|SPIWP|mode:|load:0x|entry 0x"
)
_STARTS = re.compile(rb"rst:0x[0-9a-f]+ \(")

# In the folders that are ours every file counts; of the rest of the flash only the root is looked at.
_INVENTORY = """
import os, hashlib, binascii
def _show(folder, deep):
    try:
        entries = list(os.ilistdir(folder) if folder else os.ilistdir())
    except OSError:
        return
    for entry in entries:
        path = folder + '/' + entry[0] if folder else entry[0]
        if entry[1] & 0x4000:
            if path in deep:
                _show(path, deep)
        else:
            digest = hashlib.sha256()
            with open(path, 'rb') as file:
                while True:
                    piece = file.read(512)
                    if not piece:
                        break
                    digest.update(piece)
            print(binascii.hexlify(digest.digest()).decode(), path)
_show('', %r)
"""

# A firmware that ended badly has left its watchdog armed, and the ESP32's cannot be stopped, only stretched.
_RELAX = "import machine\ntry:\n machine.WDT(timeout=3600000)\nexcept Exception:\n pass"


@dataclass(frozen=True)
class Interpreter:
    """The MicroPython that answered, and on which chip."""

    version: tuple[int, int]
    suffix: str
    chip: str

    def __str__(self) -> str:
        return f"MicroPython {self.version[0]}.{self.version[1]}{self.suffix}"


class Console:
    """The board's console on an open port."""

    def __init__(self, port: str, patience_s: float = 0) -> None:
        """patience_s: how long the port may not be there yet. Raises `FlashError` when it cannot be opened."""
        from mpremote.transport import TransportError  # type: ignore[import-untyped]
        from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]

        self.port = port
        self._rest = b""
        until = time.monotonic() + patience_s
        while True:
            try:
                # With a time-out, or a read on a line that went silent would never end.
                self._transport: Any = SerialTransport(port, timeout=5)
            except TransportError as error:
                if time.monotonic() >= until:
                    raise why_not(port) from error
                time.sleep(0.2)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the port."""
        with contextlib.suppress(OSError):
            self._transport.close()
        with contextlib.suppress(OSError):  # of a port that is gone the reset lines cannot be let go
            self._transport.serial.close()

    def interrupt(self, say: Say, timeout_s: float = ANSWER_S, *, fresh: bool = False) -> Interpreter | None:
        """Press Ctrl-C and wait for MicroPython's prompt; None when it does not come. fresh: the board just starts.

        Ctrl-C is pressed once: our firmware says goodbye to the broker first, and a second one would cut that off
        before it has stretched its watchdog. A board that starts may miss it, so there it is pressed again and again.
        Ctrl-B, which asks for the banner, does no harm to a program that runs.
        """
        with self._held("it was interrupted"):
            serial, seen, shown = self._transport.serial, b"", 0
            until = time.monotonic() + timeout_s
            serial.write(_CTRL_C + _CTRL_B)
            asked = time.monotonic()
            while time.monotonic() < until:
                seen += self._read()
                shown = _say_lines(seen, shown, say)
                banner = _BANNER.search(seen)
                if banner and seen.endswith(b">>> "):
                    return Interpreter((int(banner[1]), int(banner[2])), banner[3].decode(), banner[4].decode())
                if banner is None and _NOT_PYTHON.search(seen):
                    return None
                fresh = fresh or _STARTS.search(seen) is not None  # some bridges reset the board as the port opens
                if time.monotonic() - asked > ASK_AGAIN_S:
                    serial.write(_CTRL_C + _CTRL_B if fresh else _CTRL_B)
                    asked = time.monotonic()
        return None

    def take_over(self) -> None:
        """Let MicroPython take commands, with a fresh heap and no watchdog that bites. Raises `FlashError`."""
        with self._held("files were copied"):
            self._transport.enter_raw_repl(soft_reset=True)
            self._transport.exec(_RELAX)

    def inventory(self, folders: tuple[str, ...]) -> dict[str, str]:
        """SHA-256 (hex) of each file in the root and in these folders, by path."""
        with self._held("files were read"):
            # One command may take a while: the whole of a slot is read.
            shown, error = self._transport.exec_raw(_INVENTORY % (folders,), timeout=60)
        if error:
            raise FlashError(f"the board's files cannot be read ({_last_line(error)}); add --erase to begin anew")
        lines = (line.split(" ", 1) for line in shown.decode().splitlines() if line)
        return {path: digest for digest, path in lines}

    def make_folder(self, path: str) -> None:
        """Make a folder if it is not there."""
        with self._held("files were copied"):
            self._transport.exec(f"import os\ntry:\n os.mkdir({path!r})\nexcept OSError:\n pass")

    def write(self, path: str, data: bytes, progress: Callable[[int], None]) -> None:
        """Write a file; progress takes how many bytes of it are written."""
        with self._held("files were copied", path):
            self._transport.fs_writefile(path, data, PIECE, lambda done, _total: progress(done))

    def remove(self, path: str) -> None:
        """Remove a file."""
        with self._held("files were removed", path):
            self._transport.fs_rmfile(path)

    def restart(self) -> None:
        """Restart the board, as its button does. Needs no reset line, so it works on every USB bridge."""
        with self._held("it was restarted"):
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        self._rest = b""

    def listen(self, say: Say) -> None:
        """Tell the whole lines that have come meanwhile; waits up to 0.2 s for one.

        A board with a USB of its own takes its port away while it restarts; it is opened anew when it is back.
        """
        try:
            if not self._transport.serial.is_open:
                self._transport.serial.open()
            self._rest += self._read()
        except OSError:
            self.close()
            time.sleep(0.2)
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            _say(line, say)

    def _read(self) -> bytes:
        serial = self._transport.serial
        until = time.monotonic() + 0.2
        while not (waiting := serial.in_waiting) and time.monotonic() < until:
            time.sleep(0.02)
        return bytes(serial.read(waiting)) if waiting else b""

    @contextmanager
    def _held(self, meanwhile: str, path: str = "") -> Iterator[None]:
        """Translate what mpremote raises, and keep what it prints to itself."""
        from mpremote.transport import TransportError, TransportExecError

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except TransportExecError as error:
            raise FlashError(_refused(path, error.error_output)) from error
        except TransportError as error:
            raise FlashError(
                f"MicroPython on {self.port} answered no more while {meanwhile} ({str(error).splitlines()[0]}); "
                "run the same command again, it goes on where it stopped"
            ) from error
        except OSError as error:
            if path and error.args[1:] == (path,):  # mpremote's way to say what the board's file system said
                raise FlashError(_refused(path, errno.errorcode.get(error.errno or 0, "OSError"))) from error
            raise PortLostError(
                f"the board went away from {self.port} while {meanwhile} (unplugged?); it holds a part of the firmware "
                "and may not start: plug it in and run the same command again, it goes on where it stopped"
            ) from error


def differing(wanted: Mapping[str, bytes], found: Mapping[str, str]) -> list[str]:
    """The paths of the wanted files that are not there or hold something else, in the order wanted."""
    return [path for path, data in wanted.items() if found.get(path) != hashlib.sha256(data).hexdigest()]


def _refused(path: str, reason: str) -> str:
    if "ENOSPC" in reason:
        return f"the board's flash is full at {path}; add --erase to begin with an empty one"
    return f"the board refused {path or 'a command'} ({_last_line(reason)}); add --erase to begin anew"


def _last_line(text: str | bytes) -> str:
    lines = (text.decode(errors="replace") if isinstance(text, bytes) else text).strip().splitlines()
    return lines[-1] if lines else "without a word"


def _say_lines(seen: bytes, shown: int, say: Say) -> int:
    end = seen.rfind(b"\n") + 1
    if end > shown:
        for line in seen[shown:end].split(b"\n"):
            _say(line, say)
    return max(end, shown)


def _say(line: bytes, say: Say) -> None:
    """One line for people; what is no line of a program is left out: prompts, the banner, what the chip's ROM says."""
    text = "".join(char for char in line.decode(errors="replace") if char.isprintable()).strip()
    if text and not _NOISE.match(text):
        say(text)
