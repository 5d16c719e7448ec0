"""Mosquitto as a child process, with a configuration made from `broker/mosquitto.conf`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from svitlo.accounts.seed import write_seed
from svitlo.errors import StackError
from svitlo.share import shared
from svitlo.stack import system_user

_PLACES = (
    "/usr/lib/*/mosquitto_dynamic_security.so",
    "/usr/lib/mosquitto_dynamic_security.so",
    "/usr/lib64/mosquitto_dynamic_security.so",
    "/usr/local/lib/mosquitto_dynamic_security.so",
    "/usr/local/lib64/mosquitto_dynamic_security.so",
    "/opt/homebrew/lib/mosquitto_dynamic_security.so",
    "/opt/homebrew/opt/mosquitto/lib/mosquitto_dynamic_security.*",
    "/usr/local/opt/mosquitto/lib/mosquitto_dynamic_security.*",
)

INSTALL_HINT = (
    "install it: apt install mosquitto (Debian, Ubuntu), dnf install mosquitto, "
    "apk add mosquitto, or brew install mosquitto"
)


def configuration(*, port: int, host: str, plugin: str, directory: str) -> str:
    """The shipped `mosquitto.conf` with its words filled in. Raises `StackError` when it was not shipped."""
    text = shared("broker", "mosquitto.conf").read_text(encoding="utf-8")
    for mark, value in {"@PORT@": str(port), "@HOST@": host, "@PLUGIN@": plugin, "@DATA@": directory}.items():
        text = text.replace(mark, value)
    return text


class EmbeddedMosquitto:
    """One broker over one data directory."""

    def __init__(self, directory: Path, host: str, port: int, secret: str, tls_dir: Path | None = None) -> None:
        self.directory = directory
        self.host = host
        self.port = port
        self._secret = secret
        self._tls_dir = tls_dir
        self._program = _program()
        self._plugin = _plugin()

    @property
    def config(self) -> Path:
        """The generated configuration."""
        return self.directory / "mosquitto.conf"

    def prepare(self) -> None:
        """Write the configuration, and the accounts file if there is none. Raises `StackError`."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        system_user.give(self.directory)
        text = configuration(port=self.port, host=self.host, plugin=str(self._plugin), directory=str(self.directory))
        if os.geteuid() == 0:
            text += f"\nuser {system_user.NAME}\n"
        if self._tls_dir is not None and (listener := self._tls_dir / "listener.conf").exists():
            text += "\n" + listener.read_text(encoding="utf-8").replace("@HOST@", self.host)
        self.config.write_text(text, encoding="utf-8")
        write_seed(self.directory / "dynamic-security.json", self._secret, owner=system_user.owner())

    def command(self) -> list[str]:
        """The command that runs the broker in the foreground."""
        return [self._program, "-c", str(self.config)]


def _program() -> str:
    path = (
        os.environ.get("PATH", "")
        + os.pathsep
        + os.pathsep.join(("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"))
    )
    found = shutil.which("mosquitto", path=path)
    if found is None:
        raise StackError(f"Mosquitto, the MQTT broker, is not installed; {INSTALL_HINT}")
    return found


def _plugin() -> Path:
    for pattern in _PLACES:
        for path in sorted(Path("/").glob(pattern.lstrip("/"))):
            return path
    raise StackError(f"Mosquitto's dynamic-security plugin was not found; {INSTALL_HINT} (version 2.0.11 or newer)")
