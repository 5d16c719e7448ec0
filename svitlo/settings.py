"""Every setting, read once from the environment (`SVITLO_*`) and passed down frozen.

Each secret may also come as a file: `SVITLO_TELEGRAM_TOKEN_FILE=/run/secrets/telegram_token`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from svitlo.errors import ConfigurationError

SECRETS = ("database_url", "mqtt_url", "mqtt_password", "secret", "telegram_token")
"""Settings that may be given as `SVITLO_<NAME>_FILE`, the path of a file that holds the value."""

Positive = Annotated[float, Field(gt=0, le=86_400)]
NonNegative = Annotated[float, Field(ge=0, le=86_400)]


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads `SVITLO_<NAME>_FILE` for each secret."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"SVITLO_{field_name.upper()}_FILE")
        if field_name not in SECRETS or not path:
            return None, field_name, False
        try:
            # An empty secret file (an optional token left out of .env) means "not set".
            return Path(path).read_text(encoding="utf-8").strip() or None, field_name, False
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ConfigurationError(
                f"SVITLO_{field_name.upper()}_FILE names {path}, which cannot be read: {reason}"
            ) from error

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(None, name)[0] for name in SECRETS}
        return {name: value for name, value in values.items() if value is not None}


class Policy(BaseSettings):
    """When silence becomes an outage; all in seconds but `misses`."""

    model_config = SettingsConfigDict(env_prefix="SVITLO_", frozen=True, extra="ignore", env_ignore_empty=True)

    misses: int = Field(2, ge=1, le=100, description="heartbeats that may be missed")
    grace_s: NonNegative = Field(3.0, description="added to interval x misses")
    will_hold_s: NonNegative = Field(2.0, description="how long a last will waits to be contradicted")
    birth_hold_s: NonNegative = Field(1.0, description="how long a birth waits for its first heartbeat")
    reconnect_s: NonNegative = Field(45.0, description="how long boards may need to return after a blind span")
    confirm_off_s: NonNegative = Field(0.0, description="how long a site must look off before it is")
    confirm_on_s: NonNegative = Field(0.0, description="how long a site must look on before it is")
    pause_limit_s: Positive = Field(3600.0, description="how long a goodbye excuses silence")
    area_devices: int = Field(5, ge=2, le=100_000, description="so many boards that vanish together hold alerts back")
    area_share: float = Field(0.5, gt=0, le=1, description="if they are at least this share of those online")
    area_window_s: Positive = Field(10.0, description="what counts as together")
    area_wait_s: NonNegative = Field(20.0, description="how long alerts are then held back")
    flap_changes: int = Field(4, ge=2, le=1000, description="changes of a site's power that are told one by one")
    flap_window_s: Positive = Field(600.0, description="within this time; with more of them it is unstable")
    flap_calm_s: Positive = Field(300.0, description="how long without a change until it is stable again")


class Settings(BaseSettings):
    """What a service needs to know to run."""

    model_config = SettingsConfigDict(env_prefix="SVITLO_", frozen=True, extra="ignore", env_ignore_empty=True)

    data_dir: Path | None = None
    database_url: SecretStr | None = None
    mqtt_url: SecretStr | None = None
    mqtt_password: SecretStr | None = None
    mqtt_ca: str | None = None
    secret: SecretStr | None = None
    telegram_token: SecretStr | None = None
    telegram_api_url: str | None = None
    telegram_per_second: int = Field(29, ge=1, le=1000)
    instance: str = Field("1", pattern=r"^[a-z0-9-]{1,48}$")
    tls_names: str | None = None
    http_host: str = "127.0.0.1"
    http_port: int = Field(8080, ge=0, le=65_535)
    public_mqtt_url: str | None = None
    log_level: str = Field("info", pattern=r"^(debug|info|warning|error)$")
    log_format: str = Field("text", pattern=r"^(text|json)$")
    language: str = Field("uk", pattern=r"^(uk|en)$")
    timezone: str = "Europe/Kyiv"
    readings_days: int = Field(90, ge=1, le=3650)
    policy: Policy = Field(default_factory=lambda: Policy())  # type: ignore[call-arg]

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("is not a time zone name such as Europe/Kyiv") from error
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then secrets kept in files."""
        return init_settings, env_settings, _SecretFiles(settings_cls)

    @property
    def required_database_url(self) -> str:
        """The database's URL. Raises `ConfigurationError` when there is none."""
        if self.database_url is None:
            raise ConfigurationError("SVITLO_DATABASE_URL is not set (svitlo up sets it for its own services)")
        return self.database_url.get_secret_value()

    @property
    def required_secret(self) -> str:
        """The master secret from which broker passwords come. Raises `ConfigurationError`."""
        if self.secret is None:
            raise ConfigurationError("SVITLO_SECRET (or SVITLO_SECRET_FILE) is not set")
        return self.secret.get_secret_value()

    @property
    def broker(self) -> BrokerAddress:
        """Where the broker is and who we are there. Raises `ConfigurationError`."""
        if self.mqtt_url is None:
            raise ConfigurationError("SVITLO_MQTT_URL is not set (svitlo up sets it for its own services)")
        password = self.mqtt_password.get_secret_value() if self.mqtt_password else None
        return BrokerAddress.parse(self.mqtt_url.get_secret_value(), password, self.mqtt_ca)


class BrokerAddress:
    """A parsed `mqtt://user:password@host:port` (or `mqtts://`)."""

    __slots__ = ("ca", "host", "password", "port", "tls", "username")

    def __init__(
        self,
        host: str,
        port: int,
        username: str | None = None,
        password: str | None = None,
        *,
        tls: bool = False,
        ca: str | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.username = username
        self.password = password
        self.tls = tls
        self.ca = ca

    @classmethod
    def parse(cls, url: str, password: str | None = None, ca: str | None = None) -> BrokerAddress:
        """Parse an MQTT URL; `password` wins over one in the URL. Raises `ConfigurationError`."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise ConfigurationError("SVITLO_MQTT_URL has a port that is not a number") from error
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ConfigurationError("SVITLO_MQTT_URL must look like mqtt://user:password@host:1883")
        tls = parts.scheme == "mqtts"
        found = unquote(parts.password) if parts.password else None
        user = unquote(parts.username) if parts.username else None
        return cls(parts.hostname, port or (8883 if tls else 1883), user, password or found, tls=tls, ca=ca)

    def as_user(self, username: str, password: str) -> BrokerAddress:
        """The same broker under another account."""
        return BrokerAddress(self.host, self.port, username, password, tls=self.tls, ca=self.ca)

    @property
    def url(self) -> str:
        """The address without any credential."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def load_settings(**overrides: Any) -> Settings:
    """Build the settings from the environment. Raises `ConfigurationError` naming each bad variable."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = []
        for item in error.errors():
            name = "SVITLO_" + str(item["loc"][-1]).upper() if item["loc"] else "settings"
            lines.append(f"{name}: {item['msg']}")
        raise ConfigurationError("; ".join(lines)) from error


def default_data_dir() -> Path:
    """Where data lives unless told otherwise: `SVITLO_DATA_DIR`, else what the platform calls its data directory.

    As root it is a system directory: PostgreSQL then runs as a user of its own, which must be able to reach it,
    and root's home stays closed.
    """
    if given := os.environ.get("SVITLO_DATA_DIR"):
        return Path(given).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/svitlo")
    return platformdirs.user_data_path("svitlo")
