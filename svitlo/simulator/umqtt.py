"""umqtt.simple, the boards' MQTT client: found, or fetched from the Python package index."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

UMQTT_DIR_VARIABLE = "SVITLO_UMQTT_DIR"
UMQTT_PACKAGE = "micropython-umqtt.simple"
UMQTT_VERSION = "1.3.4"
UMQTT_SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"


class MicroPythonUnavailable(Exception):  # noqa: N818 - a state of this machine
    """A board cannot run here; the text says what to install or set."""


@dataclass(frozen=True)
class UmqttSource:
    """A folder that holds umqtt/simple.py (or .mpy), and where it came from."""

    path: Path
    version: str
    origin: str

    def __str__(self) -> str:
        return f"umqtt.simple {self.version} from {self.origin}"


def umqtt_path(cache_dir: Path) -> UmqttSource:
    """Find umqtt.simple, or fetch it into cache_dir. Raises MicroPythonUnavailable.

    On a board it is frozen into MicroPython. Here it is the folder SVITLO_UMQTT_DIR names, or else the one
    version the Python package index has.
    """
    if named := os.environ.get(UMQTT_DIR_VARIABLE):
        folder = Path(named)
        if not _holds_umqtt(folder):
            raise MicroPythonUnavailable(f"{UMQTT_DIR_VARIABLE}={named}: there is no umqtt/simple.py in it")
        return UmqttSource(folder, _version_of(folder), named)
    target = cache_dir / f"umqtt.simple-{UMQTT_VERSION}"
    if not _holds_umqtt(target):
        _fetch(target)
    return UmqttSource(target, UMQTT_VERSION, "PyPI")


def _holds_umqtt(folder: Path) -> bool:
    return any((folder / "umqtt" / name).is_file() for name in ("simple.py", "simple.mpy"))


def _version_of(folder: Path) -> str:
    """The version in the manifest, where the folder is a checkout of the library; else nobody says."""
    manifest = folder / "manifest.py"
    found = re.search(r'version="([^"]+)"', manifest.read_text()) if manifest.is_file() else None
    return found[1] if found else "(version unknown)"


def _fetch(target: Path) -> None:
    """Unpack the source package as target, whole or not at all."""
    try:
        from unearth import PackageFinder
        from unearth.errors import UnpackError
        from unearth.preparer import HTTPErrors
    except ImportError:
        raise MicroPythonUnavailable("umqtt cannot be fetched: pip install 'svitlo[demo]'") from None
    target.parent.mkdir(parents=True, exist_ok=True)
    failures: tuple[type[Exception], ...] = (UnpackError, OSError, ValueError, *HTTPErrors)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetch-") as scratch:
        try:
            finder = PackageFinder(index_urls=_index_urls())
            best = finder.find_best_match(f"{UMQTT_PACKAGE}=={UMQTT_VERSION}").best
            if best is None:
                raise _cannot_fetch("the package index does not have it or does not answer")
            unpacked = finder.download_and_unpack(
                best.link, Path(scratch) / "unpacked", scratch, hashes={"sha256": [UMQTT_SHA256]}
            )
        except failures as error:
            raise _cannot_fetch(type(error).__name__) from error
        if not _holds_umqtt(unpacked):
            raise _cannot_fetch("the package holds no umqtt/simple.py")
        try:
            unpacked.rename(target)
        except OSError:
            if _holds_umqtt(target):  # somebody else was faster
                return
            shutil.rmtree(target, ignore_errors=True)  # half a folder an older attempt left
            unpacked.rename(target)


def _cannot_fetch(reason: str) -> MicroPythonUnavailable:
    # The address of the index stays out of the text: it may hold a password.
    return MicroPythonUnavailable(
        f"cannot fetch {UMQTT_PACKAGE} {UMQTT_VERSION} ({reason}): check the network and PIP_INDEX_URL, "
        f"or set {UMQTT_DIR_VARIABLE} to a folder that holds umqtt/simple.py"
    )


def _index_urls() -> list[str]:
    """The package index pip or uv would use here; empty for the usual one, which unearth knows."""
    for variable in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if value := os.environ.get(variable):
            return [re.sub(r"^[\w.-]+=", "", value)]  # uv allows name=address
    home = Path.home()
    files = [
        Path(os.environ.get("PIP_CONFIG_FILE", os.devnull)),
        Path(sys.prefix, "pip.conf"),
        Path(os.environ.get("XDG_CONFIG_HOME", home / ".config"), "pip", "pip.conf"),
        home / ".pip" / "pip.conf",
        Path("/etc/pip.conf"),
    ]
    for file in files:
        config = configparser.RawConfigParser()
        try:
            config.read(file)
        except (configparser.Error, UnicodeDecodeError):
            continue
        if value := config.get("global", "index-url", fallback=""):
            return [value]
    return []
