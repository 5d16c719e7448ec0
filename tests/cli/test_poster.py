"""`svitlo site poster`: the page to pin up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from svitlo import registry
from tests.cli.conftest import CommandLine
from tests.support.telegram import BOT_NAME, TOKEN, FakeTelegram


@pytest.fixture
def house(svitlo: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    """A public house and a private dacha."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SVITLO_TELEGRAM_TOKEN", raising=False)

    async def work(session: AsyncSession) -> None:
        await registry.add_site(session, "house", "Шевченка 12", public=True)
        await registry.add_site(session, "dacha", "Дача")

    svitlo.prepare(work)
    return svitlo


@pytest.fixture
def telegram_url() -> Iterator[str]:
    """A Telegram in a thread of its own: the command runs a loop itself."""
    started, ended = threading.Event(), threading.Event()
    urls: list[str] = []

    async def serve() -> None:
        async with FakeTelegram() as telegram:
            urls.append(telegram.url)
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(20)
        yield urls[0]
    finally:
        ended.set()
        thread.join()


def test_the_poster_of_a_public_site_opens_it_by_its_slug(house: CommandLine, tmp_path: Path) -> None:
    outcome = house("site", "poster", "house", "--bot", "@my_house_bot", "-o", "hall.png")
    assert outcome.out == "Wrote hall.png; its code opens https://t.me/my_house_bot?start=s_house\n"
    assert outcome.err == ""
    assert (tmp_path / "hall.png").read_bytes().startswith(b"\x89PNG")


def test_the_poster_of_a_private_site_opens_it_by_its_invitation(house: CommandLine) -> None:
    invite = house("site", "show", "dacha", "--json").json["invite"]
    outcome = house("site", "poster", "dacha", "--bot", "my_house_bot", "--group")
    assert f"https://t.me/my_house_bot?startgroup=i_{invite}" in outcome.out
    assert "can follow it" in outcome.err
    assert Path("dacha.png").exists()


def test_the_name_of_the_bot_is_asked_of_telegram(
    house: CommandLine, telegram_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVITLO_TELEGRAM_TOKEN", TOKEN)
    monkeypatch.setenv("SVITLO_TELEGRAM_API_URL", telegram_url)
    assert f"https://t.me/{BOT_NAME}?start=s_house" in house("site", "poster", "house").out


def test_a_token_telegram_does_not_know_is_told_without_showing_it(
    house: CommandLine, telegram_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVITLO_TELEGRAM_TOKEN", "123456:wrong-token")
    monkeypatch.setenv("SVITLO_TELEGRAM_API_URL", telegram_url)
    said = house.refused("site", "poster", "house")
    assert "SVITLO_TELEGRAM_TOKEN" in said
    assert "wrong-token" not in said
    assert not Path("house.png").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("site poster nowhere --bot my_house_bot", "site list shows what there is"),
        ("site poster house", "give --bot NAME"),
        ("site poster house --bot https://t.me/x", "is not a bot's user name"),
        ("site poster house --bot my_house_bot -o hall.pdf", "hall.png"),
        ("site poster house --bot my_house_bot -o none/hall.png", "cannot be written"),
    ],
)
def test_what_cannot_be_is_one_line(house: CommandLine, given: str, says: str) -> None:
    assert says in house.refused(*given.split())
