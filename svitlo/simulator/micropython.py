"""Boards that run the real firmware: MicroPython's unix port as a child process, one working directory each."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from svitlo.firmware import LAUNCHER, bundle, compiled
from svitlo.simulator.umqtt import MicroPythonUnavailable, UmqttSource, umqtt_path

__all__ = [
    "BITTEN",
    "DESKTOP_HEAP",
    "RESET_CODES",
    "MicroPythonBoard",
    "MicroPythonUnavailable",
    "Reset",
    "UmqttSource",
    "compiled_desktop",
    "compiled_firmware",
    "environment",
    "firmware_path",
    "interpreter",
    "umqtt_path",
]

Reset = Literal["power_on", "hard", "watchdog", "deepsleep", "soft"]
RESET_CODES: dict[Reset, int] = {"power_on": 1, "hard": 2, "watchdog": 3, "deepsleep": 4, "soft": 5}
"""What the ESP32's machine.reset_cause() answers for each way a boot can begin."""

BITTEN = Path("world", "bitten")
"""What firmware/unix/shim_watchdog.py leaves in a board's directory when it bites."""

DESKTOP_HEAP = 18
"""Kilowords of heap that umqtt and the shims take: an ESP32 has them frozen or in C, outside the heap.

15 for themselves; 3 for the table of names, which doubles at 620 entries: the firmware alone stays below that.
"""

_RUN = "import sys, micropython_unix; sys.exit(micropython_unix.main())"


