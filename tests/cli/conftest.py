"""The command line as a person uses it, on a database of the test's own."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo.cli import main
from svitlo.db.session import Database
from tests.support.umqtt import umqtt

__all__ = ["CommandLine", "Outcome", "svitlo", "umqtt"]


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs `svitlo ...` in this process, as its own entry point does."""

    def __init__(self, url: str, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._url, self._patch, self._capture = url, patch, capture

    def try_(self, *arguments: str) -> Outcome:
        self._patch.setattr(sys, "argv", ["svitlo", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = self._capture.readouterr()
        return Outcome(int(ended.value.code or 0), shown.out, shown.err)

    def __call__(self, *arguments: str) -> Outcome:
        outcome = self.try_(*arguments)
        assert outcome.code == 0, outcome.err
        return outcome

    def refused(self, *arguments: str) -> str:
        """The one line of an error."""
        outcome = self.try_(*arguments)
        assert (outcome.code, outcome.out) == (1, "")
        (line,) = outcome.err.splitlines()
        assert line.startswith("svitlo: ")
        return line.removeprefix("svitlo: ")

    def prepare(self, work: Callable[[AsyncSession], Awaitable[Any]]) -> None:
        """Do in one transaction what the commands would do with a broker."""

        async def run() -> None:
            async with Database(self._url) as database, database.transaction() as session:
                await work(session)

        asyncio.run(run())


@pytest.fixture
def svitlo(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setenv("SVITLO_DATABASE_URL", database_url)
    monkeypatch.setenv("SVITLO_MQTT_URL", "mqtt://svitlo@127.0.0.1:1")
    monkeypatch.setenv("SVITLO_SECRET", "x" * 32)
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.delenv("SVITLO_TIMEZONE", raising=False)
    return CommandLine(database_url, monkeypatch, capsys)
