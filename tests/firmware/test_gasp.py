"""A board with a mains sensor: the last gasp, life on the battery, and what the journal tells afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from svitlo.simulator.micropython import MicroPythonBoard, UmqttSource
from tests.support.hostile import HostileBroker, Packet, Session, Step, late
from tests.support.wait import eventually

if TYPE_CHECKING:
    from tests.firmware.conftest import BoardMaker, Broker, Observer

SENSOR = {"mains": {"kind": "gpio", "pin": 34, "active": "low"}}
THERE, GONE = 0, 1


@pytest.fixture
def sensing(make_board: BoardMaker) -> MicroPythonBoard:
    """A board whose optocoupler pulls pin 34 low while the mains is there."""
    board = make_board(more=SENSOR)
    board.world("pin-34", THERE)
    return board


def kinds(observer: Observer) -> list[tuple[str, float]]:
    """What the journals said, in order of arrival: kind and t_s."""
    journals = [message for message in observer.messages if message.topic.endswith("/journal")]
    return [(entry["kind"], entry["t_s"]) for message in journals for entry in message.body["entries"]]


def test_mains_lost_goes_out_at_once_and_acknowledged(sensing: MicroPythonBoard, observer: Observer) -> None:
    sensing.start()
    observer.heartbeat(mains=True)
    cut = time.monotonic()
    sensing.world("pin-34", GONE)

    gasp = observer.status("offline", reason="mains_lost", conn=1)
    assert gasp.qos == 1
    beat = observer.heartbeat(mains=False, since=cut)
    assert beat.at >= gasp.at
    later = observer.heartbeat(mains=False, since=beat.at + 0.5)  # it lives on, on its battery
    assert later.body["boot"] == gasp.body["boot"]


def test_board_on_its_battery_does_not_call_itself_online(
    sensing: MicroPythonBoard, observer: Observer, broker: Broker
) -> None:
    sensing.start()
    observer.heartbeat(mains=True)
    sensing.world("pin-34", GONE)
    observer.status("offline", reason="mains_lost", conn=1)
    cut = time.monotonic()

    # Somebody's stale word is corrected with the state of now, and a new connection begins with it.
    observer.publish("svitlo/devices/demo-1/status", b'{"v":1,"state":"offline","boot":"old","conn":1}', retain=True)
    observer.status("offline", reason="mains_lost", conn=1, since=cut)
    broker.stop()
    broker.start()
    observer.status("offline", reason="mains_lost", conn=2, since=cut)
    observer.heartbeat(mains=False, conn=2)
    assert not [m for m in observer.messages if m.at > cut and m.body.get("state") == "online"]

    sensing.world("pin-34", THERE)
    beat = observer.heartbeat(mains=True, since=cut)
    assert observer.status("online", conn=2, since=cut).at >= beat.at


def test_mains_lost_while_nobody_listens_is_told_afterwards_with_its_time(
    sensing: MicroPythonBoard, observer: Observer, broker: Broker, wait_until: Callable[..., None]
) -> None:
    sensing.start()
    observer.heartbeat(mains=True)
    observer.wait(lambda m: m.topic.endswith("/journal"), "journal of the boot")
    listens_again = observer.expect_return()
    broker.stop()
    wait_until(lambda: "next attempt" in sensing.log_text(), "not noticed")
    lost = [time.monotonic()]
    sensing.world("pin-34", GONE)
    wait_until(lambda: "mains: lost" in sensing.log_text(), "mains not noticed")
    lost.append(time.monotonic())
    time.sleep(1)
    back = [time.monotonic()]
    sensing.world("pin-34", THERE)
    wait_until(lambda: sensing.log_text().count("mains: there") == 1, "mains not noticed")
    back.append(time.monotonic())
    sensing.freeze()  # what it tells is not kept for those who come later
    broker.start()
    listens_again()
    thawed = time.monotonic()
    sensing.thaw()

    wait_until(lambda: len(kinds(observer)) >= 5, "no journal", 60)
    assert [kind for kind, _ in kinds(observer)] == ["boot", "net_lost", "mains_lost", "mains_back", "net_back"]
    arrived = next(m.at for m in observer.messages if b"mains_lost" in m.payload and m.topic.endswith("/journal"))
    told = dict(kinds(observer))
    # Told is the time since, in whole seconds; it was sent after the thaw, and before it arrived.
    assert lost[0] - arrived - 1 <= told["mains_lost"] <= lost[1] - thawed + 1
    assert back[0] - arrived - 1 <= told["mains_back"] <= back[1] - thawed + 1
    assert told["net_lost"] <= told["mains_lost"]


def test_mains_lost_on_a_dead_link_survives_the_end_of_the_capacitor(
    sensing: MicroPythonBoard, observer: Observer, broker: Broker, wait_until: Callable[..., None]
) -> None:
    sensing.start()
    observer.heartbeat(mains=True)
    broker.freeze()
    sensing.world("pin-34", GONE)
    cut = time.time()
    wait_until(lambda: (sensing.directory / "state" / "j-0").exists(), "nothing kept", 15)
    assert time.time() - cut < 2  # before it gives up to wait for an answer
    sensing.kill()
    broker.thaw()
    sensing.world("pin-34", THERE)
    sensing.start()

    wait_until(lambda: "mains_lost" in dict(kinds(observer)), "not told", 30)
    arrived = time.time()
    assert dict(kinds(observer))["mains_lost"] == pytest.approx(cut - arrived, abs=5)
    assert "net_lost" not in dict(kinds(observer))  # that was in RAM alone


def test_return_of_the_mains_that_was_not_heard_has_the_time_of_the_return(
    make_board: BoardMaker, observer: Observer, broker: Broker, wait_until: Callable[..., None]
) -> None:
    """Not that of the end of the wait for an answer, a keepalive later."""
    sensing = make_board(more=SENSOR, keepalive_s=10)
    sensing.world("pin-34", THERE)
    sensing.start()
    observer.heartbeat(mains=True)
    sensing.world("pin-34", GONE)
    observer.status("offline", reason="mains_lost")
    broker.freeze()
    sensing.world("pin-34", THERE)
    back = time.monotonic()
    wait_until(lambda: "next attempt" in sensing.log_text(), "not noticed", 30)
    broker.thaw()

    wait_until(lambda: "mains_back" in dict(kinds(observer)), "not told", 60)
    arrived = next(m.at for m in observer.messages if b"mains_back" in m.payload)
    assert dict(kinds(observer))["mains_back"] == pytest.approx(back - arrived, abs=5)  # a keepalive is ten


def test_what_was_told_live_is_not_told_again(sensing: MicroPythonBoard, observer: Observer) -> None:
    sensing.start()
    observer.heartbeat(mains=True)
    sensing.world("pin-34", GONE)
    observer.status("offline", reason="mains_lost")
    sensing.world("pin-34", THERE)
    cut = time.monotonic()
    observer.heartbeat(mains=True, since=cut)
    observer.heartbeat(mains=True, since=cut + 2)

    assert [kind for kind, _ in kinds(observer)] == ["boot"]


def test_board_without_a_sensor_says_null(board: MicroPythonBoard, observer: Observer) -> None:
    board.start()
    body: dict[str, Any] = observer.heartbeat(seq=2).body

    assert body["mains"] is None
    assert body["volts"] is None


class Witness(HostileBroker):
    """Keeps what the board publishes: when, QoS and payload, under the last part of the topic."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[float, str, int, dict[str, Any]]] = []

    def hear(self, packet: Packet) -> None:
        leaf = packet.topic.rsplit("/", 1)[1]
        self.heard.append((time.monotonic(), leaf, packet.flags >> 1 & 3, json.loads(packet.payload)))

    def said(self, leaf: str, **fields: Any) -> list[tuple[float, int]]:
        """When and at which QoS something with these fields was said."""
        return [(at, qos) for at, on, qos, body in list(self.heard) if on == leaf and fields.items() <= body.items()]

    def told(self) -> dict[str, float]:
        """When the journal says that each kind of thing happened, the last of each (monotonic)."""
        journals = [(at, body) for at, leaf, _, body in list(self.heard) if leaf == "journal"]
        return {entry["kind"]: at + entry["t_s"] for at, body in journals for entry in body["entries"]}

    def _published(self, session: Session, packet: Packet) -> bool:
        self.hear(packet)
        return super()._published(session, packet)


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness() as broker:
        yield broker


