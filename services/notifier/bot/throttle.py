"""Keeps one chat from using up what Telegram lets the bot say, which the alerts need."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiogram import BaseMiddleware
from aiogram.types import CallbackQuery, Message, TelegramObject, User

from services.notifier.bot.groups_boards import Invited, Step
from services.notifier.bot.keyboards import Rule
from services.notifier.bot.rules_boards import Whole
from services.notifier.pacing import Rate, Window
from services.notifier.texts import LANGUAGES, language_of, words


@dataclass(frozen=True)
class Limits:
    """How often a chat may write to the bot, how often write and press buttons together, and press those of wizards."""

    written: Rate
    all: Rate
    wizards: Rate


PRIVATE = Limits(written=Rate(60, 60.0), all=Rate(240, 60.0), wizards=Rate(240, 60.0))
"""Somebody who turns pages or goes through a wizard presses fast, and what they see is edited, not sent."""

GROUP = Limits(written=Rate(9, 60.0), all=Rate(15, 60.0), wizards=Rate(60, 60.0))
"""With the word that it is too much, ten of the 20 messages a minute Telegram allows in a group; the rest is for alerts
and for what buttons change. The buttons of wizards and settings change something for the group's admins only, who now
and then press many in a row."""

WIZARDS = {kind.__prefix__ for kind in (Step, Invited, Rule, Whole)}

TOLD_AGAIN_S = 60.0
"""Before this nobody is told again that they are too fast."""

SWEEP_S = 60.0


class Throttle(BaseMiddleware):
    """Leaves undone what a chat asks beyond its limits, and says so once; outside every handler.

    What the members of a group say to each other is not asked of the bot and does not count.
    """

    def __init__(
        self, private: Limits = PRIVATE, group: Limits = GROUP, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._private, self._group, self._clock = private, group, clock
        self._chats: dict[int, _Asked] = {}
        self._swept = clock()

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Handle the event, or not."""
        chat = data["event_chat"].id if data.get("event_chat") else 0
        pressed = event.data or "" if isinstance(event, CallbackQuery) else None
        if isinstance(event, Message) and chat < 0 and not _asks(event):
            return await handler(event, data)
        now = self._clock()
        self._sweep(now)
        asked = self._chats.setdefault(chat, _Asked(self._group if chat < 0 else self._private))
        if asked.takes(now, pressed):
            return await handler(event, data)
        if isinstance(event, CallbackQuery):
            # A pop-up is no message to Telegram; without an answer the button would seem to hang.
            await event.answer(_slow_down(event.from_user) if asked.tells(now, event.from_user.id) else None)
        elif isinstance(event, Message) and asked.tells(now, 0):
            await event.answer(_slow_down(event.from_user))
        return None

    def _sweep(self, now: float) -> None:
        """Forget the chats that asked nothing lately; not at every event, for they may be ten thousand."""
        if now - self._swept >= SWEEP_S:
            self._swept = now
            self._chats = {key: asked for key, asked in self._chats.items() if not asked.unused(now)}


class _Asked:
    """What a chat asked lately, and who was told that it is too much: a person who pressed, or (0) the chat."""

    def __init__(self, limits: Limits) -> None:
        self.written, self.all, self.wizards = Window(limits.written), Window(limits.all), Window(limits.wizards)
        self._told: dict[int, float] = {}

    def takes(self, now: float, pressed: str | None) -> bool:
        """Whether there is room for one more, a message or the button `pressed`; it counts then."""
        if pressed is None:
            windows = [self.all, self.written]
        else:
            windows = [self.wizards if pressed.partition(":")[0] in WIZARDS else self.all]
        if any(window.wait(now) > 0 for window in windows):
            return False
        for window in windows:
            window.take(now)
        return True

    def unused(self, now: float) -> bool:
        """Whether nothing was asked of late."""
        return self.all.unused(now) and self.wizards.unused(now)

    def tells(self, now: float, whom: int) -> bool:
        """Whether to tell them now; not again for a while."""
        told = self._told.get(whom)
        if told is not None and now - told < TOLD_AGAIN_S:
            return False
        self._told[whom] = now
        return True


def _slow_down(user: User | None) -> str:
    return words(language_of(user.language_code if user else None, LANGUAGES[0])).say("slow-down")


def _asks(message: Message) -> bool:
    """Whether a message in a group is for a bot: a command, or a reply to one."""
    replied = message.reply_to_message
    answers = replied is not None and replied.from_user is not None and replied.from_user.is_bot
    return answers or (message.text or "").startswith("/")
