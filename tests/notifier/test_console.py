"""Without a token: alerts on standard output, kept all the same."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from services.notifier import chats
from services.notifier.channels.base import Address, Said, TryLaterError
from services.notifier.channels.console import ConsoleChannel
from services.notifier.pacing import UNLIMITED
from services.notifier.views import ALERT_KINDS
from svitlo.contracts import EventKind
from tests.notifier.conftest import World, all_sent, sending, until

HERE = Address(chat_id=0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Deaf(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


async def test_every_sites_alerts_are_printed_and_kept(world: World) -> None:
    async with world.database.transaction() as session:
        await chats.open_console(session, "uk")
    home, secret = await world.site("home", "Шевченка 12"), await world.site("secret", "Дача", public=False)
    await world.event(home)
    await world.event(secret)
    await world.event(home, EventKind.POWER_RESTORED)
    await world.plan()
    output = io.StringIO()
    async with sending(world, ConsoleChannel(output), rates=UNLIMITED):
        await until(lambda: all_sent(world, 0))
    paragraphs = output.getvalue().splitlines()
    assert [line.split(" — ")[0] for line in paragraphs if "—" in line] == [
        "🔌 Шевченка 12",
        "🔌 Дача",
        "💡 Шевченка 12",
    ]
    kept = await world.rows("SELECT text FROM deliveries ORDER BY id")
    assert [row.text.splitlines()[0] for row in kept] == [line for line in paragraphs if "—" in line]


async def test_the_console_speaks_the_set_language_and_is_silent_once_a_token_is_set(world: World) -> None:
    home = await world.site("home")
    for language in ("uk", "en"):
        async with world.database.transaction() as session:
            await chats.open_console(session, language)
    [row] = await world.rows("SELECT platform, chat_id, language, active FROM chats")
    assert tuple(row) == ("console", 0, "en", True)
    await world.event(home)
    await world.plan()
    async with world.database.transaction() as session:
        await chats.close_console(session, "a Telegram token is set")
    await world.event(home, EventKind.POWER_RESTORED)
    await world.plan()
    assert await world.deliveries(0) == [("dropped", "a Telegram token is set")]


async def test_colour_is_for_terminals_only() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        await ConsoleChannel(stream).send(
            HERE, Said(text="🔌 Дім — світла немає з 18:03\nДо того світло було 3 год"), EventKind.POWER_LOST
        )
    assert file.getvalue() == "🔌 Дім — світла немає з 18:03\n   До того світло було 3 год\n"
    assert terminal.getvalue().startswith("\x1b[33m🔌 Дім — світла немає з 18:03\x1b[0m\n")


@pytest.mark.parametrize("kind", ALERT_KINDS)
async def test_every_kind_of_alert_has_a_colour(kind: EventKind) -> None:
    terminal = Terminal()
    await ConsoleChannel(terminal).send(HERE, Said(text="text"), kind)
    assert terminal.getvalue().startswith("\x1b[")


async def test_an_output_nobody_reads_is_tried_later() -> None:
    with pytest.raises(TryLaterError, match="Broken pipe"):
        await ConsoleChannel(Deaf()).send(HERE, Said(text="text"), EventKind.POWER_LOST)


async def test_an_output_without_ukrainian_letters_gets_marks_instead() -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    await ConsoleChannel(ascii_only).send(HERE, Said(text="🔌 Home — off"), EventKind.POWER_LOST)
    ascii_only.seek(0)
    assert ascii_only.read() == "? Home ? off\n"


def test_the_console_needs_no_aiogram() -> None:
    code = (
        "import services.notifier.service, sys; print([name for name in ('aiogram', 'aiohttp') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
