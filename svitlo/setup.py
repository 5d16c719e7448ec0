"""The first step of an installation in containers: the schema, the broker's files, each service's credentials.

It runs on every start and changes only what is not as it should be. Files appear whole (written aside, then renamed)
and are readable by nobody but the user they are for.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError

from svitlo.accounts.passwords import derive_password
from svitlo.accounts.roles import SERVICES, service_account
from svitlo.accounts.seed import write_seed
from svitlo.db import migrate
from svitlo.errors import ConfigurationError
from svitlo.settings import Settings
from svitlo.stack.mosquitto import configuration
from svitlo.stack.tls import make_certificates

log = logging.getLogger(__name__)

BROKER_USER = (1883, 1883)
"""User and group of Mosquitto in its own image."""

SERVICE_USER = (10001, 10001)
"""User and group of the services in ours."""

SHORTEST_SECRET = 20

CREDENTIALS: dict[str, tuple[str, ...]] = {
    "ingest": ("database_url", "mqtt_password", "secret"),
    "detector": ("database_url", "mqtt_password"),
    "notifier": ("database_url", "mqtt_password", "telegram_token"),
    "api": ("database_url", "mqtt_password"),
}
"""What each service gets to know; a file is named after the setting it holds."""


async def setup(settings: Settings, *, secrets_dir: Path, broker_dir: Path, credentials_dir: Path, plugin: str) -> None:
    """Make ready what the containers need; safe to repeat at any time.

    `secrets_dir` holds `postgres_password`, which completes the password-less URL of the settings, and may hold
    `telegram_token`. `broker_dir` and `plugin` are paths as the broker sees them.
    Raises `ConfigurationError`, `DatabaseUnavailableError`.
    """
    secret = settings.required_secret
    if len(secret) < SHORTEST_SECRET:
        raise ConfigurationError(
            f"SVITLO_SECRET is too short: every password at the broker comes from it. At least {SHORTEST_SECRET} "
            "characters are needed; openssl rand -hex 32 makes a good one"
        )
    _refuse_another_secret(secret, broker_dir, credentials_dir)
    url = url_with_password(settings.required_database_url, _read(secrets_dir / "postgres_password"))
    await _migrate(url)
    tls_names = [name.strip() for name in (settings.tls_names or "").split(",") if name.strip()]
    _prepare_broker(secret, broker_dir, plugin, tls_names)
    token = _read(secrets_dir / "telegram_token")
    for service in SERVICES:
        values = {
            "database_url": url,
            "mqtt_password": _broker_password(secret, service),
            "secret": secret,
            "telegram_token": token,
        }
        _write_credentials(credentials_dir / service, {name: values[name] for name in CREDENTIALS[service]})


def url_with_password(url: str, password: str) -> str:
    """The database's URL with the password in it. Raises `ConfigurationError`."""
    if not password:
        raise ConfigurationError("the database's password (POSTGRES_PASSWORD) is empty")
    parts = urlsplit(url)
    if not parts.username or parts.password:
        raise ConfigurationError("SVITLO_DATABASE_URL must name a user and hold no password here")
    user, _, rest = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{rest}").geturl()


def _read(path: Path) -> str:
    """A secret, or nothing: Compose mounts no file for a secret that is empty in .env."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


async def _migrate(url: str) -> None:
    try:
        await migrate.upgrade(url)
    except DBAPIError as error:
        if not isinstance(getattr(error.orig, "__cause__", None), asyncpg.InvalidPasswordError):
            raise
        raise ConfigurationError(
            "PostgreSQL refuses POSTGRES_PASSWORD: it keeps the one it was first started with. Put that one back, or "
            "change it inside (ALTER USER) before changing it here"
        ) from error
    log.info("the database's schema is up to date")


def _broker_password(secret: str, service: str) -> str:
    account = service_account(service)
    return derive_password(secret, account.username, account.generation)


def _refuse_another_secret(secret: str, broker_dir: Path, credentials_dir: Path) -> None:
    """Another secret means other passwords for every board: never by mistake."""
    for service in SERVICES:
        known = credentials_dir / service / "mqtt_password"
        if (
            known.is_file()
            and (broker_dir / "dynamic-security.json").exists()
            and known.read_text(encoding="utf-8") != _broker_password(secret, service)
        ):
            raise ConfigurationError(
                "SVITLO_SECRET is not the one this installation was made with, and every board's password comes from "
                "it. Put the old one back; or remove the broker's volume to go on with the new one, and give every "
                "board its new password"
            )


def _prepare_broker(secret: str, broker_dir: Path, plugin: str, tls_names: list[str]) -> None:
    owner = _as_root(BROKER_USER)
    broker_dir.mkdir(parents=True, exist_ok=True)
    text = configuration(port=1883, host="", plugin=plugin, directory=str(broker_dir))
    if tls_names:
        make_certificates(broker_dir / "tls", tls_names, owner=owner)
        text += (broker_dir / "tls" / "listener.conf").read_text(encoding="utf-8").replace("@HOST@", "")
    _write(broker_dir / "mosquitto.conf", text, owner)
    if write_seed(broker_dir / "dynamic-security.json", secret, owner=owner):
        log.info("the broker starts with our own accounts; ingest adds those of the boards")
    broker_dir.chmod(0o700)
    if owner is not None:
        # A volume is born as root's, and one restored from a backup may belong to anybody.
        for path in (broker_dir, *broker_dir.rglob("*")):
            if path.name != "ca.key":  # the broker has no use for it
                os.chown(path, *owner, follow_symlinks=False)


def _write_credentials(directory: Path, values: dict[str, str]) -> None:
    owner = _as_root(SERVICE_USER)
    directory.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        _write(directory / name, value, owner)
    for stale in {path.name for path in directory.iterdir()} - values.keys():
        (directory / stale).unlink()
    directory.chmod(0o700)
    if owner is not None:
        os.chown(directory, *owner)


def _write(path: Path, text: str, owner: tuple[int, int] | None) -> None:
    """Put `text` at `path`, for its owner's eyes only; a reader finds the old file or the new one, whole."""
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if owner is not None:
            os.fchown(descriptor, *owner)
        file.flush()
        os.fsync(descriptor)
    partial.replace(path)


def _as_root(owner: tuple[int, int]) -> tuple[int, int] | None:
    """`owner` when we may give files away, else None: they stay with whoever we are."""
    return owner if os.geteuid() == 0 else None