@pytest.fixture
def waiting(witness: Witness, umqtt: UmqttSource, tmp_path: Path) -> Iterator[MicroPythonBoard]:
    """A board with a sensor that beats; it waits up to ten seconds for an answer."""
    with MicroPythonBoard(
        tmp_path,
        device_id="board",
        password="secret",
        umqtt=umqtt,
        mqtt_port=witness.port,
        interval_s=1,
        keepalive_s=10,
        more=SENSOR,
    ) as board:
        board.world("pin-34", THERE)
        board.start()
        eventually(lambda: witness.said("heartbeat", mains=True), 30, "the board beats and knows the mains")
        eventually(lambda: "boot" in witness.told(), 30, "nothing waits any more")
        yield board


def test_mains_lost_does_not_wait_for_the_answer_to_something_else(waiting: MicroPythonBoard, witness: Witness) -> None:
    cut = []

    def hold(session: Session, answer: bytes) -> bool:
        waiting.world("pin-34", GONE)
        cut.append(time.monotonic())
        witness.hear(session.packet())  # there is no answer yet
        session.send(answer)
        return True

    witness.treat(Step.PUBLISH, hold)  # of the birth
    witness.drop()

    eventually(lambda: len(witness.said("status", reason="mains_lost")) >= 2, 30, "mains_lost")
    (shouted, qos), (_, again) = witness.said("status", reason="mains_lost")[:2]
    assert shouted - cut[0] < 1.0
    assert (qos, again) == (0, 1)  # the second makes sure
    eventually(lambda: witness.said("heartbeat", mains=False, conn=2), 10, "it lives on with the same connection")
    assert "mains_lost" not in witness.told()  # it was told live


