"""A configuration that cannot work is one line that says what to change."""

from __future__ import annotations

import binascii
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


WIRED = {name: value for name, value in GOOD.items() if name != "wifi"}
ETHERNET: dict[str, Any] = {"phy": "LAN8720", "mdc": 23, "mdio": 18}


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
        (GOOD | {"update_key": "abc"}, '"update_key" must be 64 hex digits'),
        (GOOD | {"update_key": "x" * 64}, '"update_key" must be 64 hex digits'),
        (GOOD | {"ethernet": {"board": "wt32-eth01"}}, '"wifi" and "ethernet" exclude each other: remove one'),
        (WIRED | {"ethernet": {"board": "esp32"}}, '"ethernet.board" must be "wt32-eth01"'),
        (WIRED | {"ethernet": {"phy": "LAN8720", "mdc": 23}}, '"ethernet.mdio" is missing'),
        (WIRED | {"ethernet": ETHERNET | {"addr": 32}}, '"ethernet.addr" must be from 0 to 31'),
        (WIRED | {"ethernet": ETHERNET | {"ref_clk_mode": "x"}}, '"ethernet.ref_clk_mode" must be "in" or "out"'),
        (GOOD | {"pins": {"led": 49}}, '"pins.led" must be from 0 to 48'),
        (GOOD | {"pins": {"led": True}}, '"pins.led" must be a whole number'),
        (GOOD | {"pins": {"led": 2, "led_inverted": 1}}, '"pins.led_inverted" must be true or false'),
        (GOOD | {"pins": {"button": -1}}, '"pins.button" must be from 0 to 48'),
        (GOOD | {"mains": {"pin": 34}}, '"mains.kind" is missing'),
        (GOOD | {"mains": {"kind": "dac", "pin": 34}}, '"mains.kind" must be "gpio" or "adc"'),
        (GOOD | {"mains": {"kind": "gpio"}}, '"mains.pin" is missing'),
        (GOOD | {"mains": {"kind": "gpio", "pin": 34, "active": "up"}}, '"mains.active" must be "low" or "high"'),
        (
            GOOD | {"mains": {"kind": "gpio", "pin": 34, "debounce_ms": 1}},
            '"mains.debounce_ms" must be from 20 to 2000',
        ),
        (GOOD | {"mains": {"kind": "adc", "pin": 35}}, '"mains.lost_below_mv" is missing'),
        (
            GOOD | {"mains": {"kind": "adc", "pin": 35, "lost_below_mv": 2900}},
            '"mains.lost_below_mv" must be from 1 to 2800',
        ),
        (GOOD | {"pzem": {"uart": 3, "tx": 17, "rx": 16}}, '"pzem.uart" must be from 1 to 2'),
        (GOOD | {"pzem": {"tx": 17}}, '"pzem.rx" is missing'),
        (GOOD | {"pzem": {"tx": 17, "rx": 16, "on_above_v": 0}}, '"pzem.on_above_v" must be from 1 to 400'),
        (GOOD | {"pzem": []}, '"pzem" must be an object, {...}'),
        (json.dumps(GOOD) + " " * 4000, "config.json is longer than 4096 bytes"),
        (WIRED | {"ethernet": ETHERNET}, None),
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


def test_everything_is_read(scripts: Scripts) -> None:
    given = WIRED | {
        "update_key": "0a" * 32,
        "ethernet": {"board": "wt32-eth01"},
        "pins": {"led": 2, "led_inverted": True, "button": 0},
        "mains": {"kind": "gpio", "pin": 34, "active": "high", "debounce_ms": 80},
        "pzem": {"uart": 1, "tx": 17, "rx": 16, "mains": False, "on_above_v": 120},
    }
    (scripts.folder / "config.json").write_text(json.dumps(given))

    read = scripts.run("settings", "read")

    assert (read["device_id"], read["password"], read["host"], read["port"]) == (
        "demo-1", "secret-word", "192.168.1.10", 1883,
    )  # fmt: skip
    assert read["update_key"] == [10] * 32
    assert (read["ssid"], read["tls"], read["ca"]) == (None, False, None)
    assert read["ethernet"] == ETHERNET | {"addr": 1, "power": 16, "ref_clk": 0, "ref_clk_mode": "in"}
    assert (read["led"], read["led_inverted"], read["button"]) == (2, True, 0)
    assert (read["mains"], read["pzem"]) == (given["mains"], given["pzem"])


