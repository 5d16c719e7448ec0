"""The board reads the claim codes the server makes, and says what is wrong with the others."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from svitlo import claims

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

CONFIG: dict[str, Any] = {
    "v": 1,
    "device_id": "kitchen-1",
    "password": "Tj3-_?>~ пароль",
    "mqtt": {"host": "192.168.1.10", "port": 1883, "tls": False},
    "interval_s": 10,
    "keepalive_s": 10,
}
CODE = claims.encode(CONFIG)
HEAD, BODY, CRC = CODE.split(".")
FOREIGN = "this is no claim code: one begins with svitlo1"
NEWER = "the claim code is from a newer server: the firmware has to be updated first"
SHORT = "the claim code is incomplete: copy all of it"
WRONG = "the claim code has a typing error (its checksum is wrong): copy it again"


def decode(scripts: Scripts, *codes: str) -> list[Any]:
    (scripts.folder / "codes.json").write_text(json.dumps(codes))
    answers: list[Any] = scripts.run("claim")
    return answers


def forged(data: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")
    return f"svitlo1.{body}.{claims._checksum(body)}"


def test_the_board_reads_what_the_server_writes(scripts: Scripts) -> None:
    # Every length modulo three, so that each amount of missing padding is met; bytes that need - and _.
    configs = [CONFIG | {"password": "?>~" * 3 + "x" * length} for length in range(6)]
    codes = [claims.encode(config) for config in configs]

    assert any("-" in code or "_" in code for code in codes)
    assert decode(scripts, *codes) == configs
    assert [claims.decode(code) for code in codes] == configs


def test_the_network_stays_out_and_the_authority_goes_in(scripts: Scripts) -> None:
    ca = bytes(range(256)) * 3
    code = claims.encode(CONFIG | {"wifi": {"ssid": "home", "password": "secret"}, "ethernet": {}}, ca)

    (read,) = decode(scripts, code)

    assert claims.authority(read) == ca
    del read["ca"]
    assert read == CONFIG


def test_copying_may_break_lines_and_bring_the_address_along(scripts: Scripts) -> None:
    broken = "\r\n ".join(CODE[i : i + 40] for i in range(0, len(CODE), 40))
    shouted = f"SVITLO1.{BODY}.{CRC.upper()}"

    answers = decode(scripts, f"  {broken}\n", claims.setup_url(CODE), shouted, f"\t#{CODE}")

    assert answers == [CONFIG] * 4


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("", "the claim code is missing"),
        (" \n", "the claim code is missing"),
        ("http://192.168.4.1/#", "the claim code is missing"),
        ("my password", FOREIGN),
        ("svitlo-AB12", FOREIGN),
        (BODY, FOREIGN),
        (CODE.replace("svitlo1", "svitlo2"), NEWER),
        (forged({"v": 2, "mqtt": {}}), NEWER),
        (forged([1]), NEWER),
        ("svitlo", SHORT),
        ("svitlo1", SHORT),
        (f"{HEAD}.{BODY[:100]}", SHORT),
        (CODE[:-1], SHORT),
        (CODE + "0", WRONG),
        (CODE + ".x", WRONG),
        (f"{HEAD}.{BODY.swapcase()}.{CRC}", WRONG),
        (f"{HEAD}.é{BODY}.{CRC}", WRONG),
    ],
)
def test_what_is_wrong_is_said(code: str, complaint: str, scripts: Scripts) -> None:
    assert decode(scripts, code) == [complaint]


def test_no_single_change_goes_unseen(scripts: Scripts) -> None:
    changed = [CODE[:at] + ("A" if CODE[at] != "A" else "B") + CODE[at + 1 :] for at in range(8, len(CODE))]

    answers = decode(scripts, *changed[:60], *changed[-60:])

    assert all(isinstance(answer, str) for answer in answers)


def test_the_server_refuses_a_broken_code_too() -> None:
    with pytest.raises(ValueError, match="typing error"):
        claims.decode(f"{HEAD}.{BODY}A.{CRC}")