def test_mains_lost_that_meets_no_answer_is_kept_with_its_time_before_a_capacitor_is_empty(
    waiting: MicroPythonBoard, witness: Witness
) -> None:
    cut = []
    ended = []

    def hold(session: Session, answer: bytes) -> bool:
        waiting.world("pin-34", GONE)
        cut.append(time.monotonic())
        session.wait_for_the_end()
        ended.append(time.monotonic())
        return False

    witness.treat(Step.PUBLISH, hold)
    witness.drop()

    eventually(lambda: (waiting.directory / "state" / "j-0").exists(), 30, "kept in flash")
    assert time.monotonic() - cut[0] < 2
    eventually(lambda: "mains_lost" in witness.told(), 60, "told after all")
    assert witness.told()["mains_lost"] == pytest.approx(cut[0], abs=0.7)
    assert 1.5 < ended[0] - cut[0] < 4  # ten, if it were not in a hurry


def test_return_of_the_mains_is_told_after_a_long_wait_too(waiting: MicroPythonBoard, witness: Witness) -> None:
    waiting.world("pin-34", GONE)
    eventually(lambda: witness.said("heartbeat", mains=False), 10, "lost")
    back = []

    def hold(session: Session, answer: bytes) -> bool:
        waiting.world("pin-34", THERE)
        back.append(time.monotonic())
        return late(4)(session, answer)

    witness.treat(Step.PUBLISH, hold)  # of the first word on the new connection, that it is on its battery
    witness.drop()

    eventually(lambda: witness.said("status", state="online", conn=2), 30, "it is back")
    assert witness.said("status", state="online", conn=2)[0][1] == 1
    assert witness.said("heartbeat", mains=True, conn=2)
    eventually(lambda: "mains_back" in witness.told(), 20, "told with its time")
    assert witness.told()["mains_back"] < back[0] + 3, "when it came back, not when the answer did"


def test_mains_that_blinks_while_an_answer_is_waited_for_is_told(waiting: MicroPythonBoard, witness: Witness) -> None:
    cut = []

    def hold(session: Session, answer: bytes) -> bool:
        cut.append(time.monotonic())
        for level in (GONE, THERE):
            waiting.world("pin-34", level)
            time.sleep(0.8)
        return late(0)(session, answer)

    witness.treat(Step.PUBLISH, hold)
    witness.drop()

    eventually(lambda: "mains_lost" in witness.told(), 30, "told")
    assert witness.told()["mains_lost"] == pytest.approx(cut[0], abs=0.7)
    eventually(lambda: witness.said("heartbeat", mains=True, conn=2), 10, "it is there")
