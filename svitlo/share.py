"""Files the package brings along: in a wheel under `svitlo/_share`, in a checkout at the top."""

from __future__ import annotations

from pathlib import Path

from svitlo.errors import StackError

_PACKAGE = Path(__file__).resolve().parent


def shared(*parts: str) -> Path:
    """The path of a shipped file or folder, such as `shared("broker", "mosquitto.conf")`. Raises `StackError`."""
    for root in (_PACKAGE / "_share", _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise StackError(f"this installation lacks {'/'.join(parts)}; install svitlo again")
