"""Whatever a broker does to it, the whole board comes back by itself when the broker turns good.

Each case has a board and a broker of its own; they run side by side, since most of their time is waiting. A board
first meets a good broker, then the case, then a good one again. It must be back within BOUND_S:

    what it takes to notice (a keepalive), what an operation may take (min(keepalive, 10 s)), the back-off's cap (30 s)

and without a restart: the same boot from the first heartbeat to the last.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest

from svitlo.simulator.micropython import MicroPythonBoard, UmqttSource
from svitlo.stack.tls import make_certificates
from tests.support.hostile import (
    Beat,
    HostileBroker,
    Step,
    Treatment,
    close,
    instead,
    late,
    message,
    of,
    packet,
    reset,
    stall,
)
from tests.support.throttle import Throttle
from tests.support.wait import eventually

KEEPALIVE_S = 2
PATIENT_S = 8
"""For a board that must not give its connection up, though the broker, who is a thread of ours, may stand still."""
BACK_OFF_CAP_S = 30
SIDE_BY_SIDE = 24
COMMAND = "svitlo/devices/board/command"
PUBLISH_QOS1 = packet(0x32, b"\x00\x01t\x12\x34m")


@dataclass(frozen=True)
class Case:
    """One way to be treated: where it sets in, how, and how often in a row. same: the connection must survive it."""

    name: str
    step: Step
    treatment: Treatment
    times: int = 1
    same: bool = False
    keepalive_s: int = KEEPALIVE_S

    def __str__(self) -> str:
        return self.name

    @property
    def bound_s(self) -> float:
        """From the first bad connection until heartbeats flow, for an attempt that fails; the README's formula."""
        deadline_s = min(self.keepalive_s, 10)
        return self.times * (self.keepalive_s + deadline_s + BACK_OFF_CAP_S)


@dataclass(frozen=True)
class Choke:
    """A TLS handshake that stops: after so many bytes of the broker's, and how."""

    after: int
    then: str

    def __str__(self) -> str:
        return f"handshake: {self.then} after {self.after} bytes"


ANSWERS = [("CONNACK", Step.CONNECT, 4), ("PUBACK", Step.PUBLISH, 4), ("SUBACK", Step.SUBSCRIBE, 5)]
ANSWERS += [("PINGRESP", Step.PINGREQ, 2)]


