"""What a board has to live through alone: no visit, no restart by hand."""

from __future__ import annotations

import binascii
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from svitlo.contracts import Command, CommandWord
from svitlo.firmware import sign
from svitlo.simulator.micropython import MicroPythonBoard, UmqttSource, environment, interpreter
from tests.support.hostile import HostileBroker, Packet, Session, Step, message
from tests.support.wait import eventually

if TYPE_CHECKING:
    from tests.firmware.conftest import BoardMaker, Broker

SENSOR = {"mains": {"kind": "gpio", "pin": 34, "active": "low"}}
GONE = 1
KEY = bytes(range(32))


class Lives:
    """Runs life_mpy.py in the directory of a board."""

    def __init__(self, umqtt: UmqttSource) -> None:
        self._umqtt = umqtt

    def __call__(self, way: str, board: MicroPythonBoard, timeout: float = 60) -> tuple[dict[str, Any], str]:
        done = subprocess.run(
            [*interpreter("80wk", Path(__file__).with_name("life_mpy.py")), way],
            cwd=board.directory,
            env=environment(self._umqtt),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1]), done.stdout


@pytest.fixture
def live(umqtt: UmqttSource) -> Lives:
    return Lives(umqtt)


@pytest.fixture
def hostile() -> Iterator[HostileBroker]:
    with HostileBroker() as broker:
        yield broker


def test_board_that_starts_on_its_battery_waits_for_the_network_without_spinning(
    make_board: BoardMaker, live: Lives
) -> None:
    board = make_board(more=SENSOR)
    board.world("pin-34", GONE)
    board.world("wifi", "down")

    life, log = live("waiting", board)

    assert "mains: lost" in log
    assert [took >= asked - 5 for asked, took in life["waits"][4:]] == [True] * 8, life["waits"]


def test_network_that_leads_nowhere_is_started_over(make_board: BoardMaker, broker: Broker, live: Lives) -> None:
    board = make_board()
    broker.stop()

    _, log = live("failing", board)

    assert log.count("wifi: joining") == 3  # at first, and each tenth time
    assert log.count("wifi: joined") == 3


def test_board_whose_driver_has_no_memory_left_starts_anew(make_board: BoardMaker, live: Lives) -> None:
    board = make_board()
    board.directory.joinpath("state").mkdir()
    proved = b"1"
    board.directory.joinpath("state", "proved").write_bytes(proved + _crc(proved))

    life, _ = live("starving", board)

    assert life["code"] == "restart"
    assert life["attempts"] == 2


def test_board_that_was_never_in_keeps_its_time_for_set_up_without_memory(make_board: BoardMaker, live: Lives) -> None:
    life, _ = live("starving", make_board())

    assert life["code"] == 0
    assert life["attempts"] == 7


def test_name_without_an_ipv4_address_leaves_the_known_one(make_board: BoardMaker, live: Lives) -> None:
    life, log = live("nameless", make_board())

    assert [entry for entry in life["addresses"] if entry.startswith("to ")] == ["to 127.0.0.1"] * 5
    assert "TypeError" not in log
    assert "IndexError" not in log


def test_certificate_that_is_none_leads_to_a_text_not_to_restarts(make_board: BoardMaker, live: Lives) -> None:
    board = make_board()
    config = json.loads((board.directory / "config.json").read_text())
    config["mqtt"]["tls"] = True
    (board.directory / "config.json").write_text(json.dumps(config))
    (board.directory / "ca.der").write_bytes(b"-----BEGIN CERTIFICATE-----\n")

    life, log = live("failing", board)

    assert life["code"] == 0
    assert "link: ca.der is not a certificate in DER form" in log


class Slow(HostileBroker):
    """Answers everything in time, and nothing soon."""

    seconds = 0.0

    def _answered(self, session: Session, step: Step, answer: bytes) -> bool:
        if answer:
            time.sleep(self.seconds)
        return super()._answered(session, step, answer)


def test_slow_answers_one_after_the_other_do_not_bring_the_watchdog(tmp_path: Path, umqtt: UmqttSource) -> None:
    """Each within its deadline, all together longer than the watchdog waits."""
    with Slow() as broker, _board(tmp_path / "board", umqtt, broker, keepalive_s=5) as board:
        board.world("watchdog", 6_000)
        board.start()
        eventually(lambda: broker.beats, 60, "the board beats")
        broker.seconds = 2
        broker.drop()
        begun = time.monotonic()

        eventually(lambda: len(broker.heard_since(begun)) >= 3 or not board.running, 60, "the board beats again")
        assert not (board.directory / "world" / "bitten").exists(), board.log_text()
        assert len({beat.body["boot"] for beat in broker.beats}) == 1


