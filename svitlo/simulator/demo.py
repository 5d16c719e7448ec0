"""The demo: three houses whose boards run the real firmware, and a story of real outages."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from svitlo import registry
from svitlo.accounts.dynsec import DynamicSecurity
from svitlo.accounts.passwords import derive_password
from svitlo.accounts.roles import ADMIN
from svitlo.accounts.sync import sync_accounts, wanted_accounts
from svitlo.db.session import Database
from svitlo.errors import StackError
from svitlo.settings import load_settings
from svitlo.simulator.micropython import MicroPythonBoard, MicroPythonUnavailable, UmqttSource, umqtt_path
from svitlo.stack.child import end_leftovers, remember
from svitlo.stack.places import Places, RunningStack

DEMO_ENV = {"SVITLO_RECONNECT_S": "15"}
"""The demo's boards are on this machine and back at once, so a blind span may be forgotten sooner."""

INTERVAL_S = 2
KEEPALIVE_S = 5


@dataclass(frozen=True)
class House:
    """One house of the demo."""

    slug: str
    names: dict[str, str]


HOUSES = (
    House("shevchenka-12", {"uk": "Шевченка 12", "en": "Shevchenka 12"}),
    House("franka-5", {"uk": "Франка 5", "en": "Franka 5"}),
    House("skovorody-8", {"uk": "Сковороди 8", "en": "Skovorody 8"}),
)

_WORDS = {
    "uk": {
        "boards": "три плати увімкнено (справжня прошивка в MicroPython, {umqtt})",
        "kill": "вимикаємо струм: {name} (зв'язок обірвано, сервер дізнається одразу)",
        "start": "вмикаємо струм: {name} (плата стартує)",
        "freeze": "вимикаємо струм: {name} (плата мовчить, а зв'язок лишився: сервер має помітити тишу)",
        "thaw": "вмикаємо струм: {name} (плата стартує)",
        "again": "це була коротка екскурсія; далі струм зникатиме у випадкових будинках, доки не натиснете Ctrl-C",
    },
    "en": {
        "boards": "three boards are on (the real firmware in MicroPython, {umqtt})",
        "kill": "we cut the power at {name} (its connection breaks, so the server knows at once)",
        "start": "power comes back at {name} (the board boots)",
        "freeze": "we cut the power at {name} (the connection stays open: the server must notice the silence)",
        "thaw": "power comes back at {name} (the board boots)",
        "again": "that was the tour; power now goes at random houses until you press Ctrl-C",
    },
}


GOODBYE_S = 3.0


class Narrator(Protocol):
    """Who tells the story to the person at the terminal."""

    @property
    def language(self) -> str:
        """uk or en."""

    def say(self, text: str, style: str = "") -> None:
        """Tell one line."""


async def tell(stack: RunningStack, directory: Path, narrator: Narrator, *, once: bool) -> None:
    """Set the houses up, then cut and restore their power until cancelled (or, with `once`, told once)."""
    words = _WORDS[narrator.language]
    umqtt = await _umqtt(directory)
    # Boards of a demo that was killed hard would fight the new ones for their client ids.
    noted = Places(directory).run / "boards.json"
    await asyncio.to_thread(end_leftovers, noted)
    boards = await _houses(stack, directory, narrator.language, umqtt)
    names = {house.slug: house.names[narrator.language] for house in HOUSES}

    def say(key: str, slug: str) -> None:
        style = "magenta" if key in ("kill", "freeze") else "green" if key in ("start", "thaw") else "dim"
        narrator.say(words[key].format(name=names.get(slug, ""), umqtt=umqtt), style)

    def note() -> None:
        remember(noted, {slug: board.pid if board.running else None for slug, board in boards.items()})

    async def act(happening: Act, slug: str, length_s: float) -> None:
        await happening(slug, boards[slug], length_s, say)
        note()

    try:
        for board in boards.values():
            board.start()
        note()
        say("boards", "")
        await asyncio.sleep(6)
        first, second, _ = (house.slug for house in HOUSES)
        await act(_kill, first, 10)
        await asyncio.sleep(5)
        await act(_freeze, second, 16)
        await asyncio.sleep(6)
        if once:
            return
        say("again", "")
        while True:
            await asyncio.sleep(random.uniform(15, 30))  # noqa: S311 - a story, not a secret
            house = random.choice(HOUSES)  # noqa: S311
            happening = random.choice((_kill, _freeze))  # noqa: S311
            await act(happening, house.slug, random.uniform(12, 40))  # noqa: S311
    finally:
        try:
            await asyncio.gather(*(asyncio.to_thread(_leave, board) for board in boards.values()))
        finally:
            for board in boards.values():
                board.kill()


def _leave(board: MicroPythonBoard) -> None:
    """Let a board say goodbye, so that the next demo does not begin with an outage of all the time between."""
    with contextlib.suppress(RuntimeError, TimeoutError):  # it is off, or frozen
        board.goodbye(GOODBYE_S)


Say = Callable[[str, str], None]
Act = Callable[[str, MicroPythonBoard, float, Say], Awaitable[None]]


async def _kill(slug: str, board: MicroPythonBoard, length_s: float, say: Say) -> None:
    say("kill", slug)
    board.kill()
    await asyncio.sleep(length_s)
    say("start", slug)
    board.start()


async def _freeze(slug: str, board: MicroPythonBoard, length_s: float, say: Say) -> None:
    """Frozen first, so that only silence tells; what thaws is a board that boots, as after a real cut."""
    say("freeze", slug)
    board.freeze()
    await asyncio.sleep(length_s)
    say("thaw", slug)
    board.kill()
    board.start()


async def _umqtt(directory: Path) -> UmqttSource:
    try:
        return await asyncio.to_thread(umqtt_path, directory / "umqtt")
    except MicroPythonUnavailable as error:
        raise StackError(str(error)) from error


async def _houses(
    stack: RunningStack, directory: Path, language: str, umqtt: UmqttSource
) -> dict[str, MicroPythonBoard]:
    given = load_settings().secret
    secret = given.get_secret_value() if given else Places(directory).master_secret()
    generations = await _register(stack, language, secret)
    return {
        house.slug: MicroPythonBoard(
            directory / "boards" / house.slug,
            device_id=house.slug,
            password=derive_password(secret, house.slug, generations[house.slug]),
            umqtt=umqtt,
            mqtt_host=stack.broker.host,
            mqtt_port=stack.broker.port,
            interval_s=INTERVAL_S,
            keepalive_s=KEEPALIVE_S,
        )
        for house in HOUSES
    }


async def _register(stack: RunningStack, language: str, secret: str) -> dict[str, int]:
    async with Database(stack.database_url, pool_size=1) as database:
        async with database.transaction() as session:
            known = {site.slug: site for site in await registry.list_sites(session)}
            for house in HOUSES:
                if house.slug not in known:
                    await registry.add_site(session, house.slug, house.names[language], public=True, actor="demo")
                if house.slug not in known or house.slug not in known[house.slug].devices:
                    await registry.add_device(session, house.slug, house.slug, actor="demo")
            generations = {row.id: row.generation for row in await registry.list_devices(session)}
        async with database.transaction() as session:
            wanted = await wanted_accounts(session)
        async with DynamicSecurity.connect(stack.broker, derive_password(secret, ADMIN, 1)) as plugin:
            await sync_accounts(plugin, wanted, secret)
    return generations
