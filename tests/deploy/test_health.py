"""A service that stopped turning is noticed; one that waits is left alone."""

from __future__ import annotations

import asyncio
import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from svitlo import health
from tests.support.wait import eventually_async, free_port


@pytest.fixture
def heartbeat_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "alive"
    monkeypatch.setenv(health.VARIABLE, str(path))
    return path


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_service_that_beats_is_healthy(heartbeat_file: Path) -> None:
    health.Pulse()()
    assert heartbeat_file.exists()
    assert health.check() is None


def test_beats_in_a_hurry_touch_the_file_once(heartbeat_file: Path) -> None:
    beat = health.Pulse()
    beat()
    heartbeat_file.unlink()
    beat()
    assert not heartbeat_file.exists()


async def test_an_event_loop_that_turns_keeps_its_service_healthy(heartbeat_file: Path) -> None:
    beating = asyncio.create_task(health.keep_beating())
    await eventually_async(heartbeat_file.exists)
    beating.cancel()


def test_a_service_that_never_beat_is_not_healthy(heartbeat_file: Path) -> None:
    problem = health.check()
    assert problem is not None
    assert heartbeat_file.name in problem


def test_a_service_that_stopped_beating_is_not_healthy(heartbeat_file: Path) -> None:
    heartbeat_file.touch()
    then = time.time() - 100
    os.utime(heartbeat_file, (then, then))
    assert health.check(max_age_s=90) == "no sign of life for 100 s"
    assert health.check(max_age_s=120) is None


def test_a_clock_set_back_does_not_keep_a_dead_service_healthy(heartbeat_file: Path) -> None:
    heartbeat_file.touch()
    ahead = time.time() + 86_400
    os.utime(heartbeat_file, (ahead, ahead))
    assert health.check() is not None


def test_nobody_watching_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(health.VARIABLE, raising=False)
    health.Pulse()()
    assert health.check() == "SVITLO_HEALTH_FILE is not set"


def test_a_service_that_answers_http_is_asked_there(url: str) -> None:
    assert health.check_url(f"{url}/healthz") is None
    assert health.check_url(f"{url}/other") == f"{url}/other answers 503"
    assert health.check_url(f"http://127.0.0.1:{free_port()}/healthz") is not None


def test_the_check_imports_nothing_beyond_the_standard_library(heartbeat_file: Path) -> None:
    heartbeat_file.touch()
    # -S leaves site-packages out, where every dependency lives.
    command = [sys.executable, "-S", "-m", "svitlo.health"]
    root = Path(health.__file__).parent.parent
    assert subprocess.run(command, cwd=root, check=False).returncode == 0
    heartbeat_file.unlink()
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "No such file" in done.stderr
