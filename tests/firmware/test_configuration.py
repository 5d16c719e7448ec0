"""A configuration that cannot work is one line that says what to change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from svitlo.simulator.micropython import MicroPythonBoard
    from tests.firmware.conftest import BoardMaker, Scripts

GOOD: dict[str, Any] = {
    "v": 1,
    "device_id": "demo-1",
    "password": "secret-word",
    "mqtt": {"host": "192.168.1.10", "port": 1883, "tls": False},
    "wifi": {"ssid": "home", "password": "wifi-word"},
    "interval_s": 10,
    "keepalive_s": 10,
}
SMALLEST = {
    "v": 1,
    "device_id": "d",
    "password": "p",
    "mqtt": {"host": "h"},
    "wifi": {"ssid": "s"},
}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("{bad", "not valid JSON: look for a missing comma, quote or bracket"),
        ("", "not valid JSON: look for a missing comma, quote or bracket"),
        ([], "must be a JSON object, {...}"),
        (without("v"), '"v" is missing'),
        (GOOD | {"v": 2}, '"v" must be 1'),
        (without("device_id"), '"device_id" is missing'),
        (GOOD | {"device_id": "Kitchen"}, '"device_id" must be 1 to 48 of a-z, 0-9 and -'),
        (GOOD | {"device_id": "d" * 49}, '"device_id" must be 1 to 48 of a-z, 0-9 and -'),
        (GOOD | {"device_id": "a/#"}, '"device_id" must be 1 to 48 of a-z, 0-9 and -'),
        (GOOD | {"password": ""}, '"password" is empty'),
        (GOOD | {"password": 1234}, '"password" must be a text'),
        (GOOD | {"mqtt": "192.168.1.10"}, '"mqtt" must be an object, {...}'),
        (GOOD | {"mqtt": {}}, '"mqtt.host" is missing'),
        (GOOD | {"mqtt": {"host": "h", "port": 99999}}, '"mqtt.port" must be from 1 to 65535'),
        (GOOD | {"mqtt": {"host": "h", "port": "1883"}}, '"mqtt.port" must be a whole number'),
        (GOOD | {"mqtt": {"host": "h", "tls": 1}}, '"mqtt.tls" must be true or false'),
        (GOOD | {"mqtt": {"host": "h", "tls": True}}, "mqtt.tls is true, but ca.der is not on the board"),
        (without("wifi"), '"wifi" is missing'),
        (GOOD | {"interval_s": 0}, '"interval_s" must be from 1 to 3600'),
        (GOOD | {"interval_s": True}, '"interval_s" must be a whole number'),
        (GOOD | {"keepalive_s": 0}, '"keepalive_s" must be from 2 to 120'),
        (GOOD, None),
        (SMALLEST, None),
        (GOOD | {"a later": ["addition"]}, None),
    ],
    ids=str,
)
def test_configuration_is_checked(config: object, complaint: str | None, scripts: Scripts) -> None:
    text = config if isinstance(config, str) else json.dumps(config)
    (scripts.folder / "config.json").write_text(text)

    assert scripts.run("settings") == complaint


def test_board_with_a_bad_configuration_stops_with_one_line(make_board: BoardMaker) -> None:
    board = make_board()
    (board.directory / "config.json").write_text('{"v":1,"device_id":"demo-1","password":"secret-word"}')

    assert _ends_with(board) == 'config.json: "mqtt" is missing'
    assert "secret-word" not in board.log_text()


def test_board_without_a_configuration_says_so(make_board: BoardMaker) -> None:
    board = make_board()
    (board.directory / "config.json").unlink()

    assert _ends_with(board) == "config.json: not found: copy it to the board, next to main.py"


def _ends_with(board: MicroPythonBoard) -> str:
    board.start()
    assert board.wait(10) == 1
    start, complaint = board.log_text().splitlines()
    assert start.startswith("umqtt.simple")
    return complaint
