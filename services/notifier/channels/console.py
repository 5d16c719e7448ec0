"""The console: alerts as paragraphs on standard output, for a start without any account anywhere."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from services.notifier.channels.base import Address, Said, TryLaterError
from svitlo.contracts import EventKind

_COLOURS = {
    EventKind.POWER_LOST: "33",
    EventKind.POWER_RESTORED: "32",
    EventKind.OUTAGE_REVISED: "36",
    EventKind.UNSTABLE: "35",
    EventKind.STABLE: "36",
}


class ConsoleChannel:
    """Prints alerts; coloured only on a terminal (and not where NO_COLOR is set)."""

    platform = "console"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._colour = self._stream.isatty() and not os.environ.get("NO_COLOR")

    def escape(self, text: str) -> str:
        """A terminal needs no markup; names hold printable characters only."""
        return text

    async def send(self, chat: Address, said: Said, kind: EventKind | None = None) -> int | None:
        """Print one message. Raises `TryLaterError` when nobody reads our output."""
        headline, _, rest = said.text.partition("\n")
        if self._colour and kind in _COLOURS:
            headline = f"\x1b[{_COLOURS[kind]}m{headline}\x1b[0m"
        paragraph = "\n   ".join([headline, *rest.splitlines()]) + "\n"
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(paragraph.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except OSError as error:
            raise TryLaterError(f"standard output cannot be written: {error.strerror}") from error
        return None

    async def close(self) -> None:
        """Nothing to let go of."""
