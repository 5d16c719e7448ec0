"""The wheel: built, installed into an empty environment, run."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"

pytestmark = pytest.mark.timeout(300)


def run(*command: str | Path, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SVITLO_", "PYTHON"))}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=clean | env,
        timeout=240,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", out, ROOT)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, its locked dependencies and nothing else."""
    directory = tmp_path_factory.mktemp("environment") / "venv"
    run(UV, "venv", "--python", sys.executable, directory)
    run(UV, "pip", "install", "--python", directory / "bin" / "python", "-c", ROOT / "requirements.lock", wheel)
    return directory


def test_it_carries_what_it_needs_to_run(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for wanted in (
        "svitlo/_share/broker/mosquitto.conf",
        "svitlo/_share/firmware/micropython/main.py",
        "svitlo/_share/firmware/unix/run.py",
        "svitlo/db/migrations/env.py",
        "services/notifier/locales/uk/alerts.ftl",
        "services/notifier/locales/en/alerts.ftl",
    ):
        assert wanted in names
    assert any(name.startswith("svitlo/db/migrations/versions/0001") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "bench/"))]


def test_its_command_runs(environment: Path) -> None:
    svitlo = environment / "bin" / "svitlo"
    assert run(svitlo, "--version").stdout.startswith("svitlo ")
    for command in ("up", "site", "device", "key", "simulate", "ingest"):
        assert command in run(svitlo, "--help").stdout


def test_every_service_can_be_imported(environment: Path) -> None:
    modules = ", ".join(f"services.{name}.service" for name in ("ingest", "detector", "notifier", "api"))
    run(environment / "bin" / "python", "-W", "error", "-c", f"import {modules}")


def test_what_is_not_installed_is_named_with_the_way_to_get_it(environment: Path, tmp_path: Path) -> None:
    done = run(environment / "bin" / "svitlo", "up", "--data-dir", tmp_path / "data", check=False)
    assert done.returncode == 1
    assert "svitlo[embedded]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_without_settings_says_which_is_missing(environment: Path) -> None:
    done = run(environment / "bin" / "svitlo", "detector", check=False)
    assert done.returncode == 1
    assert "SVITLO_DATABASE_URL" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
