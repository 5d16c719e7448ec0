"""The network comes, goes, or never comes: the board asks once, starts over, and says why."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from svitlo.simulator.micropython import MicroPythonBoard
    from tests.firmware.conftest import BoardMaker, Observer, Scripts

WT32 = {"ethernet": {"board": "wt32-eth01"}}
OLIMEX = {"ethernet": {"phy": "LAN8720", "mdc": 23, "mdio": 18, "power": 12, "ref_clk": 17, "ref_clk_mode": "out"}}
NO_ETHERNET = "ethernet: this chip has no Ethernet of its own, or not this PHY: use Wi-Fi, or a plain ESP32"


def wired(scripts: Scripts, kind: str, there: int, config: dict[str, Any] = WT32) -> dict[str, Any]:
    result: dict[str, Any] = scripts.run("net", kind, there, json.dumps(config))
    return result


def test_wifi_is_asked_once(scripts: Scripts) -> None:
    result = scripts.run("net", "fine", 20)

    assert result["calls"] == ["active True", "reconnects 4", "connect home", "reconnects -1"]
    assert result["lines"][0] == "wifi: joining home"
    assert result["lines"][-1] == "wifi: joined, address 10.0.0.2"
    assert "wifi-word" not in "".join(result["lines"])
    assert (result["joined"], result["up"], result["rssi"], result["why"]) == (True, True, None, None)


def test_wifi_that_does_not_come_is_started_over(scripts: Scripts) -> None:
    calls = [call for call in scripts.run("net", "slow", 12)["calls"] if not call.startswith("reconnects")]

    assert calls[:6] == ["active True", "connect home", "disconnect", "active False", "active True", "connect home"]


def test_wifi_driver_errors_are_said_and_survived(scripts: Scripts) -> None:
    assert "wifi: Wifi Internal Error" in scripts.run("net", "busy", 5)["lines"]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("wrong", "could not join home: wrong password"),
        ("handshake", "could not join home: wrong password"),
        ("absent", "could not join home: no such network in reach"),
        ("expired", "could not join home: reason 2"),
    ],
)
def test_the_reason_is_logged_once_and_forgotten_when_joined(kind: str, why: str, scripts: Scripts) -> None:
    result = scripts.run("net", kind, 60)

    assert result["lines"].count(f"wifi: {why}") == 1
    assert result["calls"].count("connect home") > 2  # an access point too busy may say the same: never give up
    assert result["whys"] == [None, why]
    assert (result["joined"], result["why"]) == (True, None)


def test_the_hostname_is_the_device_id_as_far_as_it_fits(scripts: Scripts) -> None:
    assert scripts.run("net", "fine", 1)["hostname"] == "demo-1-" + "x" * 25


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (WT32, {"mdc": 23, "mdio": 18, "power": 16, "phy_addr": 1, "ref_clk": 0, "ref_clk_mode": 1}),
        (OLIMEX, {"mdc": 23, "mdio": 18, "power": 12, "phy_addr": 0, "ref_clk": 17, "ref_clk_mode": 3}),
    ],
)
def test_ethernet_is_made_as_the_board_is_wired(
    config: dict[str, Any], options: dict[str, int], scripts: Scripts
) -> None:
    result = wired(scripts, "fine", 5, config)

    made = result["calls"][1]
    assert made.pop("pins") == ["mdc", "mdio", "power", "ref_clk"]
    assert made == {**options, "phy_type": 1}
    assert result["calls"][2:] == ["active True"]
    assert result["lines"] == ["ethernet: joining by cable", "ethernet: joined, address 10.0.0.2"]
    assert (result["name"], result["rssi"]) == ("ethernet", None)


def test_pins_that_are_not_given_are_not_asked_for(scripts: Scripts) -> None:
    made = wired(scripts, "fine", 5, {"ethernet": {"phy": "LAN8720", "mdc": 23, "mdio": 18}})["calls"][1]

    assert sorted(made) == ["mdc", "mdio", "phy_addr", "phy_type", "pins"]


def test_a_phy_that_wakes_late_needs_a_restart(scripts: Scripts) -> None:
    result = wired(scripts, "late", 40)

    assert result["calls"].count("LAN") == 1  # the port has kept a half of the driver
    fault = "cannot start: esp_eth_driver_install failed"
    assert result["lines"] == ["ethernet: joining by cable", f"ethernet: {fault}", fault]
    assert (result["joined"], result["stuck"]) == (False, True)


def test_wired_board_whose_phy_woke_late_starts_anew(
    make_board: BoardMaker, observer: Observer, wait_until: Callable[..., None]
) -> None:
    board = proved_by_wire(make_board, observer, wait_until)
    board.world("ethernet", "late")
    board.start()
    wait_until(lambda: "cannot start" in board.log_text(), "started at once")
    board.world("ethernet")

    assert observer.heartbeat(boots=3, timeout=40).body["reset"] == "hard"


def test_wired_board_whose_phy_is_broken_does_not_start_anew_again_and_again(
    make_board: BoardMaker, observer: Observer, wait_until: Callable[..., None]
) -> None:
    """Each boot is counted in flash."""
    board = proved_by_wire(make_board, observer, wait_until)
    board.world("ethernet", "late")
    board.start()
    wait_until(lambda: "(number 3)" in board.log_text(), "no second start", timeout=60)
    wait_until(lambda: "next attempt" in board.log_text().split("(number 3)")[-1], "no attempt", timeout=60)

    assert board.running
    assert "(number 4)" not in board.log_text()


def proved_by_wire(make_board: BoardMaker, observer: Observer, wait_until: Callable[..., None]) -> MicroPythonBoard:
    """A wired board, off, that has worked before."""
    board = make_board()
    path = board.directory / "config.json"
    config = json.loads(path.read_text()) | WT32
    del config["wifi"]
    path.write_text(json.dumps(config))
    board.start()
    observer.heartbeat(boots=1)
    wait_until(lambda: (board.directory / "state" / "proved").exists(), "not proved")
    board.kill()
    return board


def test_network_that_is_back_is_not_left_for_the_reason_it_was_gone(
    make_board: BoardMaker, observer: Observer, wait_until: Callable[..., None]
) -> None:
    """The driver goes on telling the old reason, until there is an address; that may take longer than a scan."""
    board = make_board()
    board.world("wifi", "down")
    board.start()
    wait_until(lambda: "no such network" in board.log_text(), "found")
    board.world("wifi", "slow")
    back = time.monotonic()

    assert observer.heartbeat(timeout=40).at - back < 12


@pytest.mark.parametrize("kind", ["no-lan", "spi-only"])
def test_a_chip_without_ethernet_says_so_once_and_waits(kind: str, scripts: Scripts) -> None:
    result = wired(scripts, kind, 0)

    assert result["lines"] == ["ethernet: joining by cable", NO_ETHERNET]
    assert not result["joined"]
    assert result["idled"] > 2000  # every turn of the waiting is one with idle()


def test_an_unknown_phy_is_no_loop_either(scripts: Scripts) -> None:
    result = wired(scripts, "fine", 3000, {"ethernet": {"phy": "LAN9999", "mdc": 23, "mdio": 18}})

    assert NO_ETHERNET in result["lines"]
    assert result["idled"] > 2000


@pytest.mark.parametrize(
    ("weather", "why"),
    [
        ("wrong", "could not join home: wrong password"),
        ("down", "could not join home: no such network in reach"),
    ],
)
def test_the_desktops_wifi_fails_as_the_world_says(weather: str, why: str, scripts: Scripts) -> None:
    world = scripts.folder / "world"
    world.mkdir()
    (world / "wifi").write_text(weather)

    result = scripts.run("net", "shim", 20)

    assert (result["joined"], result["why"]) == (False, why)
    (world / "wifi").unlink()
    assert scripts.run("net", "shim", 20)["joined"]


def test_the_desktops_ethernet_fails_as_the_world_says(scripts: Scripts) -> None:
    world = scripts.folder / "world"
    world.mkdir()
    assert wired(scripts, "shim", 20)["joined"]

    (world / "ethernet").write_text("down")
    assert not wired(scripts, "shim", 20)["joined"]
    (world / "ethernet").write_text("none")
    assert wired(scripts, "shim", 20)["lines"] == ["ethernet: joining by cable", NO_ETHERNET]
