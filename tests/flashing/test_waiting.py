"""The last step: what the board says until it is heard, or what to do when it is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from svitlo.cli.flash import Beat, await_beat
from svitlo.cli.flash_screen import TerminalScreen
from svitlo.flashing.errors import FlashError

OLD = Beat("00000001", 6, -55, "0.9.0")


class Speaker:
    """A board's console that says its lines."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    def listen(self, say: Callable[[str], None]) -> None:
        for line in self.lines:
            say(line)
        self.lines.clear()


def wait(beats: Iterator[Beat | None], *lines: str, before: Beat | None = OLD, wait_s: float = 60) -> None:
    with TerminalScreen(5) as screen:
        await_beat(lambda: next(beats), before, Speaker(*lines), screen, wait_s)  # type: ignore[arg-type]


def test_the_beat_of_another_boot_ends_the_wait(capsys: pytest.CaptureFixture[str]) -> None:
    wait(iter([OLD, OLD, Beat("00000002", 7, -61, "1.0.0")]), "wifi: joining Flat 7", "wifi: joining Flat 7")

    shown = capsys.readouterr().out
    assert "received: boot 00000002 (number 7), signal -61 dBm, firmware 1.0.0\n" in shown
    assert shown.count("board: wifi: joining Flat 7\n") == 1


def test_a_board_that_was_never_heard_counts_from_its_first_beat(capsys: pytest.CaptureFixture[str]) -> None:
    wait(iter([None, Beat("00000001", None, None, None)]), before=None)

    assert "received: boot 00000001, firmware unknown\n" in capsys.readouterr().out


def test_without_a_beat_the_board_s_own_words_tell_what_to_do() -> None:
    beats = iter(lambda: OLD, None)
    with pytest.raises(FlashError, match=r"no heartbeat came within 1 s: the Wi-Fi network refuses the password: .*"):
        wait(beats, "3.0 wifi: could not join Flat 7: wrong password", wait_s=1)
    with pytest.raises(FlashError, match="it said nothing: press its button EN"):
        wait(beats, wait_s=1)


def test_without_the_tools_the_way_to_get_them_is_told() -> None:
    code = "import sys; sys.modules['esptool'] = None; sys.argv = ['svitlo', 'device', 'flash', 'x']; import svitlo.cli"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; svitlo.cli.main()"], capture_output=True, text=True, check=False
    )
    assert done.stderr == "svitlo: esptool and mpremote are not installed: pip install 'svitlo[flash]'\n"
    assert done.returncode == 1
