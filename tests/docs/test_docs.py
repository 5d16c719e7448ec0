"""The documentation tells the truth where a machine can check it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from svitlo.cli.app import app
from svitlo.settings import SECRETS, Policy, Settings

ROOT = Path(__file__).parent.parent.parent
FIRST_SCREEN = 45

OTHER_VARIABLES = {
    "SVITLO_HEALTH_FILE",
    "SVITLO_UMQTT_DIR",
    "SVITLO_WIFI_PASSWORD",
    "SVITLO_TEST_DOCKER",
    "SVITLO_TEST_MOSQUITTO_IMAGE",
    "SVITLO_TEST_POSTGRES_IMAGE",
}
"""Variables that are not settings."""

REGISTRIES = [
    *(name + ".org" for name in ("pypi", "files.pythonhosted", "registry.npmjs", "proxy.golang")),
    *(name + ".io" for name in ("registry-1.docker", "index.docker", "ghcr", "quay", "crates")),
]
"""Hosts of package registries: where packages come from is for each machine to say, not for the repository."""


def tracked() -> list[Path]:
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


TRACKED = tracked()
PAGES = [path for path in TRACKED if path.suffix == ".md"]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def prose(page: Path) -> str:
    """The text without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The anchors GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def settings() -> dict[str, Any]:
    """Every variable that is a setting, with its default."""
    fields = {name: field for name, field in Settings.model_fields.items() if name != "policy"} | Policy.model_fields
    return {f"SVITLO_{name.upper()}": field.default for name, field in fields.items()}


def fenced_commands(page: Path) -> Iterator[list[str]]:
    """The arguments of each line that begins with `svitlo` in the page's shell blocks."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] in ("svitlo", ".venv/bin/svitlo"):
                end = next((at for at, word in enumerate(words) if word in ("|", ">", "<", "&&", ";")), len(words))
                yield words[1:end]


def mentioned_commands(page: Path) -> Iterator[list[str]]:
    """The words of each `svitlo ...` within a line of prose, placeholders and all."""
    for code in re.findall(r"`([^`\n]*)`", prose(page)):
        if found := re.match(r"(?:\S*/|docker compose exec \S+ )?svitlo ([a-z].*)", code):
            yield found[1].split()


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command the words name, and the words that are left for it."""
    command: Any = get_command(app)
    while hasattr(command, "commands") and words:
        assert words[0] in command.commands, f"there is no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{link}: there is no such file"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is no such heading"


@every_page
def test_every_command_in_a_block_can_be_given_like_that(page: Path) -> None:
    for words in fenced_commands(page):
        command, arguments = resolve(words)
        try:
            command.make_context(command.name, list(arguments))  # parses and checks, runs nothing
        except Exception as error:
            pytest.fail(f"svitlo {' '.join(words)}: {error}")


@every_page
def test_every_command_in_the_text_exists_with_its_options(page: Path) -> None:
    for words in mentioned_commands(page):
        command, rest = resolve(words)
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, f"svitlo {' '.join(words)}"


@every_page
def test_every_variable_exists(page: Path) -> None:
    known = settings().keys() | OTHER_VARIABLES | {f"SVITLO_{name.upper()}_FILE" for name in SECRETS}
    mentioned = set(re.findall(r"SVITLO_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8")))
    assert mentioned <= known


def test_every_setting_is_documented_with_its_default() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(SVITLO_[A-Z_]+)`[^|]*\|\s*([^|]*?)\s*\|", page, flags=re.M))
    assert rows.keys() == settings().keys()
    for name, default in settings().items():
        if default is not None:
            shown = f"{default:g}" if isinstance(default, float) else str(default)
            assert rows[name] == f"`{shown}`", name


def test_the_first_screen_says_how_to_begin() -> None:
    first = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:FIRST_SCREEN])
    for command in ("make demo", "make test", "make up", "cp .env.example .env", "docker compose up -d"):
        assert command in first


def test_no_file_names_the_host_of_a_package_registry() -> None:
    found = [
        f"{name_of(path)} names {host}"
        for path in TRACKED
        for text in [path.read_text(encoding="utf-8", errors="ignore")]
        for host in REGISTRIES
        if host in text
    ]
    assert not found
