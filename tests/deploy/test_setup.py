"""The first step of an installation: whole, repeatable, and readable by nobody else."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from svitlo.accounts.passwords import derive_password
from svitlo.db import migrate
from svitlo.errors import ConfigurationError
from svitlo.settings import BrokerAddress, Settings, load_settings
from svitlo.setup import BROKER_USER, CREDENTIALS, SERVICE_USER, setup, url_with_password

SECRET = "a master secret for these tests"
TOKEN = "123:telegram"


@dataclass
class Installation:
    """The directories a setup works on, and its settings."""

    root: Path
    settings: Settings

    @property
    def broker(self) -> Path:
        return self.root / "broker"

    def credential(self, service: str, name: str) -> str:
        return (self.root / "credentials" / service / name).read_text()

    async def run(self, settings: Settings | None = None) -> None:
        await setup(
            settings or self.settings,
            secrets_dir=self.root / "secrets",
            broker_dir=self.broker,
            credentials_dir=self.root / "credentials",
            plugin="/usr/lib/mosquitto_dynamic_security.so",
        )

    def everything(self) -> dict[str, tuple[bytes, int, int, int]]:
        """Each file's text, mode, owner and group, by its path."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            about = path.stat()
            text = path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(self.root))] = (text, stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid)
        return found


@pytest.fixture
def installation(tmp_path: Path, empty_database_url: str) -> Installation:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    parts = urlsplit(empty_database_url)
    (secrets / "postgres_password").write_text(f"{parts.password or 'not asked for'}\n")
    (secrets / "telegram_token").write_text(f"{TOKEN}\n")
    _, _, server = parts.netloc.rpartition("@")
    url = parts._replace(netloc=f"{parts.username}@{server}").geturl()
    return Installation(tmp_path, load_settings(database_url=url, secret=SECRET))


async def test_a_first_run_makes_everything_ready(installation: Installation) -> None:
    await installation.run()

    assert await migrate.differences(installation.credential("detector", "database_url")) == []
    conf = (installation.broker / "mosquitto.conf").read_text()
    assert "listener 1883 \n" in conf
    assert f"plugin_opt_config_file {installation.broker}/dynamic-security.json" in conf
    assert re.search("@[A-Z]+@", conf) is None
    assert installation.credential("api", "mqtt_password") == derive_password(SECRET, "svitlo.api", 1)
    assert installation.credential("notifier", "telegram_token") == TOKEN


async def test_with_names_the_broker_gets_a_tls_door_and_keeps_its_certificate(installation: Installation) -> None:
    settings = installation.settings.model_copy(update={"tls_names": "broker.example, 192.168.1.10"})
    await installation.run(settings)
    conf = (installation.broker / "mosquitto.conf").read_text()
    assert "listener 8883" in conf
    assert f"certfile {installation.broker}/tls/server.pem" in conf
    before = installation.everything()
    await installation.run(settings)
    assert installation.everything() == before


async def test_each_service_learns_what_it_needs_and_no_more(installation: Installation) -> None:
    await installation.run()

    credentials = installation.root / "credentials"
    assert {path.name: {file.name for file in path.iterdir()} for path in credentials.iterdir()} == {
        service: set(names) for service, names in CREDENTIALS.items()
    }
    assert [service for service, names in CREDENTIALS.items() if "secret" in names] == ["ingest"]
    assert installation.credential("ingest", "secret") == SECRET


async def test_nobody_else_may_read_any_of_it(installation: Installation) -> None:
    await installation.run()

    as_root = os.geteuid() == 0
    for top, owner in ((installation.broker, BROKER_USER), (installation.root / "credentials", SERVICE_USER)):
        for path in (top, *top.rglob("*")):
            if path == installation.root / "credentials":
                continue
            about = path.stat()
            assert stat.S_IMODE(about.st_mode) & 0o077 == 0, path
            assert not as_root or (about.st_uid, about.st_gid) == owner, path


async def test_a_second_run_changes_nothing(installation: Installation) -> None:
    await installation.run()
    before = installation.everything()
    await installation.run()
    assert installation.everything() == before


async def test_a_broker_that_lost_its_volume_gets_its_first_accounts_again(installation: Installation) -> None:
    await installation.run()
    for path in installation.broker.iterdir():
        path.unlink()
    await installation.run()
    assert "svitlo.admin" in (installation.broker / "dynamic-security.json").read_text()
    assert (installation.broker / "mosquitto.conf").exists()


async def test_accounts_the_broker_has_are_kept(installation: Installation) -> None:
    await installation.run()
    seed = installation.broker / "dynamic-security.json"
    seed.write_text(seed.read_text().replace("svitlo.api", "board-1"))
    await installation.run()
    assert "board-1" in seed.read_text()


async def test_a_configuration_of_an_older_version_is_replaced(installation: Installation) -> None:
    await installation.run()
    conf = installation.broker / "mosquitto.conf"
    text = conf.read_text()
    conf.chmod(0o600)
    conf.write_text("listener 1\n")
    await installation.run()
    assert conf.read_text() == text


async def test_another_secret_is_refused_while_the_broker_has_accounts_of_the_old_one(
    installation: Installation,
) -> None:
    await installation.run()
    before = installation.everything()
    other = installation.settings.model_copy(update={"secret": load_settings(secret=SECRET * 2).secret})

    with pytest.raises(ConfigurationError, match="not the one this installation was made with"):
        await installation.run(other)
    assert installation.everything() == before

    (installation.broker / "dynamic-security.json").unlink()
    await installation.run(other)
    assert installation.credential("api", "mqtt_password") == derive_password(SECRET * 2, "svitlo.api", 1)


async def test_a_short_secret_is_refused(installation: Installation) -> None:
    settings = installation.settings.model_copy(update={"secret": load_settings(secret="change me").secret})
    with pytest.raises(ConfigurationError, match="too short"):
        await installation.run(settings)
    assert not installation.broker.exists()


async def test_a_token_that_was_never_given_is_an_empty_file(installation: Installation) -> None:
    (installation.root / "secrets" / "telegram_token").unlink()
    await installation.run()
    assert installation.credential("notifier", "telegram_token") == ""


async def test_the_files_are_what_the_settings_read(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installation.run()
    for name in CREDENTIALS["ingest"]:
        path = installation.root / "credentials" / "ingest" / name
        monkeypatch.setenv(f"SVITLO_{name.upper()}_FILE", str(path))
    monkeypatch.setenv("SVITLO_MQTT_URL", "mqtt://svitlo.ingest@broker:1883")
    settings = load_settings()
    broker: BrokerAddress = settings.broker
    assert settings.required_secret == SECRET
    assert (broker.username, broker.password) == ("svitlo.ingest", derive_password(SECRET, "svitlo.ingest", 1))
    assert settings.required_database_url == installation.credential("ingest", "database_url")


def test_a_password_of_any_characters_fits_into_the_url() -> None:
    url = url_with_password("postgresql://svitlo@db:5432/svitlo", "p@ss:w/rd?#%[ї")
    parts = urlsplit(url)
    assert (parts.hostname, parts.port, parts.path) == ("db", 5432, "/svitlo")
    assert parts.password == "p%40ss%3Aw%2Frd%3F%23%25%5B%D1%97"


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("postgresql://svitlo@db/svitlo", ""),
        ("postgresql://db/svitlo", "word"),
        ("postgresql://svitlo:other@db/svitlo", "word"),
    ],
)
def test_a_url_that_cannot_be_completed_is_refused(url: str, password: str) -> None:
    with pytest.raises(ConfigurationError):
        url_with_password(url, password)