class MicroPythonBoard:
    """One board. Its directory is its flash: configuration, boot counter and console log stay there.

    TLS is on when ca_path is given (PEM or DER: the authority that signed the broker's certificate). heap is
    MicroPython's heap; 56wk is what an ESP32 has, scaled to this machine's word size. modules is the folder the
    firmware is imported from, script what starts it; by default the compiled firmware, and firmware/unix/run.py.
    more goes into config.json (pins, mains, ...).
    """

    def __init__(
        self,
        directory: Path,
        *,
        device_id: str,
        password: str,
        umqtt: UmqttSource,
        mqtt_host: str = "127.0.0.1",
        mqtt_port: int = 1883,
        interval_s: int = 10,
        keepalive_s: int = 10,
        ca_path: Path | None = None,
        heap: str = "56wk",
        modules: Path | None = None,
        script: Path | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        self.directory = directory
        self.device_id = device_id
        self.log_path = directory / "board.log"
        self._umqtt = umqtt
        self._heap = heap
        self._modules = modules
        self._script = script
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        config = {
            "v": 1,
            "device_id": device_id,
            "password": password,
            "mqtt": {"host": mqtt_host, "port": mqtt_port, "tls": ca_path is not None},
            "wifi": {"ssid": "desktop", "password": ""},
            "interval_s": interval_s,
            "keepalive_s": keepalive_s,
            **(more or {}),
        }
        _write_private(directory / "config.json", json.dumps(config).encode())
        if ca_path is not None:
            (directory / "ca.der").write_bytes(_der(ca_path.read_bytes()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def running(self) -> bool:
        """Whether the process lives, frozen or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process of the last start, if there was one."""
        return self._process.pid if self._process else None

    def world(self, name: str, value: object = None) -> None:
        """Set one thing of the board's surroundings (`pin-34`, `wifi`, ...); None takes it away."""
        folder = self.directory / "world"
        folder.mkdir(exist_ok=True)
        if value is None:
            (folder / name).unlink(missing_ok=True)
            return
        fresh = folder / f".{name}"
        fresh.write_text(str(value))
        fresh.replace(folder / name)

    def start(self, reset: Reset = "power_on") -> None:
        """Begin a boot. reset is what the board will give as its cause."""
        if self.running:
            raise RuntimeError(f"board {self.device_id} is running already")
        self._unplug_console()
        (self.directory / BITTEN).unlink(missing_ok=True)
        self.world("reset_cause", None if reset == "power_on" else RESET_CODES[reset])
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                interpreter(self._heap, self._script or firmware_path() / "unix" / "run.py"),
                cwd=self.directory,
                env=environment(self._umqtt, self._modules),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in our terminal is ours, not the board's
            )

    def kill(self) -> None:
        """Cut the power; nothing if it is off."""
        if self._process is not None and self.running:
            self._process.kill()
            self._process.wait()
        self._unplug_console()

    def freeze(self) -> None:
        """Stop the board without closing its connection: to the broker, a link gone dead."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen board go on."""
        self._signal(signal.SIGCONT)

    def goodbye(self, timeout_s: float = 30) -> int:
        """Press Ctrl-C on the board's console and wait for its end; returns the exit code, 0 when all went well.

        Raises TimeoutError if the board does not end in time; it then still runs.
        """
        if self._process is None or not self.running:
            raise RuntimeError(f"board {self.device_id} is not running")
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(b"\x03")
            self._process.stdin.flush()
        return self.wait(timeout_s)

    def wait(self, timeout_s: float) -> int:
        """Wait for a board that ends by itself (its configuration is wrong); returns the exit code.

        Raises TimeoutError if it does not end in time.
        """
        if self._process is None:
            raise RuntimeError(f"board {self.device_id} was never started")
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"board {self.device_id} did not end within {timeout_s:g} s") from None
        self._unplug_console()
        return code

    def restart_after_bite(self, timeout_s: float = 90) -> None:
        """Wait until the watchdog has bitten, and begin the boot that follows on a chip.

        Raises TimeoutError if it does not bite in time, RuntimeError if the board ended otherwise.
        """
        code = self.wait(timeout_s)
        if not (self.directory / BITTEN).exists():
            raise RuntimeError(f"board {self.device_id} ended with {code}, not by its watchdog")
        self.start("watchdog")

    def log_text(self) -> str:
        """The console so far, all boots."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _unplug_console(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or not self.running:
            raise RuntimeError(f"board {self.device_id} is not running")
        self._process.send_signal(number)


def interpreter(heap: str, script: Path) -> list[str]:
    """The command that runs a MicroPython script; heap ("56wk") is what the firmware has, the shims get theirs on top.

    Raises MicroPythonUnavailable.
    """
    if importlib.util.find_spec("micropython_unix") is None:
        raise MicroPythonUnavailable("MicroPython is not installed: pip install 'svitlo[demo]'")
    # -P keeps the board's directory off CPython's own path. The module run with -m would lose the exit code, and
    # its console script need not be on PATH.
    return [
        sys.executable,
        "-P",
        "-c",
        _RUN,
        "-X",
        f"heapsize={int(heap.removesuffix('wk')) + DESKTOP_HEAP}wk",
        str(script),
    ]


def environment(umqtt: UmqttSource, modules: Path | None = None) -> dict[str, str]:
    """The environment a board runs in: ours, with the firmware (modules if given) and its shims to import from."""
    desktop = firmware_path() / "unix"
    folders = [modules or compiled_firmware(), compiled_desktop(umqtt.path.resolve()), desktop, ".frozen"]
    return {**os.environ, "MICROPYPATH": ":".join(map(str, folders))}


@cache
def compiled_firmware() -> Path:
    """The firmware as it lies on a board, for the life of this process: the launcher, and the modules compiled.

    From source it would need more heap to compile than it needs to run.
    """
    path = _scratch()
    for name, data in bundle().files.items():
        (path / name).write_bytes(data)
    shutil.copy(firmware_path() / "micropython" / LAUNCHER, path)
    return path


@cache
def compiled_desktop(umqtt: Path) -> Path:
    """What an ESP32 has in C or frozen, compiled, for the life of this process: the shims and umqtt.simple."""
    path = _scratch()
    for name, data in compiled(firmware_path() / "unix").items():
        (path / name).write_bytes(data)
    shutil.copytree(umqtt / "umqtt", path / "umqtt")
    for name, data in compiled(path / "umqtt").items():
        (path / "umqtt" / name).write_bytes(data)
        (path / "umqtt" / name).with_suffix(".py").unlink()
    return path


def _scratch() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="svitlo-boards-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def firmware_path() -> Path:
    """The firmware's folder: in an installed wheel, or next to the packages of a checkout."""
    packages = Path(__file__).resolve().parents[1]
    for folder in (packages / "_share" / "firmware", packages.parent / "firmware"):
        if (folder / "micropython" / "main.py").is_file():
            return folder
    raise MicroPythonUnavailable("the firmware is not part of this installation")


def _der(certificate: bytes) -> bytes:
    if b"-----BEGIN CERTIFICATE-----" in certificate:
        return ssl.PEM_cert_to_DER_cert(certificate.decode().strip())
    return certificate


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
