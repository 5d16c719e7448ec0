"""A supervised child process: started, watched, started again with growing pauses, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from svitlo.errors import StackError

log = logging.getLogger(__name__)

LOG_BYTES = 5_000_000
STEADY_S = 20.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STARTING_PAUSE_S = 2.0
"""While the stack has never been ready somebody waits for it, so pauses stay short."""

OutputHandler = Callable[[str, str], None]
"""Called with the child's name and one line of its output."""


class LogFile:
    """A log file that is turned over at `LOG_BYTES`; a disk that is full costs lines, nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._said = False

    def write(self, line: bytes) -> None:
        """Append a line."""
        try:
            with self._path.open("ab") as handle:
                handle.write(line)
                full = handle.tell() > LOG_BYTES
            if full:
                self._path.replace(self._path.with_suffix(".log.1"))
            self._said = False
        except OSError as error:
            if not self._said:
                log.warning("%s cannot be written (%s); lines are lost until it can", self._path, error.strerror)
            self._said = True


class Child:
    """One process that should always run. `prepare` is called before each start (not in the event loop's thread)."""

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        owner: tuple[int, int] | None = None,
        prepare: Callable[[], None] | None = None,
        on_line: OutputHandler | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self._command = command
        self._log = LogFile(log_path)
        self._env = dict(env) if env is not None else None
        self._owner = owner
        self._prepare = prepare
        self._on_line = on_line
        self._stop_signal = stop_signal
        self._process: asyncio.subprocess.Process | None = None
        self._pumped: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self.stopping = False
        self.settled = False

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the process once. Raises `StackError` when it cannot be started."""
        if self._prepare is not None:
            await asyncio.to_thread(self._prepare)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd="/",
                env=self._env,
                start_new_session=True,  # Ctrl-C goes to the supervisor, which ends its children in order
                user=self._owner[0] if self._owner else None,
                group=self._owner[1] if self._owner else None,
                extra_groups=[] if self._owner else None,
            )
        except OSError as error:
            raise StackError(f"{self.name} cannot be started: {error}") from error
        self._pumped = asyncio.create_task(self._pump(), name=f"output of {self.name}")

    async def watch(self, changed: Callable[[], None]) -> None:
        """Start the process again whenever it ends, until `stop`. `changed` is called at each new process."""
        pause = FIRST_PAUSE_S
        while True:
            assert self._process is not None, "start comes first"
            began = time.monotonic()
            code = await self._process.wait()
            if self.stopping:
                return
            if time.monotonic() - began > STEADY_S:
                pause = FIRST_PAUSE_S
            while True:
                log.warning("%s ended (%s); starting it again in %.1f s", self.name, _ending(code), pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S if self.settled else STARTING_PAUSE_S)
                try:
                    async with self._starting:
                        if self.stopping:
                            return
                        await self.start()
                    break
                except StackError as error:
                    log.warning("%s", error)
            changed()

    async def stop(self, timeout_s: float = 10.0) -> None:
        """End the process: its stop signal, then SIGKILL after `timeout_s`."""
        self.stopping = True
        async with self._starting:  # what is being started just now has to be ended too
            process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self._stop_signal)
            try:
                async with asyncio.timeout(timeout_s):
                    await process.wait()
            except TimeoutError:
                log.warning("%s did not end within %.0f s; killing it", self.name, timeout_s)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._pumped is not None:
            await asyncio.wait({self._pumped}, timeout=2)

    async def _pump(self) -> None:
        """Copy the output to the log file and to whoever shows it."""
        assert self._process is not None
        stream = self._process.stdout
        assert stream is not None
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                continue  # a line longer than the buffer; its end comes as the next line
            if not line:
                return
            # Whatever happens to a line, the next one is read: a child whose output nobody takes stands still.
            try:
                self._log.write(line)
                if self._on_line is not None:
                    self._on_line(self.name, line.decode("utf-8", errors="replace").rstrip("\n"))
            except Exception:
                log.exception("a line of %s could not be shown", self.name)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def remember(path: Path, pids: Mapping[str, int | None]) -> None:
    """Note which processes are ours, so that the next start can end what a killed supervisor left behind."""
    found = []
    for name, pid in pids.items():
        if pid is not None:
            with contextlib.suppress(psutil.Error):
                found.append({"name": name, "pid": pid, "born": psutil.Process(pid).create_time()})
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(found), encoding="utf-8")
    partial.replace(path)


def end_leftovers(path: Path) -> list[str]:
    """End the processes noted by `remember` that still run; returns their names."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    ended, processes = [], []
    for entry in noted:
        try:
            process = psutil.Process(entry["pid"])
            # A process id alone may by now be somebody else's.
            if abs(process.create_time() - entry["born"]) < 0.01 and process.pid != os.getpid():
                process.send_signal(signal.SIGINT if entry["name"] == "postgres" else signal.SIGTERM)
                processes.append(process)
                ended.append(str(entry["name"]))
        except (psutil.Error, KeyError, TypeError):
            continue
    _, alive = psutil.wait_procs(processes, timeout=12)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    path.unlink(missing_ok=True)
    return ended