class Speaking(HostileBroker):
    """Says things nobody asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[dict[str, Any]] = []

    def _published(self, session: Session, packet: Packet) -> bool:
        if packet.topic.endswith("/report"):
            self.reports.append(json.loads(packet.payload))
        return super()._published(session, packet)

    def say(self, topic: str, payload: bytes) -> None:
        self._living[-1].send(message(topic, payload))


class Closed(Speaking):
    """Lets nobody subscribe to pieces of an update, as a broker whose roles are older than updates."""

    def _answered(self, session: Session, step: Step, answer: bytes) -> bool:
        if step is Step.SUBSCRIBE and "svitlo/devices/board/update" in session.subscribed:
            answer = answer[:-1] + b"\x80"
        return super()._answered(session, step, answer)


def test_refused_update_topic_does_not_cost_the_connection(tmp_path: Path, umqtt: UmqttSource) -> None:
    with Closed() as broker, _board(tmp_path / "board", umqtt, broker, more={"update_key": KEY.hex()}) as board:
        board.start()
        eventually(lambda: len(broker.beats) >= 2, 60, "the board beats")
        broker.say("svitlo/devices/board/command", _update())
        eventually(lambda: "update: version 9.9.9" in board.log_text(), 30, "the update begins")
        begun = time.monotonic()
        eventually(lambda: len(broker.heard_since(begun)) >= 4, 60, "the board beats on")

        assert {beat.session for beat in broker.beats} == {1}, board.log_text()


def test_order_without_memory_for_it_is_answered_and_costs_no_connection(tmp_path: Path, umqtt: UmqttSource) -> None:
    script = Path(__file__).with_name("life_mpy.py")
    with Speaking() as broker, _board(tmp_path / "board", umqtt, broker, script=script, heap="80wk") as board:
        board.world("way", "hungry")
        board.start()
        eventually(lambda: len(broker.beats) >= 2, 60, "the board beats")
        broker.say("svitlo/devices/board/command", _update())
        eventually(lambda: broker.reports, 60, "the board answers")
        begun = time.monotonic()
        eventually(lambda: len(broker.heard_since(begun)) >= 3, 60, "the board beats on")

        assert {beat.session for beat in broker.beats} == {1}, board.log_text()
        assert broker.reports[0]["order"] == "o-1"
        assert broker.reports[0]["state"] == "failed"


def _nonsense() -> list[bytes]:
    """Commands of up to 1024 bytes that no server sends; each looks like an order up to a point."""
    head = b'{"v":1,"command":"identify","order":"o","a":'
    signed = (
        b'{"v":1,"command":"%s","order":"o","serial":%s,"size":1,"version":"1","sha256":"a","password":"p","mac":%s}'
    )
    room = 1022 - len(head)
    return [
        *[head + (b"[" + b"[]," * ((room - 5) // 3) + b"0]}")] * 8,
        *[head + (b"[" + b"{}," * ((room - 5) // 3) + b"0]}")] * 8,
        head + b"[" * (room // 2) + b"]" * (room // 2) + b"}",
        head + b'{"a":' * (room // 6) + b"0" + b"}" * (room // 6) + b"}",
        head + b"9" * room + b"}",
        head + b"1e999}",
        head + b"-" * room + b"}",
        head + b'"' + b"\\u0000" * (room // 6 - 1) + b'"}',
        head + b'"' + b"\\ud800" * (room // 6 - 1) + b'"}',
        b'{"v":1,"command":"identify","order":"\\ud800\\udfff"}',
        b'{"v":1,"command":"identify","order":"\xff\xfe"}',
        b'{"v":1,"command":"identify","order":"' + "є".encode() * 36 + b'"}',
        b'{"v":1,"command":"identify","order":"a\\nb\\u0007"}',
        b'{"v":1,"command":["identify"]}',
        b'{"v":1,"command":"reboot","order":[]}',
        b'{"v":1,"command":"reboot","order":""}',
        b'{"v":[1],"command":"reboot"}',
        b"\x00" * 1024,
        b"",
        b"null",
        *[
            signed % (word, serial, mac)
            for word in (b"update", b"rotate")
            for serial in (b"1", b"true", b"1e9", b"-5", b"9" * 700, b'"1"', b"null", b"[]")
            for mac in (b"null", b"5", b"[]", b'"zz"', b'"' + b"a" * 64 + b'"', '"є"'.encode())
        ],
    ]


def test_orders_that_are_nonsense_cost_neither_the_connection_nor_the_heap(tmp_path: Path, umqtt: UmqttSource) -> None:
    with Speaking() as broker, _board(tmp_path / "board", umqtt, broker, more={"update_key": KEY.hex()}) as board:
        board.start()
        eventually(lambda: len(broker.beats) >= 2, 60, "the board beats")
        heap = broker.beats[-1].body["heap"]
        for payload in _nonsense():
            assert len(payload) <= 1024
            broker.say("svitlo/devices/board/command", payload)
        begun = time.monotonic()
        eventually(lambda: len(broker.heard_since(begun)) >= 4 or not board.running, 60, "the board beats on")

        assert {beat.session for beat in broker.beats} == {1}, board.log_text()
        assert "MemoryError" not in board.log_text()
        assert "done" not in {report["state"] for report in broker.reports if report["order"] == "o-1"}
        print(f"heap {heap} before, {broker.beats[-1].body['heap']} after")


def _update() -> bytes:
    order = Command(command=CommandWord.UPDATE, order="o-1", serial=1, version="9.9.9", size=5_000, sha256="ab" * 32)
    fields = {name: getattr(order, name) for name in ("order", "serial", "version", "size", "sha256")}
    return json.dumps({"v": 1, "command": "update", **fields, "mac": sign(KEY, "board", order)}).encode()


def _board(here: Path, umqtt: UmqttSource, broker: HostileBroker, **options: Any) -> MicroPythonBoard:
    return MicroPythonBoard(
        here,
        device_id="board",
        password="secret",
        umqtt=umqtt,
        mqtt_port=broker.port,
        interval_s=1,
        **{"keepalive_s": 12, **options},  # the broker is a thread of ours, which may stand still
    )


def _crc(data: bytes) -> bytes:
    return binascii.crc32(data).to_bytes(4, "little")
