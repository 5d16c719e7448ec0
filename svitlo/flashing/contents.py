"""What lies on the board's flash when it is done, and what of an older firmware has to go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from svitlo.firmware import bundle
from svitlo.share import shared

SLOT = "a"
FOLDERS = (SLOT, "b", "state")
"""The folders that are the firmware's own."""

LAUNCHER = "main.py"
CONFIG = "config.json"
CA = "ca.der"

_KEPT = ("state/boots",)
_FORMER = ("wifi",)
"""Modules that older versions had."""


def contents(config: Mapping[str, Any], ca: bytes | None) -> dict[str, bytes]:
    """Every file by its path, in the order to write them: a board cut off half-way has no configuration to live by.

    Raises `StackError` when the firmware cannot be compiled here.
    """
    files = {f"{SLOT}/{name}": data for name, data in sorted(bundle().files.items())}
    files[LAUNCHER] = shared("firmware", "micropython", LAUNCHER).read_bytes()
    if ca is not None:
        files[CA] = ca
    files[CONFIG] = json.dumps(config, ensure_ascii=False).encode()
    return files


def stale(wanted: Mapping[str, bytes], found: Iterable[str]) -> list[str]:
    """Of the files found, those that must go: the other slot, what an update left, the former flat layout."""
    modules = {path.partition("/")[2].partition(".")[0] for path in wanted if path.startswith(f"{SLOT}/")}
    gone = []
    for path in found:
        folder, slash, name = path.rpartition("/")
        flat = not slash and name.endswith((".py", ".mpy")) and name.partition(".")[0] in modules.union(_FORMER)
        left = not slash and (name in (CA, "update.part") or name.endswith(".new"))
        if path not in wanted and path not in _KEPT and (folder in FOLDERS or flat or left):
            gone.append(path)
    return sorted(gone)
