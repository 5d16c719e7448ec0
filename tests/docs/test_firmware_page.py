"""docs/firmware.md tells of the firmware what is so: each key of config.json, each word of a report, each pattern."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from svitlo.contracts import ReportState

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/firmware.md").read_text(encoding="utf-8")
MINIMAL: dict[str, Any] = {
    "v": 1,
    "device_id": "hall",
    "password": "secret",
    "mqtt": {"host": "192.168.1.10"},
    "wifi": {"ssid": "home", "password": "secret"},
}


def section(heading: str) -> str:
    """The text of one chapter."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, flags=re.M | re.S)
    assert found, heading
    return found[1]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables in a text."""
    for line in re.findall(r"^\|(.*)\|$", text, flags=re.M):
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The board's settings.py: it is Python enough, if the modules beside it are only names."""
    for path in (ROOT / "firmware/micropython").glob("*.py"):
        neighbour = ModuleType(path.stem)
        monkeypatch.setattr(neighbour, "__getattr__", str, raising=False)
        monkeypatch.setitem(sys.modules, path.stem, neighbour)
    spec = importlib.util.spec_from_file_location("board_settings", ROOT / "firmware/micropython/settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Asked(dict[str, Any]):
    """A configuration that notes what is asked of it, as `mqtt.host`."""

    def __init__(self, data: dict[str, Any], noted: set[str], prefix: str = "") -> None:
        super().__init__({k: Asked(v, noted, f"{prefix}{k}.") if isinstance(v, dict) else v for k, v in data.items()})
        self._noted = noted
        self._prefix = prefix

    def get(self, key: str, default: Any = None) -> Any:
        value = super().get(key, default)
        if not isinstance(value, dict):
            self._noted.add(self._prefix + key)
        return value


def example() -> dict[str, Any]:
    """The page's config.json."""
    found = re.search(r"^```json\n(.*?)^```", section("Configuration"), flags=re.M | re.S)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data | {"update_key": "00" * 32}


def test_the_example_configuration_is_accepted(settings: Any) -> None:
    config = settings.Settings(example())
    assert (config.led, config.button, config.mains["pin"], config.pzem["uart"]) == (2, 0, 34, 1)


def test_every_key_of_the_configuration_is_documented_and_no_other(settings: Any) -> None:
    noted: set[str] = set()
    ethernet = {"phy": "LAN8720", "mdc": 23, "mdio": 18, "addr": 1, "power": 16, "ref_clk": 0}
    wired = {key: value for key, value in example().items() if key != "wifi"}
    adc = {"kind": "adc", "pin": 35, "lost_below_mv": 2000}
    settings.Settings(Asked(example(), noted))
    settings.Settings(Asked(wired | {"ethernet": ethernet, "mains": adc}, noted))
    settings.Settings(Asked(MINIMAL | {"mqtt": {"host": "broker", "tls": True}}, noted), ca=b"DER")
    noted = {key for key in noted if not key.startswith("ethernet.")}  # one row of the table tells of all of them
    top = {"wifi", "ethernet", "mqtt", "pins", "mains", "pzem"}
    documented = {
        key for cells in rows(section("Configuration")) for key in re.findall(r"`([\w.]+)`", cells[0]) if key not in top
    }
    assert documented - {"mqtt.ca_crc"} == noted - top - {"mqtt.ca_crc"}


def test_the_documented_defaults_are_the_firmwares(settings: Any) -> None:
    table = {cells[0]: cells[1] for cells in rows(section("Configuration"))}
    least = settings.Settings(MINIMAL | {"mains": {"kind": "gpio", "pin": 34}, "pzem": {"tx": 17, "rx": 16}})
    tls = settings.Settings(MINIMAL | {"mqtt": {"host": "broker", "tls": True}}, b"DER")
    assert table["`mqtt.port`"] == f"{least.port}, with TLS {tls.port}"
    assert table["`interval_s`"] == str(least.interval_s)
    assert table["`keepalive_s`"] == str(least.keepalive_s)
    assert table["`mains.active`"] == f'`"{least.mains["active"]}"`'
    assert table["`mains.debounce_ms`"] == str(least.mains["debounce_ms"])
    assert table["`pzem.uart`, `pzem.tx`, `pzem.rx`"].startswith(f"{least.pzem['uart']},")
    assert table["`pzem.mains`"] == f"`{json.dumps(least.pzem['mains'])}`"
    assert table["`pzem.on_above_v`"] == str(least.pzem["on_above_v"])


def test_every_state_of_a_report_is_explained() -> None:
    explained = {cells[0].strip("`") for cells in rows(section("Updates from afar"))}
    assert {str(state) for state in ReportState} <= explained


def test_the_firmwares_readme_tells_of_every_module_and_no_other() -> None:
    page = (ROOT / "firmware/README.md").read_text(encoding="utf-8")
    told = {name for cells in rows(page) for name in re.findall(r"`(\w+\.py)`", cells[0])}
    assert told == {path.name for path in (ROOT / "firmware/micropython").glob("*.py")}
