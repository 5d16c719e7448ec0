"""`svitlo bot`: owners, people, targets."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import people
from svitlo import registry
from svitlo.clock import utc_now
from svitlo.db.session import Database
from tests.cli.conftest import CommandLine

SECRET = "s3cr3t-w0rd"
PLAIN = SECRET.replace("-", "")


@pytest.fixture
def house(svitlo: CommandLine) -> CommandLine:
    async def work(session: AsyncSession) -> None:
        await registry.add_site(session, "house", "Дім")
        await registry.add_site(session, "dacha", "Дача")

    svitlo.prepare(work)
    return svitlo


@pytest.fixture
def hook() -> Iterator[tuple[int, list[dict[str, Any]], dict[str, int]]]:
    """A webhook: its port, what it got, and how it answers."""
    bodies: list[dict[str, Any]] = []
    answer = {"status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answer["status"])
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, bodies, answer
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_owner_by_number_is_listed(house: CommandLine) -> None:
    assert "bot owner" in house("bot", "people").out
    assert "4242424242 is an owner now" in house("bot", "owner", "4242424242").out
    (found,) = house("bot", "people", "--json").json
    assert (found["user_id"], found["role"], found["granted_by"]) == (4_242_424_242, "owner", "cli")
    assert "everything" in house("bot", "people").out


def test_the_one_time_word_makes_one_owner(house: CommandLine, database_url: str) -> None:
    word = house("bot", "owner").out.split("/own ")[1].strip()

    async def say(user: int) -> people.Grant | None:
        async with Database(database_url) as database, database.transaction() as session:
            return await people.accept(session, user, word, utc_now(), owner_only=True)

    first, second = asyncio.run(say(7)), asyncio.run(say(8))
    assert first is not None
    assert first.role is people.Role.OWNER
    assert second is None


def test_a_target_is_added_listed_masked_tested_and_removed(
    house: CommandLine, hook: tuple[int, list[dict[str, Any]], dict[str, int]]
) -> None:
    port, bodies, answer = hook
    url = f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}"
    added = house(
        "bot", "target", "add", url, "--site", "house", "--site", "dacha", "--name", "Пошта", "--language", "en"
    )
    assert "Target 1 (JSON webhook) follows dacha, house now." in added.out

    listed, as_json = house("bot", "target", "list"), house("bot", "target", "list", "--json")
    assert "Пошта" in listed.out
    assert "JSON webhook" in listed.out
    assert (as_json.json[0]["kind"], as_json.json[0]["service"]) == ("json", "JSON webhook")
    assert as_json.json[0]["sites"] == ["dacha", "house"]
    assert SECRET not in added.out + listed.out + as_json.out + added.err

    assert "took the message" in house("bot", "target", "test", "1").out
    assert bodies[0]["title"] == "✅ Svitlo: this channel works"
    answer["status"] = 500
    assert house.refused("bot", "target", "test", "1") == "target 1 did not take the message: the target answered 500"

    assert "Removed target 1" in house("bot", "target", "remove", "1").out
    assert "No targets yet" in house("bot", "target", "list").out
    assert "there is no target 1" in house.refused("bot", "target", "remove", "1")


def test_an_address_can_be_kept_out_of_the_shells_memory(house: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(f"ntfy://{SECRET}\n"))
    house("bot", "target", "add", "-", "--site", "house")
    assert house("bot", "target", "list", "--json").json[0]["kind"] == "ntfy"


@pytest.mark.parametrize(
    ("address", "service"),
    [
        (f"json://user:{SECRET}@localhost", "JSON webhook"),
        (f"jsons://user:{SECRET}@localhost", "JSON webhook"),
        (f"xml://user:{SECRET}@localhost", "XML webhook"),
        (f"form://user:{SECRET}@localhost", "form webhook"),
        (f"mailto://user:{SECRET}@example.org", "e-mail"),
        (f"MAILTOS://user:{SECRET}@example.org", "e-mail"),
        (f"ntfy://{SECRET}", "ntfy"),
        (f"ntfys://localhost/{SECRET}", "ntfy"),
        (f"discord://123456789012345678/{SECRET}", "Discord"),
        (f"https://discord.com/api/webhooks/123456789012345678/{SECRET}", "Discord"),
        (f"slack://T1JJ3T3L2/A1BRTD4JD/{PLAIN}TIiajkdnlazkcO/#house", "Slack"),
        (f"tgram://123456789:{SECRET}{SECRET}/12315544/", "Telegram"),
        (f"gotify://localhost/{SECRET}", "Gotify"),
        (f"matrix://user:{SECRET}@localhost/#house", "Matrix"),
        (f"mqtt://user:{SECRET}@localhost/topic", "mqtt"),
    ],
)
def test_a_target_is_named_by_its_service_and_nothing_else_of_the_address_is_told(
    house: CommandLine, address: str, service: str
) -> None:
    added, listed = house("bot", "target", "add", address, "--site", "house"), house("bot", "target", "list")
    assert added.out.startswith(f"Target 1 ({service}) follows house now.\n")
    assert service in listed.out
    told = added.out + added.err + listed.out + house("bot", "target", "list", "--json").out
    assert SECRET not in told
    assert PLAIN not in told


def test_what_cannot_be_a_target_is_refused_without_repeating_it(house: CommandLine) -> None:
    refused = house.refused("bot", "target", "add", f"pigeon://{SECRET}", "--site", "house")
    assert "no URL that Apprise understands" in refused
    assert SECRET not in refused
    assert "there is no site 'attic'" in house.refused("bot", "target", "add", "json://localhost", "--site", "attic")


def test_an_address_is_in_no_audit_log(house: CommandLine, database_url: str) -> None:
    house("bot", "target", "add", f"ntfy://{SECRET}", "--site", "house")

    async def rows() -> str:
        from sqlalchemy import text

        async with Database(database_url) as database, database.transaction() as session:
            return str(list(await session.execute(text("SELECT action, target, details FROM audit_log"))))

    found = asyncio.run(rows())
    assert "target.add" in found
    assert SECRET not in found
