"""How often a chat may ask, and who is told that it is too often, by a made-up clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import CallbackQuery, Chat, Message, TelegramObject, User

from services.notifier.bot.throttle import Limits, Throttle
from services.notifier.pacing import Rate

LIMITS = Limits(written=Rate(2, 60.0), all=Rate(4, 60.0), wizards=Rate(3, 60.0))


class Asked:
    """A throttle, its clock, what got through, and what people were told instead."""

    def __init__(self) -> None:
        self.now = 100.0
        self.throttle = Throttle(LIMITS, LIMITS, lambda: self.now)
        self.through: list[str] = []
        self.told: list[str | None] = []
        self._bot: Any = self

    async def __call__(self, method: SendMessage | AnswerCallbackQuery) -> bool:
        """As the bot: take what is said."""
        self.told.append(method.text)
        return True

    async def write(self, text: str = "x", chat: int = 1) -> None:
        kind = "private" if chat > 0 else "supergroup"
        there = Chat(id=chat, type=kind)
        message = Message(message_id=1, date=datetime.now(UTC), chat=there, from_user=_person(1), text=text)
        await self._ask(message.as_(self._bot), there, text)

    async def press(self, data: str, user: int = 1, chat: int = 1) -> None:
        query = CallbackQuery(id="1", from_user=_person(user), chat_instance="1", data=data)
        await self._ask(query.as_(self._bot), Chat(id=chat, type="private"), data)

    async def _ask(self, event: TelegramObject, chat: Chat, what: str) -> None:
        async def handler(_event: TelegramObject, _data: dict[str, Any]) -> None:
            self.through.append(what)

        await self.throttle(handler, event, {"event_chat": chat})


def _person(user: int) -> User:
    return User(id=user, is_bot=False, first_name="x", language_code="en")


@pytest.fixture
def asked() -> Asked:
    return Asked()


async def test_presses_go_on_when_words_do_not_and_wizards_when_neither_does(asked: Asked) -> None:
    for _ in range(3):
        await asked.write()
    for _ in range(3):
        await asked.press("p:o:0:0")
    for _ in range(4):
        await asked.press("g:t:1:0:0")
    assert asked.through == ["x"] * 2 + ["p:o:0:0"] * 2 + ["g:t:1:0:0"] * 3


async def test_nobody_is_told_twice_within_a_minute(asked: Asked) -> None:
    for _ in range(5):
        await asked.write()
    assert len(asked.told) == 1
    asked.now += 59.0
    await asked.write()
    assert len(asked.told) == 1
    asked.now += 2.0
    for _ in range(3):
        await asked.write()
    assert len(asked.through) == 4
    assert len(asked.told) == 2


async def test_each_who_presses_is_told_and_no_button_hangs(asked: Asked) -> None:
    for _ in range(4):
        await asked.press("p:o:0:0")
    for user in (1, 2, 1):
        await asked.press("p:o:0:0", user)
    first, second, third = asked.told
    assert first == second == "Not so fast, please. That was not done: try again in a minute."
    assert third is None


async def test_chats_that_fell_silent_are_forgotten(asked: Asked) -> None:
    for chat in range(1, 50):
        await asked.write(chat=chat)
    asked.now += 120.0
    await asked.write(chat=99)
    assert set(asked.throttle._chats) == {99}
