"""A private certificate authority and a broker certificate for a home set-up.

Both are valid from 1999-12-31 to 2049-12-31: an ESP32 that boots cold believes it is 2000-01-01, and with an ordinary
certificate it could not reach the broker before it has the time, which after a blackout it may not get at all.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from svitlo.errors import UserError

VALID_FROM = datetime(1999, 12, 31, tzinfo=UTC)
VALID_TO = datetime(2049, 12, 31, tzinfo=UTC)
PORT = 8883

_LISTENER = """
listener {port} @HOST@
certfile {server}
keyfile {key}
tls_version tlsv1.2
"""


Owner = tuple[int, int] | None


def make_certificates(directory: Path, names: Sequence[str], *, port: int = PORT, owner: Owner = None) -> None:
    """Make the CA (once: boards that trust it stay valid) and a broker certificate for `names`.

    Names are host names and IP addresses under which boards reach the broker. Writes `ca.pem`, `ca.der` (what a board
    gets), `ca.key`, `server.pem`, `server.key` and `listener.conf` (with `@HOST@` for the address to listen on).
    What the broker reads belongs to `owner` (user and group id), the CA's key to us. A certificate that is right
    already is left alone. Raises `UserError` without a name.
    """
    if not names or not all(_plain_name(name) for name in names):
        raise UserError(
            "name at least one host name or IP address under which the boards reach the broker (letters a-z, digits, "
            "dots and hyphens; a name in other letters in its xn-- form)"
        )
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if owner is not None:
        os.chown(directory, *owner)
    wanted = x509.SubjectAlternativeName([_name(name) for name in names])
    ca, ca_key = _authority(directory)
    listener = _LISTENER.format(port=port, server=directory / "server.pem", key=directory / "server.key")
    _write(directory / "listener.conf", listener.encode(), owner=owner)
    if _covers(directory, wanted):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_TO)
        .add_extension(wanted, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write(directory / "server.key", _private(key), private=True, owner=owner)
    _write(directory / "server.pem", certificate.public_bytes(serialization.Encoding.PEM), owner=owner)


def _covers(directory: Path, wanted: x509.SubjectAlternativeName) -> bool:
    """Whether there is a certificate for just these names already."""
    try:
        certificate = x509.load_pem_x509_certificate((directory / "server.pem").read_bytes())
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    return found == wanted and (directory / "server.key").exists()


def _authority(directory: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    if (directory / "ca.key").exists():
        loaded = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise UserError(f"{directory / 'ca.key'} is not a key this command made; move the directory away")
        return x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes()), loaded
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Svitlo private CA")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_TO)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CA_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(directory / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM))
    _write(directory / "ca.der", certificate.public_bytes(serialization.Encoding.DER))
    # Last: the key is the sign that the pair is whole.
    _write(directory / "ca.key", _private(key), private=True)
    return certificate, key


_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _plain_name(text: str) -> bool:
    return 0 < len(text) <= 253 and text.isascii() and all(letter.isalnum() or letter in ".-:*" for letter in text)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, *, private: bool = False, owner: Owner = None) -> None:
    """Write atomically."""
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600 if private else 0o644)
    partial.write_bytes(data)
    if owner is not None:
        os.chown(partial, *owner)
    partial.replace(path)
