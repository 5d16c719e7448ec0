"""Whatever a broker does, the link gives a clean OSError within bounded time."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.firmware.conftest import BoardMaker, Observer, Scripts

KEEPALIVE_S = 1
"""Also the time each operation has."""
PATIENT_S = 10
"""Where time is not what is tried."""
BOUND_MS = KEEPALIVE_S * 1000 + 1_500
TRIES = 4
"""A machine that stands still for longer than an operation may take is no fault of the link; it does not each time."""

CONNACK = b"\x20\x02\x00\x00"
PINGRESP = b"\xd0\x00"
CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14

Behaviour = Callable[["Connection"], None]


class Connection:
    """The broker's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.kinds: list[int] = []
        self.ids: list[int] = []
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def packet(self) -> int:
        """Read one packet; its kind."""
        head = self._exactly(1)[0]
        length = shift = 0
        while True:
            byte = self._exactly(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                break
        body = self._exactly(length)
        kind = head >> 4
        if kind == PUBLISH and head & 6:
            at = 2 + int.from_bytes(body[:2], "big")
            self.ids.append(int.from_bytes(body[at : at + 2], "big"))
        elif kind == SUBSCRIBE:
            self.ids.append(int.from_bytes(body[:2], "big"))
        self.kinds.append(kind)
        return kind

    def accept(self) -> None:
        assert self.packet() == CONNECT
        self.send(CONNACK)

    def wait_for_the_end(self) -> None:
        while self.socket.recv(4096):
            pass

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


class Hostile:
    """A server that treats its one client as told."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connection: Connection | None = None
        self.failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def behave(self, behaviour: Behaviour) -> None:
        self._thread = threading.Thread(target=self._serve, args=(behaviour,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()
        if self._thread:
            self._thread.join(5)

    def _serve(self, behaviour: Behaviour) -> None:
        sock, _ = self._listener.accept()
        with sock:
            sock.settimeout(20)
            self.connection = Connection(sock)
            # The client giving up is what most of these wait for.
            with contextlib.suppress(EOFError, ConnectionError):
                behaviour(self.connection)


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    server = Hostile()
    yield server
    server.close()


def say_nothing(link: Connection) -> None:
    link.wait_for_the_end()


def close_instead_of_connack(link: Connection) -> None:
    link.packet()


def reset_instead_of_connack(link: Connection) -> None:
    link.packet()
    link.reset()


def refuse(link: Connection) -> None:
    link.packet()
    link.send(b"\x20\x02\x00\x05")
    link.wait_for_the_end()


def half_a_connack(link: Connection) -> None:
    link.packet()
    link.send(CONNACK[:2])
    link.wait_for_the_end()


def speak_another_protocol(link: Connection) -> None:
    link.packet()
    link.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    link.wait_for_the_end()


def accept_and_fall_silent(link: Connection) -> None:
    link.accept()
    link.wait_for_the_end()


def close_instead_of_puback(link: Connection) -> None:
    link.accept()
    link.packet()


def reset_instead_of_puback(link: Connection) -> None:
    link.accept()
    link.packet()
    link.reset()


def half_a_puback(link: Connection) -> None:
    link.accept()
    link.packet()
    link.send(b"\x40\x02\x00")
    link.wait_for_the_end()


def answer_anything_but_puback(link: Connection) -> None:
    link.accept()
    while True:
        link.send(PINGRESP)
        time.sleep(0.05)


def acknowledge_another_id(link: Connection) -> None:
    link.accept()
    link.packet()
    link.send(b"\x40\x02\x12\x34")
    link.wait_for_the_end()


def refuse_subscription(link: Connection) -> None:
    link.accept()
    link.packet()
    link.send(b"\x90\x03" + link.ids[-1].to_bytes(2, "big") + b"\x80")
    link.wait_for_the_end()


def stop_mid_packet(link: Connection) -> None:
    link.accept()
    link.send(b"\x30\x20\x00\x01t")
    link.wait_for_the_end()


def close_mid_packet(link: Connection) -> None:
    link.accept()
    link.send(b"\x30\x20\x00\x01t")


def trickle(link: Connection) -> None:
    link.accept()
    link.send(b"\x30\x7f\x00\x01t")
    while True:
        link.send(b"x")
        time.sleep(0.3)


def length_without_end(link: Connection) -> None:
    link.accept()
    link.send(b"\x30")
    while True:
        link.send(b"\x80" * 8)
        time.sleep(0.05)


def topic_longer_than_the_packet(link: Connection) -> None:
    link.accept()
    link.send(b"\x30\x04\x00\x08longtail")
    link.wait_for_the_end()


def close_later(link: Connection) -> None:
    link.accept()
    time.sleep(0.2)


def not_a_packet(link: Connection) -> None:
    link.accept()
    link.send(b"\x00\x00" * 40)
    link.wait_for_the_end()


@pytest.mark.parametrize(
    ("behaviour", "step", "error"),
    [
        (say_nothing, "connect", "no answer from the broker"),
        (close_instead_of_connack, "connect", "closed by the broker"),
        (reset_instead_of_connack, "connect", "[Errno 104] ECONNRESET"),
        (refuse, "connect", "refused by the broker: wrong user name or password, or not authorised (code 5)"),
        (half_a_connack, "connect", "no answer from the broker"),
        (speak_another_protocol, "connect", "broken stream (AssertionError)"),
        (accept_and_fall_silent, "publish", "no answer from the broker"),
        (close_instead_of_puback, "publish", "closed by the broker"),
        (reset_instead_of_puback, "publish", "[Errno 104] ECONNRESET"),
        (half_a_puback, "publish", "no answer from the broker"),
        (answer_anything_but_puback, "publish", "no answer from the broker"),
        (acknowledge_another_id, "publish", "no answer from the broker"),
        (accept_and_fall_silent, "subscribe", "no answer from the broker"),
        (close_instead_of_puback, "subscribe", "closed by the broker"),
        (refuse_subscription, "subscribe", "refused by the broker: subscription not allowed (code 128)"),
        (accept_and_fall_silent, "poll", "no answer for"),
        (stop_mid_packet, "poll", "no answer from the broker"),
        (close_mid_packet, "poll", "closed by the broker"),
        (trickle, "poll", "no answer from the broker"),
        (length_without_end, "poll", "no answer from the broker"),
        (topic_longer_than_the_packet, "poll", "malformed packet"),
        (close_later, "poll", "closed by the broker"),
        (accept_and_fall_silent, "idle", None),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_link_ends_cleanly_in_time(
    behaviour: Behaviour, step: str, error: str | None, hostile: Hostile, scripts: Scripts
) -> None:
    for _ in range(TRIES):
        hostile.behave(behaviour)
        result = scripts.run("link", hostile.port, "nothing" if step == "connect" else step, KEEPALIVE_S)
        as_told = (result["error"] or "").startswith(error) if error else result["error"] is None
        if result["step"] == step and as_told and result["ms"] < BOUND_MS:
            break

    assert result["step"] == step
    assert as_told, result["error"]
    assert result["ms"] < BOUND_MS
    assert result["greeted"] is True


def test_bytes_that_are_no_packet_do_not_hold_the_link_for_ever(hostile: Hostile, scripts: Scripts) -> None:
    for _ in range(TRIES):
        hostile.behave(not_a_packet)
        result = scripts.run("link", hostile.port, "poll", KEEPALIVE_S)
        if result["step"] == "poll":
            break

    assert result["error"].startswith("no answer for")


@pytest.mark.parametrize("still", ["still_while_reading", "still_while_reading_esp32", "still_while_writing"])
def test_answer_that_came_while_the_board_itself_stood_still_counts(
    still: str, hostile: Hostile, scripts: Scripts
) -> None:
    def answer(link: Connection) -> None:
        link.accept()
        link.packet()
        link.send(b"\x40\x02" + link.ids[-1].to_bytes(2, "big"))
        link.wait_for_the_end()

    for _ in range(TRIES):
        hostile.behave(answer)
        result = scripts.run("link", hostile.port, still, KEEPALIVE_S)
        if result["error"] is None:
            break

    assert result["error"] is None
    assert result["ms"] > KEEPALIVE_S * 1000


def test_nobody_listening_is_an_error_before_any_greeting(hostile: Hostile, scripts: Scripts) -> None:
    hostile.close()

    result = scripts.run("link", hostile.port, "nothing", KEEPALIVE_S)

    assert result["error"] == "[Errno 111] ECONNREFUSED"
    assert result["greeted"] is False


def test_connection_that_is_never_accepted_times_out(scripts: Scripts) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):  # fill the queue, so that the next one gets no answer at all
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())

        for _ in range(TRIES):
            result = scripts.run("link", listener.getsockname()[1], "nothing", KEEPALIVE_S)
            if result["ms"] < BOUND_MS:
                break

    assert result["error"]
    assert result["greeted"] is False
    assert result["ms"] < BOUND_MS


def test_packet_id_wraps_within_sixteen_bits(hostile: Hostile, scripts: Scripts) -> None:
    def acknowledge(link: Connection) -> None:
        link.accept()
        while link.packet() == PUBLISH:
            link.send(b"\x40\x02" + link.ids[-1].to_bytes(2, "big"))

    hostile.behave(acknowledge)

    assert scripts.run("link", hostile.port, "wrap", PATIENT_S)["error"] is None
    assert hostile.connection
    assert hostile.connection.ids == [65534, 65535, 1, 2]


def test_each_packet_is_one_segment(hostile: Hostile, scripts: Scripts) -> None:
    segments: list[int] = []

    def record(link: Connection) -> None:
        segments.append(link.socket.recv(4096)[0] >> 4)
        link.send(CONNACK)
        segments.append(link.socket.recv(4096)[0] >> 4)
        link.send(b"\x40\x02\x00\x01")

    hostile.behave(record)
    scripts.run("link", hostile.port, "publish", PATIENT_S)

    assert segments == [CONNECT, PUBLISH]


def test_oversized_message_is_cut_and_the_next_one_read(hostile: Hostile, scripts: Scripts) -> None:
    def flood(link: Connection) -> None:
        link.accept()
        body = b"\x00\x03big" + b"x" * 200_000
        link.send(b"\x30" + _length(len(body)) + body)
        link.send(b"\x30\x06\x00\x03end!")
        link.wait_for_the_end()

    hostile.behave(flood)
    result = scripts.run("link", hostile.port, "poll", PATIENT_S)

    assert result["error"] is None
    topic, kept = result["seen"][0]
    assert topic == "big"
    assert 1024 < kept < 4096
    assert result["seen"][1] == ["end", 1]


def test_pings_keep_a_quiet_link_up(hostile: Hostile, scripts: Scripts) -> None:
    def answer_pings(link: Connection) -> None:
        link.accept()
        for _ in range(6):
            while link.packet() != PINGREQ:
                pass
            link.send(PINGRESP)
        link.send(b"\x30\x06\x00\x03end!")
        link.wait_for_the_end()

    for _ in range(TRIES):
        hostile.behave(answer_pings)
        result = scripts.run("link", hostile.port, "poll", 2)
        if result["error"] is None:
            break

    assert result["error"] is None
    assert result["ms"] > 3_600


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, byte = divmod(size, 128)
        out.append(byte | (128 if size else 0))
        if not size:
            return bytes(out)


def test_goodbye_is_said_although_ctrl_c_cut_a_packet_in_two(
    make_board: BoardMaker, observer: Observer, scripts: Scripts
) -> None:
    board = make_board()  # not started: its configuration is what the script runs with

    done = scripts.run("torn", folder=board.directory)

    assert done == {"code": 0, "beats": 3}
    observer.status("offline", reason="lwt", conn=1)
    observer.status("offline", reason="bye", conn=2)
