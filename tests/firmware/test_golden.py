"""Board and server agree to the byte: the golden payloads of the server's contract, made and read by the firmware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from svitlo.contracts import DeviceChannel, decode_device
from svitlo.firmware import update_key

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

GOLDEN = Path(__file__).parents[1] / "contracts" / "golden"
CHANNELS = {"heartbeat": DeviceChannel.HEARTBEAT, "status": DeviceChannel.STATUS, "report": DeviceChannel.REPORT}


def test_the_board_says_what_the_golden_payloads_say(scripts: Scripts) -> None:
    said = scripts.run("golden", GOLDEN, update_key("the tests' master secret", "board-1").hex())["said"]

    assert len(said) == 9
    for name, payload in said.items():
        golden = (GOLDEN / f"{name}.json").read_bytes()
        channel = CHANNELS[name.partition("_")[0]]
        assert json.loads(payload) == json.loads(golden), name
        assert decode_device(channel, payload.encode()) == decode_device(channel, golden), name


def test_the_board_obeys_the_golden_commands_and_their_macs(scripts: Scripts) -> None:
    key = update_key("the tests' master secret", "board-1").hex()
    assert scripts.run("golden", GOLDEN, key)["orders"] == {
        "command_identify": ["identify", None],
        "command_update": ["update", None],
        "command_rotate": ["rotate", None],
    }
    refused = scripts.run("golden", GOLDEN, update_key("another secret", "board-1").hex())["orders"]
    assert "not signed" in refused["command_update"][1]
    assert "not signed" in refused["command_rotate"][1]
