"""`svitlo up` after accidents: everything killed, ports taken, a second start, a private directory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from svitlo.stack.child import end_leftovers
from tests.support.stack import StackUnderTest
from tests.support.wait import eventually, free_port

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackUnderTest]:
    # Closed to everybody else, as a home is: the system user that PostgreSQL runs as must get through all the same.
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    running = StackUnderTest(private / "data")
    yield running
    running.close()


def test_it_starts_again_after_kill_9_of_everything_and_has_lost_nothing(stack: StackUnderTest) -> None:
    stack.start()
    stack.svitlo("site", "add", "home", "--name", "Home", "--public")
    device = stack.json("device", "add", "home", "--id", "board-1")
    postmaster = stack.children()["postgres"]
    stack.kill_everything()
    assert not psutil.pid_exists(postmaster)

    stack.start()
    assert [site["slug"] for site in stack.json("site", "list")] == ["home"]
    assert stack.json("device", "config", "board-1", json_flag=False)["password"] == device["password"]
    assert stack.stop() == 0


def test_it_starts_again_after_kill_9_of_the_supervisor_alone(stack: StackUnderTest) -> None:
    stack.start()
    left = stack.children()
    os.kill(stack.pid, signal.SIGKILL)
    stack.wait()
    assert all(psutil.pid_exists(pid) for pid in left.values())

    stack.start()
    assert "ended what an earlier run left behind" in stack.output()
    assert not any(psutil.pid_exists(pid) for pid in left.values())
    assert stack.stop() == 0
    assert not any(psutil.pid_exists(pid) for pid in stack.children().values()) if stack.noted() else True


def test_a_second_start_on_the_same_data_is_refused_in_one_line(stack: StackUnderTest) -> None:
    stack.start()
    said, code = up(stack.directory, free_port(), free_port())
    assert code == 1
    assert "is running" in said
    assert str(stack.pid) in said
    assert len(said.strip().splitlines()) == 1
    assert stack.stop() == 0


@pytest.mark.parametrize("option", ["--http-port", "--mqtt-port"])
def test_a_taken_port_is_told_in_one_line_with_the_way_out(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--http-port": free_port(), "--mqtt-port": free_port()} | {option: port}
        said, code = up(tmp_path / "data", ports["--http-port"], ports["--mqtt-port"])
    assert code == 1
    assert str(port) in said
    assert option in said
    assert f"process {os.getpid()}" in said
    assert len(said.strip().splitlines()) == 1


def test_commands_without_a_stack_say_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "svitlo", "site", "list", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("SVITLO_")},
    )
    assert done.returncode == 1
    assert "svitlo up" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("site", "add", "Not A Slug", "--name", "x"), "a-z, 0-9 and -"),
        (("site", "add", "ok", "--name", "x", "--parent", "nowhere"), "no site 'nowhere'"),
        (("device", "add", "nowhere"), "no site 'nowhere'"),
        (("device", "rotate", "nothing"), "no device 'nothing'"),
        (("key", "revoke", "nothing"), "no key 'nothing'"),
    ],
)
def test_mistakes_get_one_clear_line(shared_stack: StackUnderTest, arguments: tuple[str, ...], words: str) -> None:
    said = shared_stack.svitlo(*arguments, check=False)
    assert words in said
    assert len(said.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    running = StackUnderTest(tmp_path_factory.mktemp("shared") / "data")
    running.start()
    yield running
    running.close()


def test_keys_open_the_api_and_the_broker_until_they_are_revoked(shared_stack: StackUnderTest) -> None:
    key = shared_stack.json("key", "add", "reader", "--kind", "read")["key"]
    assert shared_stack.get("/api/v1/devices", key=key)["items"] == []
    shared_stack.svitlo("key", "revoke", "reader")
    with pytest.raises(Exception, match="401"):
        shared_stack.get("/api/v1/devices", key=key)
    account = shared_stack.json("key", "add", "assistant", "--kind", "mqtt")
    assert account.keys() == {"name", "kind", "client_id", "username", "password", "mqtt_url"}
    assert account["mqtt_url"] == f"mqtt://127.0.0.1:{shared_stack.mqtt_port}"


def test_a_lost_postmaster_is_started_again_and_the_services_live_on(shared_stack: StackUnderTest) -> None:
    before = shared_stack.children()
    os.kill(before["postgres"], signal.SIGKILL)
    eventually(lambda: shared_stack.children()["postgres"] != before["postgres"], 30)
    eventually(lambda: shared_stack.ready(), 40, "the stack is ready again")
    after = shared_stack.children()
    assert {name for name in after if after[name] != before[name]} == {"postgres"}


def test_simulated_boards_fill_the_database(shared_stack: StackUnderTest) -> None:
    said = shared_stack.svitlo(
        *("simulate", "--devices", "20", "--interval", "1", "--duration", "6", "--power-cuts", "0"),
        *("--network-losses", "0", "--flaps", "0"),
    )
    assert "20 connections" in said
    states = eventually(lambda: shared_stack.all_seen(20), 30, "all simulated boards were heard")
    assert states
    assert "Removed 20" in shared_stack.svitlo("simulate", "--clean")
    assert [site["slug"] for site in shared_stack.json("site", "list")] == []


def up(directory: Path, http_port: int, mqtt_port: int) -> tuple[str, int]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "svitlo", "up", "--data-dir", str(directory)),
            *("--http-port", str(http_port), "--mqtt-port", str(mqtt_port)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("SVITLO_")},
    )
    return done.stderr, done.returncode


def test_a_process_id_that_is_somebody_elses_by_now_is_left_alone(tmp_path: Path) -> None:
    noted = tmp_path / "children.json"
    with subprocess.Popen(["sleep", "30"]) as innocent:
        noted.write_text(f'[{{"name": "api", "pid": {innocent.pid}, "born": 12345.0}}]')
        assert end_leftovers(noted) == []
        assert innocent.poll() is None
        innocent.kill()
