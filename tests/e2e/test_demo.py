"""`svitlo demo`, as a newcomer sees it, also after everything was killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from svitlo.simulator.micropython import UmqttSource
from svitlo.stack.child import end_leftovers
from tests.support.wait import eventually, free_port

pytestmark = pytest.mark.timeout(300)


class Demo:
    """One run of the demo in a data directory."""

    def __init__(self, directory: Path, language: str) -> None:
        self.directory = directory
        self._out = directory.parent / f"{language}.out"
        env = {name: value for name, value in os.environ.items() if not name.startswith(("SVITLO_", "LC_"))}
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "svitlo", "demo", "--once", "--data-dir", str(directory)),
                    *("--http-port", str(free_port()), "--mqtt-port", str(free_port())),
                ],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env=env | {"LANG": language},
            )

    @property
    def said(self) -> str:
        return self._out.read_text()

    def noted(self, name: str) -> list[int]:
        return [entry["pid"] for entry in json.loads((self.directory / "run" / name).read_text())]


def test_within_a_minute_it_shows_a_loss_the_alert_the_return_and_the_duration_and_again_after_kill_9(
    tmp_path: Path, umqtt: UmqttSource
) -> None:
    directory = tmp_path / "data"
    demo = Demo(directory, "en_US.UTF-8")
    eventually(lambda: "🔌 Shevchenka 12 — power off" in demo.said, 90, "the first alert")
    pids = [demo.process.pid, *demo.noted("children.json"), *demo.noted("boards.json")]
    assert len(pids) == 1 + 6 + 3
    for pid in pids[:-1]:  # one board lives on, as when only part of a session is ended
        with contextlib.suppress(ProcessLookupError):  # the story kills boards too
            os.kill(pid, signal.SIGKILL)
    demo.process.wait(10)

    demo = Demo(directory, "uk_UA.UTF-8")
    try:
        assert demo.process.wait(150) == 0, demo.said
        assert not psutil.pid_exists(pids[-1]) or psutil.Process(pids[-1]).status() == psutil.STATUS_ZOMBIE
        lines = [line.strip() for line in demo.said.splitlines()]
        wanted = [
            "вимикаємо струм: Шевченка 12",
            "🔌 Shevchenka 12 — світла немає",
            "вмикаємо струм: Шевченка 12",
            "💡 Shevchenka 12 — світло є",
            "Не було",
            "вимикаємо струм: Франка 5",
            "🔌 Franka 5 — світла немає",
            "💡 Franka 5 — світло є",
        ]
        for words in wanted:
            assert any(words in line for line in lines), (words, demo.said)
            while words not in lines[0]:
                lines.pop(0)
        assert "http://127.0.0.1:" in demo.said
        assert "Traceback" not in demo.said
        # A board that was just cut off would begin the next demo with an outage of all the time between.
        logs = [(board / "board.log").read_text() for board in (directory / "boards").iterdir()]
        assert [log.splitlines()[-2].endswith("said goodbye") for log in logs] == [True] * 3
    finally:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.wait(40)
        for name in ("children.json", "boards.json"):
            end_leftovers(directory / "run" / name)
