"""TLS: the board trusts the one authority it was given, and nobody else."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from tests.firmware.conftest import BoardMaker, Broker, Observer, Scripts

Year = int


@dataclass(frozen=True)
class Authority:
    """Signs certificates for 127.0.0.1."""

    folder: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate(self) -> Path:
        return self._signed("ca", self.name, self.key, 1999, 2049, authority=True)

    def server(self, name: str = "127.0.0.1", since: Year = 1999, until: Year = 2049) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        path = self._signed("server", _name(name), key, since, until)
        secret = self.folder / "server.key"
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return path, secret

    def _signed(
        self,
        file: str,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        since: Year,
        until: Year,
        authority: bool = False,
    ) -> Path:
        address = "127.0.0.2" if subject == _name("127.0.0.2") else "127.0.0.1"
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(dt.datetime(since, 1, 1, tzinfo=dt.UTC))
            .not_valid_after(dt.datetime(until, 1, 1, tzinfo=dt.UTC))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(address))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        path = self.folder / f"{file}.pem"
        path.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path


@pytest.fixture
def make_authority(tmp_path: Path) -> Callable[[str], Authority]:
    def make(name: str) -> Authority:
        folder = tmp_path / name
        folder.mkdir()
        return Authority(folder, _name(name), ec.generate_private_key(ec.SECP256R1()))

    return make


@pytest.fixture
def authority(make_authority: Callable[[str], Authority]) -> Authority:
    return make_authority("ours")


def test_board_beats_over_tls(
    authority: Authority,
    make_broker: Callable[..., Broker],
    make_observer: Callable[[Broker], Observer],
    make_board: BoardMaker,
) -> None:
    broker = make_broker(certificate=authority.server())
    observer = make_observer(broker)
    board = make_board(mqtt_port=broker.tls_port, ca_path=authority.certificate)
    board.start()

    observer.heartbeat(seq=3, conn=1)
    assert board.goodbye() == 0
    observer.status("offline", reason="bye")


def test_frozen_broker_is_noticed_over_tls(
    authority: Authority,
    make_broker: Callable[..., Broker],
    make_board: BoardMaker,
    wait_until: Callable[..., None],
) -> None:
    broker = make_broker(certificate=authority.server())
    board = make_board(mqtt_port=broker.tls_port, ca_path=authority.certificate, keepalive_s=3)
    board.start()
    wait_until(lambda: "connected to" in board.log_text(), "no connection")

    broker.freeze()
    # First the open link, then the handshake nobody answers.
    wait_until(lambda: "next attempt" in board.log_text(), "not noticed")
    wait_until(lambda: board.log_text().count("next attempt") >= 2, "the handshake hangs")
    broker.thaw()

    wait_until(lambda: "connection 2" in board.log_text() or "connection 3" in board.log_text(), "not back", 20)


@pytest.mark.parametrize(
    ("server", "complaint"),
    [
        ({"since": 2040}, "certificate not accepted"),
        ({"until": 2020}, "certificate not accepted"),
        ({"name": "127.0.0.2"}, "link: "),
    ],
    ids=["not yet valid", "expired", "another host"],
)
def test_certificate_that_does_not_fit_is_refused(
    server: dict[str, object],
    complaint: str,
    authority: Authority,
    make_broker: Callable[..., Broker],
    make_board: BoardMaker,
    wait_until: Callable[..., None],
) -> None:
    broker = make_broker(certificate=authority.server(**server))  # type: ignore[arg-type]
    board = make_board(mqtt_port=broker.tls_port, ca_path=authority.certificate)
    board.start()

    wait_until(lambda: board.log_text().count("next attempt") >= 2, "it does not try again")
    assert complaint in board.log_text()
    assert "connected to" not in board.log_text()
    assert board.running


def test_certificate_of_a_stranger_is_refused(
    authority: Authority,
    make_authority: Callable[[str], Authority],
    make_broker: Callable[..., Broker],
    make_board: BoardMaker,
    wait_until: Callable[..., None],
) -> None:
    broker = make_broker(certificate=make_authority("theirs").server())
    board = make_board(mqtt_port=broker.tls_port, ca_path=authority.certificate)
    board.start()

    wait_until(lambda: board.log_text().count("next attempt") >= 2, "it does not try again")
    assert "connected to" not in board.log_text()


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@pytest.mark.parametrize("ntp", ["answers", "silent"])
def test_certificate_refused_for_its_dates_makes_a_board_without_a_clock_find_the_time(
    ntp: str, scripts: Scripts
) -> None:
    life = scripts.run("timeless", ntp)

    known = ntp == "answers"
    assert life["attempts"] == [[False, 0], [known, 0 if known else 1], [known, 0 if known else 1]]
    assert life["asked"] >= 3
    assert life["guessed"] is not known
