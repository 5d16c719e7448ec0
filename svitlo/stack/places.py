"""Where the embedded stack keeps what, and how the other commands find a running one."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from svitlo.errors import StackError
from svitlo.settings import BrokerAddress


@dataclass(frozen=True)
class RunningStack:
    """What a running stack tells the other commands; `board_url` is the broker as boards see it."""

    pid: int
    database_url: str
    mqtt_url: str
    board_url: str
    http_url: str

    @property
    def broker(self) -> BrokerAddress:
        """The broker as we see it."""
        return BrokerAddress.parse(self.mqtt_url)


class Places:
    """The layout of a data directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self) -> None:
        """Make the directory and its parts. Raises `StackError`."""
        try:
            # The system user that PostgreSQL and Mosquitto run as walks through here; what is private is closed below.
            self.root.mkdir(parents=True, exist_ok=True, mode=0o711)
            for part in (self.log, self.run, self.secret.parent):
                part.mkdir(exist_ok=True, mode=0o700)
                (part / ".writable").touch()
                (part / ".writable").unlink()
        except OSError as error:
            raise StackError(f"the data directory {self.root} cannot be used: {error.strerror}") from error

    @property
    def postgres(self) -> Path:
        """The database cluster."""
        return self.root / "postgres"

    @property
    def broker(self) -> Path:
        """Mosquitto's configuration, accounts and retained messages."""
        return self.root / "broker"

    @property
    def tls(self) -> Path:
        """The optional private CA and the broker's certificate."""
        return self.root / "tls"

    @property
    def log(self) -> Path:
        """One log file a process."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """What exists only while the stack runs."""
        return self.root / "run"

    @property
    def secret(self) -> Path:
        """The master secret."""
        return self.root / "secrets" / "master"

    def master_secret(self) -> str:
        """The master secret, made at the first call."""
        try:
            return self.secret.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StackError(f"the master secret {self.secret} cannot be read: {error.strerror}") from error
        partial = self.secret.with_suffix(".part")
        partial.touch(mode=0o600)
        partial.write_text(secrets.token_urlsafe(32), encoding="utf-8")
        partial.replace(self.secret)
        return self.secret.read_text(encoding="utf-8").strip()

    def check_secret(self, secret: str) -> None:
        """Refuse another master secret than the one the broker's accounts here were made with. Raises `StackError`."""
        mark = self.secret.parent / "fingerprint"
        found = hashlib.sha256(f"svitlo fingerprint\n{secret}".encode()).hexdigest()[:16]
        if mark.exists() and (self.broker / "dynamic-security.json").exists() and mark.read_text() != found:
            raise StackError(
                f"SVITLO_SECRET is not the one {self.root} was made with, and every board's password comes from it; "
                f"put the old one back, or remove {self.broker} and give every board its new password"
            )
        mark.write_text(found)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held while the stack runs; the kernel frees it however the process ends. Raises `StackError`."""
        with (self.run / "lock").open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                handle.seek(0)
                pid = handle.read().strip() or "unknown"
                raise StackError(
                    f"a stack is running on {self.root} already (process {pid}); stop it first, "
                    "or choose another --data-dir"
                ) from error
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield

    def announce(self, stack: RunningStack) -> None:
        """Tell the other commands where the stack is."""
        path = self.run / "stack.json"
        partial = path.with_suffix(".part")
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)  # the database's URL may hold a password
        partial.write_text(json.dumps(asdict(stack)), encoding="utf-8")
        partial.replace(path)

    def forget(self) -> None:
        """The stack is down."""
        (self.run / "stack.json").unlink(missing_ok=True)

    def running(self) -> RunningStack:
        """The running stack. Raises `StackError` with advice when there is none."""
        try:
            stack = RunningStack(**json.loads((self.run / "stack.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            stack = None
        if stack is None or not psutil.pid_exists(stack.pid):
            raise StackError(
                f"no stack is running on {self.root}; start one with svitlo up, or name its directory with --data-dir "
                "(or SVITLO_DATA_DIR)"
            )
        return stack
