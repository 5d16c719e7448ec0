"""The whole stack as a newcomer runs it: `svitlo up` as a process of its own, used through the command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil

from svitlo.simulator.micropython import MicroPythonBoard, UmqttSource
from svitlo.stack.child import end_leftovers
from tests.support.wait import eventually, free_port


class StackUnderTest:
    """`svitlo up` on free ports with a data directory of its own."""

    def __init__(self, directory: Path, **env: str) -> None:
        self.directory = directory
        self.http_port, self.mqtt_port = free_port(), free_port()
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("SVITLO_")} | env
        self._process: subprocess.Popen[bytes] | None = None
        self._out = directory.with_suffix(".out")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def start(self, timeout_s: float = 60) -> None:
        with self._out.open("ab") as out:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "svitlo", "up", "--data-dir", str(self.directory)),
                    *("--http-port", str(self.http_port), "--mqtt-port", str(self.mqtt_port)),
                ],
                env=self._env,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )
        eventually(self._announced, timeout_s, f"svitlo up is ready; it said: {self.output()}")

    def _announced(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"svitlo up ended: {self.output()}"
        try:
            return bool(json.loads((self.directory / "run" / "stack.json").read_text())["pid"] == self._process.pid)
        except (OSError, ValueError):
            return False

    def output(self) -> str:
        return self._out.read_text(errors="replace") if self._out.exists() else ""

    def log(self, name: str) -> str:
        return (self.directory / "log" / f"{name}.log").read_text(errors="replace")

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(45)

    def children(self) -> dict[str, int]:
        """Process ids of the stack's parts by name."""
        noted = json.loads((self.directory / "run" / "children.json").read_text())
        return {entry["name"]: entry["pid"] for entry in noted}

    def kill_everything(self) -> None:
        """kill -9 of the supervisor and every part."""
        pids = [self.pid, *self.children().values()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(20)
        left = []
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.append(psutil.Process(pid))
        psutil.wait_procs(left, timeout=10)

    def svitlo(self, *arguments: str, check: bool = True) -> str:
        """Run a command against this stack; its standard output (with standard error when it is allowed to fail)."""
        done = subprocess.run(
            [sys.executable, "-m", "svitlo", *arguments, "--data-dir", str(self.directory)],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    def json(self, *arguments: str, json_flag: bool = True) -> Any:
        return json.loads(self.svitlo(*arguments, *(("--json",) if json_flag else ())))

    def wait(self) -> int:
        assert self._process is not None
        return self._process.wait(40)

    def noted(self) -> bool:
        return (self.directory / "run" / "children.json").exists()

    def close(self) -> None:
        """End it if it still runs, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        elif self.noted():
            end_leftovers(self.directory / "run" / "children.json")

    def ready(self) -> bool:
        try:
            return httpx.get(self.http_url + "/readyz", timeout=15).status_code == 200
        except httpx.TransportError:
            return False

    def all_seen(self, count: int) -> bool:
        """Whether so many devices have been heard."""
        return sum(device["last_seen_at"] is not None for device in self.json("device", "list")) == count

    def get(self, path: str, key: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = httpx.get(self.http_url + path, headers=headers, timeout=15)
        answer.raise_for_status()
        return answer.json()

    def board(
        self,
        directory: Path,
        device: dict[str, str],
        umqtt: UmqttSource,
        *,
        port: int | None = None,
        ca_path: Path | None = None,
        more: dict[str, Any] | None = None,
        modules: Path | None = None,
    ) -> MicroPythonBoard:
        """A board with the credentials that `svitlo device add --json` printed; more goes into its config.json."""
        return MicroPythonBoard(
            directory,
            device_id=device["device_id"],
            password=device["password"],
            umqtt=umqtt,
            mqtt_host="127.0.0.1",
            mqtt_port=port or self.mqtt_port,
            ca_path=ca_path,
            interval_s=2,
            keepalive_s=5,
            more=more,
            modules=modules,
        )
