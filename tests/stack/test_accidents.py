"""What must not happen to a stack: a half-made database, a mute child, a stop that is cut short, leaked secrets."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from svitlo.stack.child import Child, LogFile
from svitlo.stack.postgres import EmbeddedPostgres
from tests.support.stack import StackUnderTest
from tests.support.wait import eventually, free_port

pytestmark = pytest.mark.timeout(180)


def test_a_database_whose_making_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    embedded = EmbeddedPostgres(tmp_path / "postgres")
    embedded.prepare()
    (embedded.directory / "global" / "pg_control").unlink()  # initdb writes it last, PG_VERSION first
    left_over = tmp_path / "postgres.new"
    left_over.mkdir()
    (left_over / "PG_VERSION").write_text("18")

    embedded.prepare()
    assert (embedded.directory / "global" / "pg_control").exists()
    assert not left_over.exists()
    embedded.tidy()


async def test_a_child_whose_output_cannot_be_shown_or_kept_is_read_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def show(_name: str, line: str) -> None:
        seen.append(line)
        if line == "1":
            raise ValueError("cannot show this")

    loud = [sys.executable, "-c", "for number in range(50_000): print(number)"]
    child = Child("loud", lambda: loud, log_path=tmp_path / "missing" / "loud.log", on_line=show)
    await child.start()
    watching = asyncio.create_task(child.watch(lambda: None))
    await asyncio.to_thread(eventually, lambda: seen.count("49999") >= 1, 30)
    await child.stop()
    await watching
    assert "cannot be written" in caplog.text
    assert caplog.text.count("cannot be written") == 1


def test_a_log_file_is_turned_over_and_comes_back_after_a_full_disk(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs" / "api.log")
    log.write(b"lost\n")
    (tmp_path / "logs").mkdir()
    for _ in range(3):
        log.write(b"x" * 4_000_000 + b"\n")
    assert (tmp_path / "logs" / "api.log.1").stat().st_size > 5_000_000
    assert (tmp_path / "logs" / "api.log").stat().st_size < 5_000_000


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackUnderTest]:
    running = StackUnderTest(tmp_path / "data", SVITLO_TELEGRAM_TOKEN="not-a-real-token", SOMEBODY_ELSES_SECRET="hush")
    yield running
    running.close()


def test_impatient_signals_leave_nothing_running_and_each_process_knows_only_what_it_needs(
    stack: StackUnderTest,
) -> None:
    stack.start()
    secret = (stack.directory / "secrets" / "master").read_text()
    children = stack.children()
    known = {name: Path(f"/proc/{pid}/environ").read_bytes().decode() for name, pid in children.items()}
    assert not [name for name, environment in known.items() if "hush" in environment]
    assert [name for name, environment in known.items() if secret in environment] == ["ingest", "notifier"]
    assert [name for name, environment in known.items() if "not-a-real-token" in environment] == ["notifier"]
    assert "SVITLO" not in known["mosquitto"]
    assert not [path for path in stack.directory.rglob("*") if path.is_file() and secret_in(path, secret)]
    eventually(lambda: "notifier: " in stack.output(), 20, "a token that cannot be one is told at the terminal")

    process = psutil.Process(stack.pid)
    for _ in range(4):
        process.send_signal(signal.SIGINT)
    assert stack.wait() == 0
    assert not [pid for pid in children.values() if psutil.pid_exists(pid)]


def secret_in(path: Path, secret: str) -> bool:
    return path.name != "master" and secret.encode() in path.read_bytes()


def test_signals_during_the_start_leave_nothing_running(tmp_path: Path) -> None:
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "svitlo", "up", "--data-dir", str(tmp_path / "data")),
            *("--http-port", str(free_port()), "--mqtt-port", str(free_port())),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        eventually(lambda: (tmp_path / "data" / "run" / "children.json").exists(), 30)
        eventually(lambda: len(psutil.Process(process.pid).children(recursive=True)) >= 2, 30)
        family = psutil.Process(process.pid).children(recursive=True)
        for _ in range(3):
            os.kill(process.pid, signal.SIGTERM)
        process.wait(60)
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def svitlo(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SVITLO_")}
    return subprocess.run(
        [sys.executable, "-m", "svitlo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=clean | env,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("up",), {"SVITLO_TIMEZONE": "Mars"}),
        (("up",), {"SVITLO_TIMEZONE": "Europe"}),
        (("up",), {"SVITLO_MISSES": "0"}),
        (("up",), {"SVITLO_SECRET_FILE": "/bin/ls"}),
        (("up", "--http-port", "18099", "--mqtt-port", "18099"), {}),
        (("site", "list"), {"SVITLO_DATABASE_URL": "mysql://x", "SVITLO_MQTT_URL": "mqtt://x", "SVITLO_SECRET": "x"}),
        (("db", "upgrade"), {"SVITLO_DATABASE_URL": "postgresql://x@127.0.0.1:notaport/x"}),
        (("db", "upgrade"), {"SVITLO_DATABASE_URL": "postgresql://x@127.0.0.1:9/x"}),
        (("broker", "tls", ""), {}),
        (("broker", "tls", "хата.укр"), {}),
        (("detector",), {"SVITLO_DATABASE_URL": "postgresql:///x", "SVITLO_MQTT_URL": "http://x"}),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_1(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str]
) -> None:
    done = svitlo(*arguments, **env, SVITLO_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("svitlo: ")


@pytest.mark.parametrize("arguments", [("site",), ("site", "add"), ("up", "--http-port", "x"), ("nonsense",)])
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    assert svitlo(*arguments).returncode == 2
