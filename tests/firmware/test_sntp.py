"""The board's way to the time of day, against servers that answer well, badly or not at all."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.firmware.conftest import Scripts

Answer = Callable[[bytes], list[bytes]]
EPOCH = 1_800_000_000
SINCE_1900 = 2_208_988_800
OURS = bytes([127, 0, 0, 1])


class Server:
    """A UDP port that answers each packet with what it is told to."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port: int = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                data, sender = self._socket.recvfrom(2048)
            except TimeoutError:
                continue
            self.asked.append(data)
            for answer in self._answer(data):
                self._socket.sendto(answer, sender)


def record(kind: int, data: bytes, name: bytes = b"\xc0\x0c") -> bytes:
    return name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def dns(query: bytes, *records: bytes, flags: int = 0x8180) -> bytes:
    return query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + query[12:] + b"".join(records)


def ntp(query: bytes, epoch: int = EPOCH, *, first: int = 0x24, stratum: int = 2, token: bytes | None = None) -> bytes:
    seconds = (epoch + SINCE_1900) & 0xFFFFFFFF
    token = query[40:48] if token is None else token
    return bytes([first, stratum, 6, 0xEC]) + bytes(20) + token + struct.pack(">II", seconds, 0) * 2


def good_dns(query: bytes) -> list[bytes]:
    return [dns(query, record(1, OURS))]


def good_ntp(query: bytes) -> list[bytes]:
    return [ntp(query)]


def silence(query: bytes) -> list[bytes]:
    return []


Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(scripts: Scripts) -> Iterator[Ask]:
    servers: list[Server] = []

    def run(name_server: Answer = good_dns, time_server: Answer = good_ntp, patience_ms: int = 10_000) -> Any:
        servers.extend([Server(name_server), Server(time_server)])
        told = scripts.run("sntp", servers[-2].port, servers[-1].port, patience_ms)
        return {**told, "names": servers[-2].asked, "times": servers[-1].asked}

    yield run
    for server in servers:
        server.close()


def test_the_time_comes_from_a_server_found_by_name(ask: Ask) -> None:
    result = ask()

    assert result["epoch"] == EPOCH
    assert b"\x04pool\x03ntp\x03org\x00" in result["names"][0]
    assert (len(result["times"][0]), result["times"][0][0]) == (48, 0x23)


@pytest.mark.parametrize(
    "answer",
    [
        lambda query: [dns(query, record(5, b"\x01a\xc0\x11"), record(1, OURS))],
        lambda query: [dns(query, record(28, bytes(16)), record(1, OURS, b"\x04pool\x03ntp\x03org\x00"))],
        lambda query: [b"", b"\0" * 40, b"??" + dns(query)[2:], query, dns(query, record(1, OURS))],
    ],
    ids=["alias", "other-kinds", "noise-first"],
)
def test_the_address_is_found_in_any_good_answer(ask: Ask, answer: Answer) -> None:
    assert ask(name_server=answer)["epoch"] == EPOCH


@pytest.mark.parametrize(
    "answer",
    [
        lambda query: [dns(query, flags=0x8183)],
        lambda query: [dns(query, record(28, bytes(16)))],
        lambda query: [dns(query, record(1, OURS))[:-2]],
        lambda query: [dns(query, b"\x3f")],
    ],
    ids=["no-such-name", "no-address", "cut-short", "broken-name"],
)
def test_an_answer_without_an_address_fails_at_once(ask: Ask, answer: Answer) -> None:
    result = ask(name_server=answer)

    assert result["epoch"] is None
    assert result["error"] is not None
    assert result["times"] == []


@pytest.mark.parametrize(
    "bad",
    [
        lambda query: ntp(query, token=bytes(8)),
        lambda query: ntp(query, stratum=0),
        lambda query: ntp(query, first=0xE4),
        lambda query: ntp(query, first=0x23),
        lambda query: ntp(query)[:47],
        lambda query: b"",
    ],
    ids=["of-another", "kiss-of-death", "unsynchronised", "not-a-server", "cut-short", "empty"],
)
def test_a_bad_time_is_passed_over(ask: Ask, bad: Callable[[bytes], bytes]) -> None:
    result = ask(time_server=lambda query: [bad(query), ntp(query, EPOCH + 7)])

    assert result["epoch"] == EPOCH + 7


def test_the_count_that_begins_anew_in_2036_is_understood(ask: Ask) -> None:
    assert ask(time_server=lambda query: [ntp(query, 2_100_000_000)])["epoch"] == 2_100_000_000


@pytest.mark.parametrize("servers", [{"name_server": silence}, {"time_server": silence}], ids=["names", "time"])
def test_silence_is_not_waited_for(ask: Ask, servers: dict[str, Answer]) -> None:
    results = [ask(**servers, patience_ms=500) for _ in range(2)]

    assert {(result["epoch"], result["error"]) for result in results} == {(None, None)}
    assert min(result["longest"] for result in results) < 2_000  # once, the machine itself may stand still
