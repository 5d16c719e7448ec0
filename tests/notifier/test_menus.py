"""The menu of commands of one chat: in the language it chose, and gone when it is forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.notifier.bot.poller import Poller
from services.notifier.bot.routers import menu
from services.notifier.texts import words
from tests.notifier.conftest import World
from tests.notifier.conversation import talking
from tests.support.telegram import FakeTelegram


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    async with talking(world.database, telegram) as poller:
        yield poller


def asked(telegram: FakeTelegram, method: str, chat_id: int) -> list[dict[str, Any]]:
    """What was asked of the menu of one chat."""
    scope = {"type": "chat", "chat_id": chat_id}
    return [call.params for call in telegram.calls_to(method) if call.params.get("scope") == scope]


def described(params: dict[str, Any]) -> dict[str, str]:
    return {item["command"]: item["description"] for item in params["commands"]}


async def test_the_menu_speaks_the_language_a_chat_chose(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    telegram.say(1, "/language")
    await telegram.wait_for(1, "Мова")
    assert asked(telegram, "setMyCommands", 1) == []
    telegram.press(1, "English")
    await telegram.wait_until(lambda: asked(telegram, "setMyCommands", 1))
    telegram.say(1, "/language ua")
    await telegram.wait_until(lambda: len(asked(telegram, "setMyCommands", 1)) == 2)
    english, ukrainian = map(described, asked(telegram, "setMyCommands", 1))
    assert tuple(english) == tuple(ukrainian) == menu()
    assert english["status"] == words("en").say("command-status")
    assert ukrainian["status"] == words("uk").say("command-status")


async def test_an_unknown_language_and_one_who_may_not_change_no_menu(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.group(-5, admins=[7])
    telegram.say(-5, "/language en", user_id=8)
    await telegram.wait_for(-5, "лише адміністратори")
    telegram.say(1, "/language pl")
    await telegram.wait_for(1, "українською та англійською")
    assert asked(telegram, "setMyCommands", -5) == asked(telegram, "setMyCommands", 1) == []


async def test_a_groups_menu_follows_its_language_but_not_that_of_a_topic(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Дім")
    telegram.group(-5, admins=[7], forum=True)
    topic = telegram.topic(-5, "Світло")
    telegram.say(-5, "/language en", user_id=7, topic=topic)
    await telegram.wait_for(-5, "Speaking English")
    assert asked(telegram, "setMyCommands", -5) == []
    telegram.say(-5, "/link home", user_id=7)
    await telegram.wait_for(-5, "Повідомляю в цій групі")
    telegram.press(-5, "Мова: українська", user_id=7)
    await telegram.wait_until(lambda: asked(telegram, "setMyCommands", -5))
    assert described(asked(telegram, "setMyCommands", -5)[0])["help"] == words("en").say("command-help")


@pytest.mark.parametrize("met", [False, True], ids=["as told", "after an alert was refused"])
async def test_a_group_that_became_a_supergroup_has_its_menu_there(
    world: World, telegram: FakeTelegram, bot: Poller, met: bool
) -> None:
    telegram.group(-5, admins=[7])
    telegram.say(-5, "/language en", user_id=7)
    await telegram.wait_until(lambda: asked(telegram, "setMyCommands", -5))
    if met:
        await world.run("UPDATE chats SET chat_id = -1005")
    telegram.migrate(-5, -1005, told=True)
    await telegram.wait_until(lambda: asked(telegram, "setMyCommands", -1005))
    assert [described(shown)["help"] for shown in asked(telegram, "setMyCommands", -1005)] == [
        words("en").say("command-help")
    ]


async def test_with_a_chat_its_menu_is_forgotten(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    telegram.say(1, "/language en")
    await telegram.wait_until(lambda: asked(telegram, "setMyCommands", 1))
    telegram.say(1, "/forget")
    await telegram.wait_for(1, "Delete all")
    telegram.press(1, "No, keep it")
    await telegram.wait_for(1, "Nothing was deleted")
    assert asked(telegram, "deleteMyCommands", 1) == []
    telegram.say(1, "/forget")
    await telegram.wait_for(1, lambda seen: "🗑 Yes, delete" in seen.labels)
    telegram.press(1, "Yes, delete")
    await telegram.wait_until(lambda: asked(telegram, "deleteMyCommands", 1))


async def test_a_menu_telegram_refuses_does_not_keep_the_language_back(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.say(1, "/help")
    await telegram.wait_for(1, "/places")
    telegram.fail(400, "Bad Request: can't change the menu", method="setMyCommands")
    telegram.say(1, "/language en")
    await telegram.wait_for(1, "Speaking English")
    telegram.say(1, "/help")
    await telegram.wait_for(1, "find a place")
    assert telegram.calls_to("setMyCommands")[-1].status == 400
