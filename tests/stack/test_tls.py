"""The private CA: a board without a clock accepts it, a stranger's certificate it does not."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest
from cryptography import x509

from svitlo.errors import UserError
from svitlo.simulator.micropython import UmqttSource
from svitlo.stack import system_user
from svitlo.stack.mosquitto import EmbeddedMosquitto
from svitlo.stack.tls import make_certificates
from tests.support.broker import SECRET, address, answers
from tests.support.stack import StackUnderTest
from tests.support.wait import eventually, free_port


class TlsBroker:
    def __init__(self, directory: Path) -> None:
        self.host, self.port, self.tls_port = "127.0.0.1", free_port(), free_port()
        self.tls = directory / "tls"
        make_certificates(self.tls, ["localhost", "127.0.0.1"], port=self.tls_port, owner=system_user.owner())
        embedded = EmbeddedMosquitto(directory / "broker", self.host, self.port, SECRET, self.tls)
        embedded.prepare()
        self.process = subprocess.Popen(embedded.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: answers(self.host, self.tls_port), 30)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[TlsBroker]:
    running = TlsBroker(tmp_path)
    yield running
    running.process.terminate()
    running.process.wait(20)


async def connect(broker: TlsBroker, ca: Path) -> None:
    where = address(broker, "svitlo.api")  # type: ignore[arg-type]
    async with aiomqtt.Client(
        "127.0.0.1",
        broker.tls_port,
        username=where.username,
        password=where.password,
        identifier="svitlo.api.test",
        tls_context=ssl.create_default_context(cafile=ca),
        timeout=20,
    ):
        pass


async def test_a_client_that_trusts_the_ca_connects_and_another_does_not(broker: TlsBroker, tmp_path: Path) -> None:
    await connect(broker, broker.tls / "ca.pem")
    make_certificates(tmp_path / "stranger", ["localhost"])
    context = ssl.create_default_context(cafile=tmp_path / "stranger" / "ca.pem")
    with (
        socket.create_connection(("127.0.0.1", broker.tls_port), timeout=20) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_it_is_valid_when_a_board_boots_believing_it_is_the_year_2000(tmp_path: Path) -> None:
    make_certificates(tmp_path / "tls", ["broker.local", "192.168.1.10"])
    for name in ("ca.pem", "server.pem"):
        certificate = x509.load_pem_x509_certificate((tmp_path / "tls" / name).read_bytes())
        assert certificate.not_valid_before_utc < datetime(2000, 1, 1, tzinfo=UTC)
        assert certificate.not_valid_after_utc > datetime(2049, 1, 1, tzinfo=UTC)
    der = (tmp_path / "tls" / "ca.der").read_bytes()
    assert (
        x509.load_der_x509_certificate(der).subject
        == x509.load_pem_x509_certificate((tmp_path / "tls" / "ca.pem").read_bytes()).subject
    )


def test_private_keys_are_private_and_the_ca_is_kept(tmp_path: Path) -> None:
    make_certificates(tmp_path / "tls", ["one.local"])
    ca = (tmp_path / "tls" / "ca.pem").read_bytes()
    make_certificates(tmp_path / "tls", ["two.local"])
    assert (tmp_path / "tls" / "ca.pem").read_bytes() == ca, "boards that trust the CA stay valid"
    for name in ("ca.key", "server.key"):
        assert (tmp_path / "tls" / name).stat().st_mode & 0o077 == 0


def test_without_a_name_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="host name or IP address"):
        make_certificates(tmp_path / "tls", [])


@pytest.mark.timeout(180)
def test_a_board_connects_over_tls_to_the_stack(tmp_path: Path, umqtt: UmqttSource) -> None:
    stack = StackUnderTest(tmp_path / "data")
    tls_port = free_port()
    assert "ca.der" in stack.svitlo("broker", "tls", "127.0.0.1", "--port", str(tls_port))
    stack.start()
    try:
        stack.svitlo("site", "add", "home", "--name", "Home", "--public")
        device = stack.json("device", "add", "home", "--id", "board-1")
        board = stack.board(
            tmp_path / "board", device, umqtt, port=tls_port, ca_path=stack.directory / "tls" / "ca.der"
        )
        with board:
            board.start()
            eventually(lambda: stack.get("/api/v1/sites/home")["state"] == "on", 60, f"on; {board.log_text()}")
    finally:
        assert stack.stop() == 0