def test_what_is_left_out_has_its_usual_value(scripts: Scripts) -> None:
    sensors: dict[str, dict[str, Any]] = {
        "mains": {"kind": "adc", "pin": 35, "lost_below_mv": 1500},
        "pzem": {"tx": 17, "rx": 16},
    }
    (scripts.folder / "config.json").write_text(json.dumps(SMALLEST | sensors))

    read = scripts.run("settings", "read")

    assert (read["port"], read["interval_s"], read["keepalive_s"], read["wifi_password"]) == (1883, 10, 10, "")
    assert (read["update_key"], read["led"], read["led_inverted"], read["button"], read["ethernet"]) == (
        None, 2, False, 0, None,
    )  # fmt: skip
    assert read["mains"] == sensors["mains"] | {"debounce_ms": 60}
    assert read["pzem"] == sensors["pzem"] | {"uart": 1, "mains": True, "on_above_v": 100}


def test_a_proved_configuration_is_kept_once(scripts: Scripts) -> None:
    (scripts.folder / "config.json").write_text(json.dumps(GOOD))
    assert scripts.run("settings", "kept") == ["config"]
    assert scripts.run("settings", "kept") == []
    (scripts.folder / "config.json").write_text(json.dumps(GOOD | {"interval_s": 20}))
    assert scripts.run("settings", "kept") == ["config"]


@pytest.mark.parametrize("length", [0, 1, 40, 150])
def test_a_cut_off_configuration_falls_back_to_the_one_that_worked(length: int, scripts: Scripts) -> None:
    config = scripts.folder / "config.json"
    _with_tls(scripts, b"old authority")
    scripts.run("settings", "kept")
    config.write_bytes(config.read_bytes()[:length])
    (scripts.folder / "ca.der").unlink()

    read = scripts.run("settings", "read")

    assert (read["error"], read["device_id"], bytes(read["ca"])) == (None, "demo-1", b"old authority")
    (line,) = read["lines"]
    assert line.startswith("config.json: not valid JSON")
    assert line.endswith("; going on with the last one that worked")
    assert scripts.run("settings", "kept") == []  # the damaged one takes nothing's place


def test_a_lost_or_damaged_certificate_falls_back_too(scripts: Scripts) -> None:
    _with_tls(scripts, b"authority")
    config = json.loads((scripts.folder / "config.json").read_text())
    config["mqtt"]["ca_crc"] = f"{binascii.crc32(b'authority'):08x}"
    (scripts.folder / "config.json").write_text(json.dumps(config))
    assert scripts.run("settings") is None
    (scripts.folder / "ca.der").write_bytes(b"authoritx")
    assert scripts.run("settings") == "mqtt.tls is true, but ca.der is damaged"
    (scripts.folder / "ca.der").write_bytes(b"authority")
    scripts.run("settings", "kept")
    (scripts.folder / "ca.der").write_bytes(b"authoritx")

    read = scripts.run("settings", "read")

    assert bytes(read["ca"]) == b"authority"
    assert len(read["lines"]) == 1


@pytest.mark.parametrize("at", [0, 20, 100, -1])
def test_both_damaged_is_one_line_about_the_first(at: int, scripts: Scripts) -> None:
    (scripts.folder / "config.json").write_text(json.dumps(GOOD))
    scripts.run("settings", "kept")
    kept = bytearray((scripts.folder / "state" / "config").read_bytes())
    kept[at] ^= 1
    (scripts.folder / "state" / "config").write_bytes(kept)
    (scripts.folder / "config.json").write_text("{")

    assert scripts.run("settings") == "not valid JSON: look for a missing comma, quote or bracket"


def test_a_board_emptied_on_purpose_stays_empty(scripts: Scripts) -> None:
    (scripts.folder / "config.json").write_text(json.dumps(GOOD))
    scripts.run("settings", "kept")
    (scripts.folder / "config.json").unlink()

    assert scripts.run("settings") == "not found: copy it to the board, next to main.py"


def test_a_cut_while_saving_leaves_the_old_one_or_the_new_one(scripts: Scripts) -> None:
    with_authority, without_one = scripts.run("settings", "cuts", timeout=120)

    assert with_authority["outcomes"] == ["a a CA", "b b CB", "c c CC"]
    assert without_one["outcomes"] == ["a a None", "b b CB", "c c CC"]
    assert 125 < with_authority["steps"] < 140  # each byte was one; see LATER in the script


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
    """What a board says that has nothing to live by, on a desktop without an access point."""
    board.start()
    assert board.wait(30) == 1
    start, complaint, set_up = board.log_text().splitlines()
    assert start.startswith("umqtt.simple")
    assert set_up[10:].startswith("set-up: no access point")
    return complaint


def _with_tls(scripts: Scripts, ca: bytes) -> None:
    config = GOOD | {"mqtt": {"host": "broker.lan", "tls": True}}
    (scripts.folder / "config.json").write_text(json.dumps(config))
    (scripts.folder / "ca.der").write_bytes(ca)
