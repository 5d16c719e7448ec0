"""Orders from the command line to a real board and back: identify, a new password, a new firmware; no alarm."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from svitlo.firmware import LAUNCHER, bundle, compiled
from svitlo.share import shared
from svitlo.simulator.micropython import MicroPythonBoard, UmqttSource
from tests.support.stack import StackUnderTest
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(300)

WAIT = ("--wait", "120")
OLD = "0.9.0"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    running = StackUnderTest(tmp_path_factory.mktemp("orders") / "data")
    running.start()
    running.svitlo("site", "add", "home", "--name", "Home", "--public")
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def board(
    stack: StackUnderTest, tmp_path_factory: pytest.TempPathFactory, umqtt: UmqttSource
) -> Iterator[MicroPythonBoard]:
    """A board that carries an older version in slot a, as one that was flashed long ago."""
    folder = tmp_path_factory.mktemp("orders-board")
    flash = folder / "flash"
    device = stack.json("device", "add", "home", "--id", "board-1")
    config = stack.json("device", "config", "board-1", "--ssid", "desktop", json_flag=False)
    running = stack.board(
        flash, device, umqtt, modules=_launcher(folder / "rom"), more={"update_key": config["update_key"]}
    )
    _fill_slot(flash / "a", folder / "old")
    running.start()
    eventually(lambda: _row(stack)["fw"] == OLD, 60, "the board beats")
    yield running
    running.kill()
    print(running.log_text())


def _launcher(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(shared("firmware", "micropython") / LAUNCHER, folder)
    return folder


def _fill_slot(slot: Path, scratch: Path) -> None:
    shutil.copytree(shared("firmware", "micropython"), scratch)
    source = scratch / "board.py"
    source.write_text(source.read_text().replace(f'FIRMWARE = "{bundle().version}"', f'FIRMWARE = "{OLD}"'))
    slot.mkdir(parents=True)
    for name, data in compiled(scratch).items():
        (slot / name).write_bytes(data)


def _row(stack: StackUnderTest) -> Any:
    return next(row for row in stack.json("device", "list") if row["id"] == "board-1")


def _outages(stack: StackUnderTest) -> Any:
    return stack.get("/api/v1/sites/home/outages")["items"]


def test_identify_reaches_the_board_and_its_answer_comes_back(stack: StackUnderTest, board: MicroPythonBoard) -> None:
    said = stack.svitlo("device", "identify", "board-1", *WAIT)

    assert "done" in said
    assert "command: identify" in board.log_text()


def test_new_password_by_command_loses_no_board(stack: StackUnderTest, board: MicroPythonBoard) -> None:
    before = stack.json("device", "config", "board-1", "--ssid", "x", json_flag=False)["password"]
    assert "done" in stack.svitlo("device", "rotate", "board-1", "--over-the-air", *WAIT)

    after = stack.json("device", "config", "board-1", "--ssid", "x", json_flag=False)["password"]
    assert after != before
    assert _refused(stack, before)
    board.kill()
    board.start()  # it still knows the new one, though config.json has the old
    eventually(lambda: board.log_text().count("boot ") >= 2 and "connection 1" in board.log_text()[-400:], 30, "back")
    assert "refused" not in board.log_text()[board.log_text().rindex("firmware") :]


def test_new_firmware_by_command_is_tried_and_kept(stack: StackUnderTest, board: MicroPythonBoard) -> None:
    said = stack.svitlo("device", "update", "board-1", *WAIT)

    assert "done" in said
    eventually(lambda: _row(stack)["fw"] == bundle().version, 30, "the new version beats")
    assert "on trial" in board.log_text()
    assert {path.name for path in (board.directory / "b").iterdir()} == set(bundle().files)
    board.kill()
    board.start()
    eventually(lambda: board.log_text().count(f"firmware {bundle().version},") >= 1, 30, "it stays")


def test_nobody_was_alarmed(stack: StackUnderTest, board: MicroPythonBoard) -> None:
    told = [row for row in _outages(stack) if row["duration_s"] is None or row["duration_s"] > 30]

    assert told == []


def _refused(stack: StackUnderTest, password: str) -> bool:
    """Whether the broker turns the board's old password away (under its client id: it is not thrown off for that)."""
    codes: list[int] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="board-1")
    client.username_pw_set("board-1", password)
    client.on_connect = lambda _client, _data, _flags, code, _extra: codes.append(code.value)
    client.connect("127.0.0.1", stack.mqtt_port)
    client.loop_start()
    try:
        eventually(lambda: codes, 30, "the broker answers")
    finally:
        client.loop_stop()
        client.disconnect()
    return codes[0] != 0
