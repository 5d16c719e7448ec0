"""Signs of life for whoever supervises a service: its loop touches a file, a check looks at the file's age.

Run as `python -m svitlo.health`, or with the URL of a service that answers HTTP. It imports the standard library only,
because a supervisor runs it every few seconds next to each service.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

VARIABLE = "SVITLO_HEALTH_FILE"
"""Environment variable that names the file; unset: nobody watches."""

MAX_AGE_S = 60.0
"""Longer than any pause between two tries while the database or the broker is away: waiting is not being stuck."""

_EVERY_S = 1.0
_TIMEOUT_S = 4.0


class Pulse:
    """One service's beat."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self) -> None:
        """Say that the loop calling this still turns; cheap enough for every turn (one touch a second at most)."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY_S
        if name := os.environ.get(VARIABLE):
            with contextlib.suppress(OSError):  # a file that cannot be written shows in the check, not here
                Path(name).touch()


beat = Pulse()


async def keep_beating() -> None:
    """Beat until cancelled, for a service whose own loops may wait long: its event loop still turns."""
    import asyncio

    while True:
        beat()
        await asyncio.sleep(_EVERY_S)


def check(max_age_s: float = MAX_AGE_S) -> str | None:
    """None when the service beat within `max_age_s` seconds, else what is wrong in words."""
    name = os.environ.get(VARIABLE)
    if not name:
        return f"{VARIABLE} is not set"
    try:
        # The clock may be set while we run, in either direction.
        age = abs(time.time() - Path(name).stat().st_mtime)
    except OSError as error:
        return f"{name}: {error.strerror}"
    return None if age <= max_age_s else f"no sign of life for {age:.0f} s"


def check_url(url: str) -> str | None:
    """None when `url` answers 200, else what is wrong in words."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{url}: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"{url} answers {status}"


def main(arguments: list[str]) -> int:
    """The exit status of a check: 0 healthy, 1 not."""
    problem = check_url(arguments[0]) if arguments else check()
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
