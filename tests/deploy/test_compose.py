"""What compose.yaml promises: nothing open that need not be, no secret where it can leak, everything documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from svitlo.health import VARIABLE
from svitlo.settings import SECRETS, Policy, Settings
from svitlo.setup import BROKER_USER, CREDENTIALS, SERVICE_USER

ROOT = Path(__file__).parent.parent.parent
COMPOSE = ROOT / "compose.yaml"
TLS = ROOT / "compose.tls.yaml"

document: dict[str, Any] = YAML(typ="safe", pure=True).load(COMPOSE)
services: dict[str, dict[str, Any]] = document["services"]
OURS = sorted(CREDENTIALS)
EVERY = sorted(services)


def environment(service: str) -> dict[str, str | None]:
    found: dict[str, str | None] = services[service].get("environment", {})
    return found


def interpolated() -> set[str]:
    """Variables compose.yaml takes from .env: `${NAME...}`, a bare `NAME:` in an environment, a secret's source."""
    text = COMPOSE.read_text() + TLS.read_text()
    passed = {name for service in EVERY for name, value in environment(service).items() if value is None}
    secrets = {secret["environment"] for secret in document["secrets"].values()}
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text)) | passed | secrets


def example() -> dict[str, str]:
    """Variables of .env.example, those in comments too."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = (re.fullmatch(r"#?([A-Z_]+)=(.*)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("path", [COMPOSE, TLS])
def test_it_follows_the_compose_specification(path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_broker_and_the_api_are_published_and_the_api_to_this_machine_only() -> None:
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "broker": ["${MQTT_BIND:-0.0.0.0}:${MQTT_PORT:-1883}:1883"],
        "api": ["${HTTP_BIND:-127.0.0.1}:${HTTP_PORT:-8080}:8080"],
    }


def test_the_database_is_out_of_everybody_elses_reach() -> None:
    assert services["db"]["networks"] == ["data"]
    assert document["networks"]["data"]["internal"] is True
    assert services["broker"]["networks"] == ["bus"]


@pytest.mark.parametrize("service", EVERY)
def test_no_secret_is_in_an_environment(service: str) -> None:
    for name, value in environment(service).items():
        assert name.endswith("_FILE") or not re.search("SECRET|PASSWORD|TOKEN", name), name
        assert "${" not in (value or ""), name
        assert not re.search(r"://[^@/]*:[^@/]*@", value or ""), name


def test_only_the_two_that_need_it_get_the_master_secret() -> None:
    assert [service for service in EVERY if "SVITLO_SECRET_FILE" in environment(service)] == ["ingest", "setup"]
    assert services["db"]["secrets"] == ["postgres_password"]
    assert [service for service in EVERY if "secrets" in services[service]] == ["db", "setup"]


@pytest.mark.parametrize("service", OURS)
def test_a_service_is_pointed_at_exactly_the_credentials_it_is_given(service: str) -> None:
    files = {name: value for name, value in environment(service).items() if name.endswith("_FILE")}
    del files[VARIABLE]
    assert files == {f"SVITLO_{name.upper()}_FILE": f"/run/svitlo/{name}" for name in CREDENTIALS[service]}
    assert services[service]["volumes"] == [f"credentials-{service}:/run/svitlo:ro"]
    assert f"credentials-{service}:/credentials/{service}" in services["setup"]["volumes"]
    assert environment(service)["SVITLO_MQTT_URL"] == f"mqtt://svitlo.{service}@broker:1883"


@pytest.mark.parametrize("service", EVERY)
def test_every_container_is_confined(service: str) -> None:
    about = services[service]
    assert about["cap_drop"] == ["ALL"]
    assert about["security_opt"] == ["no-new-privileges:true"]
    assert about["mem_limit"]
    assert about["pids_limit"]
    assert about["logging"]["options"]["max-size"]


@pytest.mark.parametrize("service", [*OURS, "broker"])
def test_what_faces_the_network_is_an_ordinary_user_on_a_read_only_disk(service: str) -> None:
    about = services[service]
    assert about["user"] == "{}:{}".format(*(BROKER_USER if service == "broker" else SERVICE_USER))
    assert about["read_only"] is True
    assert about["init"] is True
    assert "cap_add" not in about
    # Compose cannot put a secret that comes from .env into a container with a read-only root.
    assert "secrets" not in about


@pytest.mark.parametrize("service", sorted(set(EVERY) - {"setup"}))
def test_whatever_stays_up_is_watched_and_comes_back(service: str) -> None:
    about = services[service]
    assert about["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert about["restart"] == "unless-stopped"
    assert about["stop_grace_period"]


def test_setup_runs_once_between_the_database_and_everything_else() -> None:
    assert services["setup"]["restart"] == "no"
    assert services["setup"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    for service in [*OURS, "broker"]:
        assert services[service]["depends_on"]["setup"] == {"condition": "service_completed_successfully"}


def test_the_setup_command_is_one_the_program_knows() -> None:
    import typer.main

    from svitlo.cli.app import app

    command = typer.main.get_command(app).commands["setup"]  # type: ignore[attr-defined]
    given = [part.split("=")[0] for part in services["setup"]["command"] if part.startswith("--")]
    assert sorted(given) == sorted(option for part in command.params for option in part.opts if option != "--help")


def test_the_tls_door_is_opened_only_on_demand() -> None:
    assert "8883" not in COMPOSE.read_text()
    extra = YAML(typ="safe", pure=True).load(TLS)["services"]
    assert extra["broker"]["ports"] == ["${MQTTS_BIND:-0.0.0.0}:${MQTTS_PORT:-8883}:8883"]
    assert set(extra["setup"]["environment"]) == {"SVITLO_TLS_NAMES"}


def test_every_setting_is_one_the_program_knows() -> None:
    known = {f"SVITLO_{name.upper()}" for name in (*Settings.model_fields, *Policy.model_fields)}
    known |= {f"SVITLO_{name.upper()}_FILE" for name in SECRETS} | {VARIABLE}
    used = {name for service in EVERY for name in environment(service) if name.startswith("SVITLO_")}
    assert used <= known


def test_env_example_documents_what_compose_reads_and_nothing_else() -> None:
    assert set(example()) == interpolated()


def test_env_example_tells_the_programs_own_defaults() -> None:
    fields = {**Settings.model_fields, **Policy.model_fields}
    for name, value in example().items():
        field = fields.get(name.removeprefix("SVITLO_").lower())
        if name.startswith("SVITLO_") and field is not None and field.default is not None:
            expected = field.default
            assert type(expected)(value) == expected, name


def test_what_must_be_filled_in_is_left_empty_and_asked_for() -> None:
    required = re.findall(r"\$\{([A-Z_]+):\?", COMPOSE.read_text())
    assert required == ["SVITLO_SECRET", "POSTGRES_PASSWORD"]
    assert [name for name, value in example().items() if not value and name in required] == required


@pytest.mark.parametrize("image", sorted({service["image"] for service in services.values()} - {"svitlo:local"}))
def test_foreign_images_are_pinned(image: str) -> None:
    assert re.fullmatch(r"[a-z-]+:\d[\w.-]*", image)


def test_the_image_runs_as_the_user_the_credentials_are_for() -> None:
    stages = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    assert "\nUSER {}:{}\n".format(*SERVICE_USER) in stages[-1]
    assert stages[1].count("--require-hashes") == 2
    assert "pip" not in stages[-1]


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    copies = re.findall(r"^COPY (?!--from)(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    copied = {source for line in copies for source in line.split()[:-1]}
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignore[1] == "*"
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)
