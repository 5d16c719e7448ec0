"""A board on a real broker keeps the wire contract, and comes back from whatever happens."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from svitlo.firmware import bundle

if TYPE_CHECKING:
    from svitlo.simulator.micropython import MicroPythonBoard
    from tests.firmware.conftest import BoardMaker, Broker, Observer

STATUS = "svitlo/devices/demo-1/status"
HEARTBEAT = "svitlo/devices/demo-1/heartbeat"
COMMAND = "svitlo/devices/demo-1/command"

GARBAGE = (
    b"",
    b"reboot",
    b"{",
    b"[1]",
    b"null",
    b"\xff\xfe\x00",
    b'{"v":2,"command":"reboot"}',
    b'{"command":"reboot"}',
    b'{"v":1,"command":"explode"}',
    b'{"v":1,"command":null}',
    b'{"v":1,"command":{"a":1}}',
    b'{"v":1,"command":["reboot"]}',
    b'{"v":1,"command":"reboot","pad":"' + b"x" * 1024 + b'"}',
    b"x" * 100_000,
    b"[" * 1000,
)

WaitUntil = Callable[..., None]


def test_heartbeat_has_exactly_the_fields_of_the_contract(
    board: MicroPythonBoard, observer: Observer, wait_until: WaitUntil
) -> None:
    board.start()
    first = observer.heartbeat(seq=1)
    second = observer.heartbeat(seq=2)

    body = dict(second.body)
    assert re.fullmatch(r"[0-9a-f]{8}", body.pop("boot"))
    assert 0 <= body.pop("uptime_s") < 10
    assert 1_000 < body.pop("heap") < 200_000
    assert body.pop("rssi") in range(-120, 1)
    ts = body.pop("ts")
    assert isinstance(ts, int)
    assert abs(ts - time.time()) < 10
    assert body == {
        "v": 1,
        "boots": 1,
        "conn": 1,
        "seq": 2,
        "interval_s": 1,
        "reset": "power_on",
        "mains": None,
        "volts": None,
        "fw": bundle().version,
    }
    assert second.topic == HEARTBEAT
    assert second.qos == 0
    assert len(second.payload) <= 1024

    def beat_by_beat() -> bool:
        came = [message.at for message in observer.messages if message.topic == HEARTBEAT]
        return any(0.5 < later - earlier < 2 for earlier, later in pairwise(came))

    assert first.at < second.at
    wait_until(beat_by_beat, "no two heartbeats came a second apart")


def test_birth_is_retained_and_names_its_session(board: MicroPythonBoard, observer: Observer, broker: Broker) -> None:
    board.start()
    boot = observer.heartbeat().body["boot"]
    birth = observer.status("online")

    assert birth.topic == STATUS
    assert birth.qos == 1
    expected = {"v": 1, "state": "online", "boot": boot, "conn": 1, "keepalive_s": 5, "interval_s": 1}
    assert birth.body == expected
    assert broker.retained(STATUS) == expected
    assert broker.retained(HEARTBEAT)["boot"] == boot


def test_first_heartbeat_follows_the_birth_at_once(make_board: BoardMaker, observer: Observer) -> None:
    make_board(interval_s=60).start()

    assert observer.heartbeat().at - observer.status("online").at < 10  # the next is due after 60


def test_power_cut_brings_the_will_of_that_session_at_once(
    make_board: BoardMaker, observer: Observer, broker: Broker
) -> None:
    board = make_board(keepalive_s=60)
    board.start()
    boot = observer.heartbeat().body["boot"]

    cut = time.monotonic()
    board.kill()

    will = observer.status("offline", since=cut)
    expected = {
        "v": 1,
        "state": "offline",
        "reason": "lwt",
        "boot": boot,
        "conn": 1,
        "keepalive_s": 60,
        "interval_s": 1,
    }
    assert will.body == expected
    assert will.qos == 1
    assert will.at - cut < 15  # silence would show after 90
    assert broker.retained(STATUS) == expected


def test_goodbye_is_a_bye_and_no_will(board: MicroPythonBoard, observer: Observer, broker: Broker) -> None:
    board.start()
    boot = observer.heartbeat(seq=2).body["boot"]

    assert board.goodbye() == 0

    bye = observer.status("offline")
    expected = {
        "v": 1,
        "state": "offline",
        "reason": "bye",
        "boot": boot,
        "conn": 1,
        "keepalive_s": 5,
        "interval_s": 1,
    }
    assert bye.body == expected
    observer.publish("svitlo/fence", b"{}")  # whatever the broker had to say before this has been said
    observer.wait(lambda message: message.topic == "svitlo/fence", "fence")
    offline = [m.body["reason"] for m in observer.messages if m.body.get("state") == "offline"]
    assert offline == ["bye"]
    assert broker.retained(STATUS) == expected
    assert "said goodbye" in board.log_text()


def test_goodbye_while_the_broker_is_away_ends_all_the_same(
    board: MicroPythonBoard, broker: Broker, wait_until: WaitUntil
) -> None:
    broker.stop()
    board.start()
    wait_until(lambda: "next attempt" in board.log_text(), "the board did not try")

    assert board.goodbye() == 0


def test_broker_restart_leaves_the_board_online_with_the_next_connection(
    board: MicroPythonBoard, observer: Observer, broker: Broker, wait_until: WaitUntil
) -> None:
    board.start()
    boot = observer.heartbeat(seq=2).body["boot"]

    broker.stop(signal.SIGTERM)
    wait_until(lambda: "next attempt" in board.log_text(), "the board did not notice")
    broker.start()

    back = observer.heartbeat(conn=2, timeout=45)
    assert back.body["boot"] == boot
    assert back.body["boots"] == 1
    assert broker.retained(STATUS) | {"v": 1} == observer.status("online", conn=2).body


def test_killed_broker_leaves_the_board_online_with_the_next_connection(
    board: MicroPythonBoard, observer: Observer, broker: Broker
) -> None:
    board.start()
    observer.heartbeat()

    broker.stop(signal.SIGKILL)
    broker.start()

    observer.heartbeat(conn=2, timeout=45)
    assert broker.retained(STATUS)["state"] == "online"


def test_frozen_broker_is_noticed_within_the_keepalive(
    make_board: BoardMaker, observer: Observer, broker: Broker, wait_until: WaitUntil
) -> None:
    board = make_board(keepalive_s=3)
    board.start()
    boot = observer.heartbeat(seq=2).body["boot"]

    for number in range(1, 4):
        broker.freeze()
        frozen = time.monotonic()
        try:
            wait_until(lambda number=number: board.log_text().count("no answer for") >= number, "not noticed")
            took = time.monotonic() - frozen
        finally:
            broker.thaw()
        thawed = time.monotonic()

        def back_online(number: int = number) -> bool:
            last = int(re.findall(r"connection (\d+)", board.log_text())[-1])
            retained = broker.retained(STATUS)
            return last > number and retained.get("state") == "online" and retained.get("conn") == last

        wait_until(back_online, "the board is not back online", timeout=30)
        assert observer.heartbeat(boot=boot, since=thawed).body["boots"] == 1
        if took < 3 + 1.5:
            break  # else the machine itself stood still, which it does not each time
    assert took < 3 + 1.5


def test_board_frozen_for_longer_than_an_answer_may_take_keeps_its_connection(
    make_board: BoardMaker, observer: Observer
) -> None:
    board = make_board(keepalive_s=6)
    for _ in range(4):
        began = time.monotonic()
        board.start()
        heard = observer.heartbeat(seq=2, since=began).at
        board.freeze()
        time.sleep(6.3)
        board.thaw()
        thawed = time.monotonic()
        if thawed - heard < 8.5:
            break  # else the broker, who waits for 9 s, may have ended it
        board.kill()

    observer.heartbeat(since=thawed, conn=1)
    observer.heartbeat(since=thawed + 4.5, conn=1)


def test_stale_offline_is_corrected(board: MicroPythonBoard, observer: Observer, broker: Broker) -> None:
    board.start()
    observer.heartbeat()
    stale = {"v": 1, "state": "offline", "reason": "lwt", "boot": "00000000", "conn": 9}

    said = time.monotonic()
    observer.publish(STATUS, json.dumps(stale).encode(), retain=True)

    observer.status("online", since=said, conn=1)
    assert broker.retained(STATUS)["state"] == "online"
    assert "read offline while alive" in board.log_text()


def test_take_over_by_the_same_device_leaves_it_online(
    make_board: BoardMaker, observer: Observer, broker: Broker
) -> None:
    old = make_board(folder="old")
    old.start()
    first = observer.heartbeat().body["boot"]
    old.freeze()  # the broker still has this session when the next one comes

    began = time.monotonic()
    make_board(folder="new").start()

    second = observer.heartbeat(since=began).body["boot"]
    assert second != first
    observer.status("offline", reason="lwt", boot=first)
    assert broker.retained(STATUS)["boot"] == second
    assert broker.retained(STATUS)["state"] == "online"


def test_boots_are_counted_and_differ(board: MicroPythonBoard, observer: Observer) -> None:
    board.start()
    first = observer.heartbeat(boots=1).body
    board.kill()
    board.start()
    second = observer.heartbeat(boots=2).body

    assert first["boot"] != second["boot"]
    assert second["conn"] == 1
    assert second["seq"] == 1


@pytest.mark.parametrize("content", [b"", b"forty", b"\xff\xfe", b"-3", b"9" * 400])
def test_unreadable_boot_count_starts_again(content: bytes, board: MicroPythonBoard, observer: Observer) -> None:
    (board.directory / "boots").write_bytes(content)
    board.start()

    observer.heartbeat(boots=1)


def test_reset_cause_is_reported(board: MicroPythonBoard, observer: Observer) -> None:
    board.start()
    observer.heartbeat(reset="power_on")
    for boots, cause in enumerate(("watchdog", "hard", "soft", "deepsleep"), start=2):
        board.kill()
        board.start(reset=cause)  # type: ignore[arg-type]
        observer.heartbeat(reset=cause, boots=boots)


def test_watchdog_reset_with_lost_rtc_memory_is_a_power_on(board: MicroPythonBoard, observer: Observer) -> None:
    board.start(reset="watchdog")

    assert observer.heartbeat().body["reset"] == "power_on"


def test_wrong_password_is_said_and_tried_again(make_board: BoardMaker, wait_until: WaitUntil) -> None:
    board = make_board(password="not-the-one")
    board.start()

    wait_until(lambda: board.log_text().count("wrong user name or password") >= 2, "it did not try twice")
    assert board.running
    assert "not-the-one" not in board.log_text()
    assert board.goodbye() == 0


def test_garbage_on_the_command_topic_is_ignored(
    board: MicroPythonBoard, observer: Observer, wait_until: WaitUntil
) -> None:
    board.start()
    observer.heartbeat()
    for payload in GARBAGE:
        observer.publish(COMMAND, payload)
    observer.publish(COMMAND, b'{"v":1,"command":"identify"}')

    wait_until(lambda: "command: identify" in board.log_text(), "identify was not obeyed")
    observer.heartbeat(since=time.monotonic(), conn=1, boots=1)
    assert "command: reboot" not in board.log_text()


def test_reboot_command_says_bye_and_boots_again(board: MicroPythonBoard, observer: Observer) -> None:
    board.start()
    before = observer.heartbeat().body
    observer.publish(COMMAND, b'{"v":1,"command":"reboot","extra":null}')

    observer.status("offline", reason="bye", boot=before["boot"])
    after = observer.heartbeat(boots=2).body
    assert after["boot"] != before["boot"]
    assert after["reset"] == "hard"


def test_two_boards_run_side_by_side(make_board: BoardMaker, observer: Observer) -> None:
    for device_id in ("demo-1", "demo-2"):
        make_board(device_id).start()

    for device_id in ("demo-1", "demo-2"):
        topic = f"svitlo/devices/{device_id}/heartbeat"
        observer.wait(lambda m, topic=topic: m.topic == topic and m.body["seq"] == 2, topic)  # type: ignore[misc]


def test_firmware_leaves_room_on_the_heap_of_an_esp32(make_board: BoardMaker, observer: Observer) -> None:
    make_board(heap="48wk").start()  # an ESP32 begins with 56, and needs none of the shims

    observer.heartbeat(seq=3)
