"""One run, from a board on a port to the firmware that lies on it. It can be run again from wherever it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from svitlo.flashing.console import ANSWER_S, RETURN_S, Console, Interpreter, differing
from svitlo.flashing.contents import FOLDERS, SLOT, stale
from svitlo.flashing.errors import BoardSilentError, FlashError
from svitlo.flashing.images import MINIMUM, Fetch, obtain
from svitlo.flashing.rom import loader
from svitlo.flashing.screen import Screen

WAKE_S = 8.0
FIRST_START_S = 30.0
"""How long a new MicroPython may take: it makes its file system first."""


@dataclass(frozen=True)
class Job:
    """What to do. erase: None means when no MicroPython was found. answer_s: how long a program may take to end."""

    port: str
    files: Mapping[str, bytes]
    cache: Path
    image: Path | None = None
    keep_micropython: bool = False
    erase: bool | None = None
    baud: int = 460_800
    answer_s: float = ANSWER_S
    fetch: Fetch | None = None


def load(job: Job, screen: Screen) -> Console:
    """Write what the job says; the board's console, ready for its restart. Raises `FlashError`."""
    console = _with_micropython(job, screen)
    try:
        _copy(job, console, screen)
    except BaseException:
        console.close()
        raise
    return console


def _with_micropython(job: Job, screen: Screen) -> Console:
    """Steps 1 and 2: a console with a MicroPython that is new enough."""
    screen.step("board")
    console = Console(job.port)
    try:
        found = console.interrupt(screen.board_says, job.answer_s)
        if found is not None:
            screen.result(f"{found.chip}, answers as {found}")
            screen.step("MicroPython")
            if found.version >= MINIMUM and not job.erase:
                screen.result(f"{found} is new enough, kept")
                return console
    except BaseException:
        console.close()
        raise
    console.close()
    if job.keep_micropython and found is not None:
        needed = f"{MINIMUM[0]}.{MINIMUM[1]}"
        raise FlashError(f"{found} is too old, the firmware needs {needed} or newer: leave --keep-micropython out")
    return _written(job, found, screen)


def _written(job: Job, found: Interpreter | None, screen: Screen) -> Console:
    """The board's console after MicroPython was written, or after a reset woke up the one that is there."""
    if found is None:
        with loader(job.port) as chip:
            name = chip.chip.name
            chip.restart()
        console = Console(job.port, RETURN_S)
        found = _asked(console, screen, WAKE_S)
        screen.result(f"{name}, {f'answers as {found} after a reset' if found else 'no MicroPython answers'}")
        screen.step("MicroPython")
        if found is not None and found.version >= MINIMUM and not job.erase:
            screen.result(f"{found} is new enough, kept")
            return console
        console.close()
        if job.keep_micropython:
            raise BoardSilentError(f"no MicroPython answers on {job.port}; leave --keep-micropython out, it is written")
    with loader(job.port) as chip:
        try:
            image = obtain(
                chip.chip, job.image, job.cache, lambda done, total: screen.progress("download", done, total), job.fetch
            )
        except BaseException:
            chip.restart()  # what ran on the board runs on
            raise
        # What another firmware has left where the files go, MicroPython would take for its own, damaged.
        erase = found is None if job.erase is None else job.erase
        chip.write(
            image, erase=erase, baud=job.baud, progress=lambda done, total: screen.progress("write", done, total)
        )
        chip.restart()
    console = Console(job.port, RETURN_S)
    found = _asked(console, screen, FIRST_START_S)
    if found is None:
        console.close()
        raise BoardSilentError(
            f"MicroPython was written, but does not answer on {job.port}: let go of BOOT (take IO0 off ground), press "
            "EN or plug the board in anew, and run the same command again"
        )
    screen.result(f"{found} written")
    return console


def _asked(console: Console, screen: Screen, timeout_s: float) -> Interpreter | None:
    try:
        return console.interrupt(screen.board_says, timeout_s, fresh=True)
    except BaseException:
        console.close()
        raise


def _copy(job: Job, console: Console, screen: Screen) -> None:
    """Step 3: exactly the job's files."""
    screen.step("firmware")
    console.take_over()
    found = console.inventory(FOLDERS)
    gone, wanted = stale(job.files, found), differing(job.files, found)
    for path in gone:
        console.remove(path)
    console.make_folder(SLOT)
    total = sum(len(job.files[path]) for path in wanted)
    done = 0
    for path in wanted:
        before = done
        console.write(path, job.files[path], lambda now, before=before: screen.progress("copy", before + now, total))  # type: ignore[misc]
        done += len(job.files[path])
    if wrong := differing(job.files, console.inventory(FOLDERS)):
        raise FlashError(f"the board's flash does not hold what was written ({', '.join(wrong)}): add --erase")
    notes = [f"{len(wanted)} of {len(job.files)} files written, {total / 1024:.0f} KiB"]
    if gone:
        notes.append(f"{len(gone)} old ones removed")
    screen.result(", ".join(notes))