def _cuts() -> Iterator[Case]:
    """Silence, the end of the stream and a RST in the middle of each packet."""
    for name, step, size in ANSWERS:
        for after in range(size):
            yield Case(f"{name}: silence after {after} bytes", step, stall(after))
        for after in sorted({0, size // 2}):
            yield Case(f"{name}: closed after {after} bytes", step, close(after))
            yield Case(f"{name}: reset after {after} bytes", step, reset(after))
    for after in range(1, len(PUBLISH_QOS1)):
        yield Case(f"PUBLISH: silence after {after} bytes", Step.BEAT, of(PUBLISH_QOS1, stall(after)))
    for after in (0, 3):
        yield Case(f"PUBLISH: closed after {after} bytes", Step.BEAT, of(PUBLISH_QOS1, close(after)))
        yield Case(f"PUBLISH: reset after {after} bytes", Step.BEAT, of(PUBLISH_QOS1, reset(after)))
    yield Case("TCP: accepted, then nothing", Step.ACCEPT, stall())
    yield Case("TCP: accepted and closed", Step.ACCEPT, close(), times=3)
    yield Case("TCP: accepted and reset", Step.ACCEPT, reset(), times=3)


def _delays() -> Iterator[Case]:
    """An operation's deadline is the keepalive here; a ping has two thirds of it."""
    for name, step, _ in ANSWERS[:3]:
        yield Case(f"{name}: late, in time", step, late(2), keepalive_s=PATIENT_S, same=True)
        yield Case(f"{name}: too late", step, late(KEEPALIVE_S + 1))
    yield Case("PINGRESP: late, in time", Step.PINGREQ, late(1), keepalive_s=PATIENT_S, same=True)
    yield Case("PINGRESP: too late", Step.PINGREQ, late(KEEPALIVE_S + 1))


def _garbage() -> Iterator[Case]:
    """Bytes that are no packet, or not one that anybody wants."""
    dice = random.Random(7)
    things = {
        "random bytes": dice.randbytes(64),
        "more random bytes": dice.randbytes(2000),
        "a remaining length of 256 MB": b"\x30\xff\xff\xff\x7f" + b"x" * 100,
        "a remaining length of five bytes": b"\x30\xff\xff\xff\xff\x01" + b"x" * 100,
        "a remaining length without end": b"\x30" + b"\xff" * 200,
        "packets of no length": bytes(64),
        "a PUBLISH of no length": b"\x30\x00",
        "a topic longer than the packet": b"\x30\x04\x00\x08longtail",
        "a topic of no length": b"\x30\x03\x00\x00x",
        "a PUBACK nobody asked for": b"\x40\x02\x12\x34",
        "a second CONNACK": b"\x20\x02\x00\x00",
        "a PUBLISH at QoS 2": packet(0x34, b"\x00\x01t\x12\x34m"),
        "a PUBLISH at QoS 3": packet(0x36, b"\x00\x01t\x12\x34m"),
        "a payload of 100 kB": message(COMMAND, b"x" * 100_000),
        "a nest of brackets for a command": message(COMMAND, b"[" * 1000),
        "a topic that is no text": packet(0x30, b"\x00\x02\xff\xfe{}"),
        "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    }
    for name, data in things.items():
        yield Case(f"live: {name}", Step.BEAT, instead(data))
    for name in ("random bytes", "a remaining length of 256 MB", "packets of no length", "another protocol"):
        yield Case(f"for CONNACK: {name}", Step.CONNECT, instead(things[name]))
        yield Case(f"for PUBACK: {name}", Step.PUBLISH, instead(things[name]))


def _refusals() -> Iterator[Case]:
    for code in (1, 2, 3):
        yield Case(f"CONNECT: refused, code {code}", Step.CONNECT, of(bytes([32, 2, 0, code]), close(4)))
    for code in (4, 5):
        yield Case(f"CONNECT: refused thrice, code {code}", Step.CONNECT, of(bytes([32, 2, 0, code]), close(4)), 3)
    yield Case("SUBSCRIBE: not allowed", Step.SUBSCRIBE, _forbid, times=2, same=True, keepalive_s=PATIENT_S)


def _forbid(session: object, answer: bytes) -> bool:
    return instead(answer[:-1] + b"\x80")(session, answer)  # type: ignore[arg-type]


FLOOD = instead(message(COMMAND, b'{"v":1,"command":"none"}') * 10_000)
CASES = [
    *_cuts(),
    *_delays(),
    *_garbage(),
    *_refusals(),
    Case("live: 10,000 messages at once", Step.BEAT, FLOOD, same=True, keepalive_s=PATIENT_S),
]
CHOKES = [Choke(after, "stall") for after in (0, 1, 5, 50, 200, 500)]
CHOKES += [Choke(0, "reset"), Choke(200, "reset"), Choke(0, "trickle")]


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, umqtt: UmqttSource, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[str]]]:
    """What became of each case that this run asks for: nothing to complain of, or a complaint."""
    folder = tmp_path_factory.mktemp("hostile")
    certificates = folder / "tls"
    make_certificates(certificates, ["127.0.0.1"])
    asked = [item.callspec.params["case"] for item in request.session.items if item.path == request.path]  # type: ignore[attr-defined]
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    found: dict[str, Future[str]] = {}
    for number, case in enumerate(asked):
        here = folder / f"board-{number}"
        if isinstance(case, Case):
            found[str(case)] = pool.submit(_live_through, case, here, umqtt)
        else:
            found[str(case)] = pool.submit(_shake_hands, case, here, umqtt, certificates)
    yield found
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_board_comes_back_by_itself(case: Case, outcomes: dict[str, Future[str]]) -> None:
    assert outcomes[str(case)].result() == ""


@pytest.mark.parametrize("case", CHOKES, ids=str)
def test_board_gets_over_a_tls_handshake_that_stops(case: Choke, outcomes: dict[str, Future[str]]) -> None:
    assert outcomes[str(case)].result() == ""


def _live_through(case: Case, here: Path, umqtt: UmqttSource) -> str:
    with ExitStack() as stack:
        broker = stack.enter_context(HostileBroker())
        board = stack.enter_context(_board(here, umqtt, broker.port, case.keepalive_s))
        board.start()
        try:
            first = eventually(lambda: broker.beats, 60, "the board beats")[0]
            broker.treat(case.step, case.treatment, case.times)
            if case.step not in (Step.BEAT, Step.PINGREQ):  # it sets in before the board is heard
                broker.drop()
            eventually(lambda: broker.begun and not broker.left, 60 + case.bound_s, "the case comes to pass")
            return _judge(broker, board, first, broker.begun, case.bound_s, same=case.same)
        except AssertionError as error:
            return f"{error}\n{board.log_text()}"


def _shake_hands(case: Choke, here: Path, umqtt: UmqttSource, certificates: Path) -> str:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    with ExitStack() as stack:
        broker = stack.enter_context(HostileBroker(context))
        wire = stack.enter_context(Throttle(broker.port))
        board = stack.enter_context(_board(here, umqtt, wire.port, KEEPALIVE_S, certificates / "ca.pem"))
        board.start()
        try:
            first = eventually(lambda: broker.beats, 60, "the board beats")[0]
            wire.choke(case.after, case.then)
            broker.drop()
            eventually(lambda: wire.begun, 60, "the handshake begins")
            return _judge(broker, board, first, wire.begun, 2 * KEEPALIVE_S + BACK_OFF_CAP_S)
        except AssertionError as error:
            return f"{error}\n{board.log_text()}"


def _judge(
    broker: HostileBroker, board: MicroPythonBoard, first: Beat, begun: float, bound_s: float, *, same: bool = False
) -> str:
    """Wait until the board is back for good: three heartbeats of one connection, of the boot that began."""

    def is_back() -> list[Beat]:
        beats = broker.heard_since(begun)
        return beats if len([beat for beat in beats if beat.session == beats[-1].session]) >= 3 else []

    beats = eventually(is_back, bound_s + 30, "the board beats again")
    back = next(beat.at for beat in beats if beat.session == beats[-1].session)
    log = board.log_text()
    if back - begun > bound_s:
        return f"it was back after {back - begun:.1f} s; the bound is {bound_s:.1f} s\n{log}"
    if not board.running or any(beat.body["boot"] != first.body["boot"] for beat in broker.beats):
        return f"it was started anew\n{log}"
    if same and {beat.session for beat in beats} != {beats[0].session}:
        return f"it left a connection that was good\n{log}"
    if "Traceback" in log or "MemoryError" in log:
        return f"an error was not foreseen\n{log}"
    return ""


def _board(
    here: Path, umqtt: UmqttSource, port: int, keepalive_s: int, ca_path: Path | None = None
) -> MicroPythonBoard:
    return MicroPythonBoard(
        here,
        device_id="board",
        password="secret",
        umqtt=umqtt,
        mqtt_port=port,
        interval_s=1,
        keepalive_s=keepalive_s,
        ca_path=ca_path,
    )
