"""`svitlo device claim`: what a board in set-up mode needs, as one text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo import claims, registry
from svitlo.simulator.micropython import UmqttSource
from svitlo.stack.tls import make_certificates
from tests.cli.conftest import CommandLine
from tests.support.setup_mode import SetUp


@pytest.fixture
def house(svitlo: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setenv("SVITLO_PUBLIC_MQTT_URL", "mqtt://192.168.1.10:1883")

    async def work(session: AsyncSession) -> None:
        await registry.add_site(session, "house", "House")
        await registry.add_device(session, "house", "hall")

    svitlo.prepare(work)
    return svitlo


def test_the_code_is_the_configuration_without_its_network(house: CommandLine) -> None:
    shown = house("device", "claim", "hall", "--interval", "20", "--port", "1884")
    config = house("device", "config", "hall", "--interval", "20", "--port", "1884", "--ssid", "home").json

    del config["wifi"]
    assert claims.decode(shown.out.strip()) == config
    assert config["mqtt"] == {"host": "192.168.1.10", "port": 1884, "tls": False}
    assert len(config["update_key"]) == 64
    assert "svitlo-XXXX" in shown.err


def test_with_tls_the_authority_is_in_it(house: CommandLine, tmp_path: Path) -> None:
    make_certificates(tmp_path / "tls", ["broker.lan"], port=8883, owner=None)

    found = house("device", "claim", "hall", "--tls", "--data-dir", str(tmp_path))
    named = house("device", "claim", "hall", "--tls", "--ca", str(tmp_path / "tls" / "ca.der"))

    config = claims.decode(found.out.strip())
    assert config["mqtt"] == {"host": "192.168.1.10", "port": 8883, "tls": True}
    assert claims.authority(config) == (tmp_path / "tls" / "ca.der").read_bytes()
    assert named.out == found.out


def test_what_is_missing_for_tls_is_said(house: CommandLine, tmp_path: Path) -> None:
    missing = house.refused("device", "claim", "hall", "--tls", "--data-dir", str(tmp_path))
    assert missing.endswith("make it with svitlo broker tls, or name it with --ca")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert "openssl x509" in house.refused("device", "claim", "hall", "--tls", "--ca", str(tmp_path / "ca.pem"))
    (tmp_path / "long.der").write_bytes(bytes(3000))
    long = house.refused("device", "claim", "hall", "--tls", "--ca", str(tmp_path / "long.der"))
    assert long.startswith("the authority's certificate is too long for a claim code")


def test_the_qr_code_leads_to_the_boards_page(house: CommandLine) -> None:
    shown = house("device", "claim", "hall", "--qr")

    code, *rows = shown.out.splitlines()
    assert claims.decode(code)["device_id"] == "hall"
    assert len({len(row) for row in rows}) == 1
    assert len(rows) == pytest.approx(len(rows[0]) / 2, abs=1)  # two modules in each character
    assert set("".join(rows)) == set(" █▀▄")


def test_an_address_no_board_can_reach_is_said(house: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SVITLO_PUBLIC_MQTT_URL")
    assert "127.0.0.1 is the board itself" in house("device", "claim", "hall").err


def test_an_unknown_device_gets_no_code(house: CommandLine) -> None:
    assert "attic" in house.refused("device", "claim", "attic")


def test_the_boards_page_takes_the_code_that_was_printed(
    house: CommandLine, tmp_path: Path, umqtt: UmqttSource
) -> None:
    make_certificates(tmp_path / "tls", ["broker.lan"], port=8883, owner=None)
    printed = house("device", "claim", "hall", "--tls", "--data-dir", str(tmp_path)).out
    board = SetUp(tmp_path, umqtt)
    try:
        page = board.start().send(c=printed)
        board.end()
    finally:
        board.kill()

    assert "The board restarts" in page.text
    config = json.loads(board.config.read_text())
    assert (config["device_id"], config["wifi"]["ssid"]) == ("hall", "home")
    expected = claims.decode(printed.strip())
    assert config["mqtt"] == {**expected["mqtt"], "ca_crc": config["mqtt"]["ca_crc"]}
    assert (tmp_path / "ca.der").read_bytes() == claims.authority(expected)
