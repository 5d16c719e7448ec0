"""What may be written down of an error: its kind and where it was, never its words, which may hold a person's."""

from __future__ import annotations

import traceback
from pathlib import Path

DEEP = 8
"""Frames of a trace that are told: the innermost ones of our own, and where it happened."""


def trace(error: BaseException) -> str:
    """The kinds of an error and of what led to it, the last first, each with the way there: `file:line name`."""
    told: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(told) < DEEP:
        frames = list(traceback.extract_tb(seen.__traceback__))
        frames = [*(frame for frame in frames[:-1] if "site-packages" not in frame.filename), *frames[-1:]][-DEEP:]
        way = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
        told.append(f"{type(seen).__name__} ({way})")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "; from ".join(told)
