"""What is put on a board, and what of an older firmware goes."""

from __future__ import annotations

import json

from svitlo.firmware import bundle
from svitlo.flashing.contents import contents, stale


def test_the_firmware_lies_in_slot_a_and_the_configuration_comes_last() -> None:
    files = contents({"device_id": "demo-1", "password": "é"}, b"certificate")

    assert {path for path in files if path.startswith("a/")} == {f"a/{name}" for name in bundle().files}
    assert files["a/app.mpy"] == bundle().files["app.mpy"]
    assert b"launcher" in files["main.py"]
    assert list(files)[-3:] == ["main.py", "ca.der", "config.json"]
    assert json.loads(files["config.json"]) == {"device_id": "demo-1", "password": "é"}
    assert "ca.der" not in contents({}, None)


def test_only_what_is_the_firmware_s_own_goes() -> None:
    wanted = {"a/app.mpy": b"", "a/net.mpy": b"", "main.py": b"", "config.json": b""}
    ours = ["a/old.mpy", "app.py", "b/app.mpy", "ca.der", "config.json.new", "net.mpy", "state/slots", "wifi.py"]
    mine = ["boot.py", "lib/app.py", "notes.txt", "state/boots"]

    assert stale(wanted, [*wanted, *mine, *ours]) == ours
