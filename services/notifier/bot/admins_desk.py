"""What the routers of admins share: who speaks and what they may, buttons, and steps of a conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from aiogram import Bot
from aiogram.filters import BaseFilter
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import conversations, people
from services.notifier.bot.context import Context
from services.notifier.bot.keyboards import button
from services.notifier.bot.meeting import meet, reader_of
from services.notifier.chats import Chat
from services.notifier.conversations import Conversation
from services.notifier.people import ACTOR, Powers, Realm
from services.notifier.views import Reader


class Act(CallbackData, prefix="a"):
    """A button of admins: what it does, to what (a key, a UUID as hex, a word), on which page. At most 60 bytes."""

    do: str
    what: str = ""
    page: int = 0

    @property
    def key(self) -> UUID | None:
        """The UUID it is about; None if it names none."""
        try:
            return UUID(self.what)
        except ValueError:
            return None


@dataclass(frozen=True)
class Visit:
    """Somebody at the desk: the chat, their powers, how to write to them; the message that was written or pressed."""

    chat: Chat
    powers: Powers
    reader: Reader
    message_id: int

    @property
    def actor(self) -> str:
        """Who it is in the audit log."""
        return f"{ACTOR}{self.powers.user_id}"

    @property
    def plain(self) -> Reader:
        """The reader for parts of a text that `say` escapes."""
        return replace(self.reader, escape=str)

    def say(self, message: str, **values: str | int) -> str:
        """A text in their language; the values are escaped here."""
        safe = {name: self.reader.escape(value) if isinstance(value, str) else value for name, value in values.items()}
        return self.reader.words.say(message, **safe)


@dataclass(frozen=True)
class Reply:
    """What the bot says, the buttons under it, and what else it does once that is committed and said."""

    text: str
    markup: InlineKeyboardMarkup | None = None
    then: Callable[[Bot], Awaitable[None]] | None = None


Step = Callable[[AsyncSession, Visit, Conversation, Message], Awaitable[Reply]]
"""Takes what was written as the next step of a conversation."""

Press = Callable[[AsyncSession, Visit, Act], Awaitable[Reply | None]]
"""Does what a button says; what stood above it becomes the reply (None: it is over)."""


class Desk:
    """Lets in who may come in."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def visit(self, session: AsyncSession, event: Message | CallbackQuery) -> Visit | None:
        """Who speaks, if it is in a private chat; they may have no powers at all."""
        message = event.message if isinstance(event, CallbackQuery) else event
        if not isinstance(message, Message) or message.chat.type != "private" or event.from_user is None:
            return None
        chat = await meet(session, self.context, message, event.from_user)
        powers = await people.powers(session, event.from_user.id)
        return Visit(chat, powers, reader_of(self.context, chat), message.message_id)

    async def begin(self, session: AsyncSession, visit: Visit, kind: str, **data: Any) -> None:
        """Wait for the next step of a conversation."""
        await conversations.begin(session, visit.chat.id, kind, self.context.clock(), **data)

    async def current(self, session: AsyncSession, visit: Visit, *kinds: str) -> Conversation | None:
        """The conversation, if it is of one of these kinds; locked, so that nothing is done twice."""
        found = await conversations.current(session, visit.chat.id, self.context.clock())
        return found if found is not None and found.kind in kinds else None

    async def admin_realms(self, session: AsyncSession, visit: Visit) -> list[Realm]:
        """The places the visitor may change."""
        return await people.realms(session, visit.powers.admin)

    async def realm(self, session: AsyncSession, visit: Visit, key: str) -> Realm | None:
        """The place with this key, if the visitor may change it."""
        wanted = int(key) if key.isdecimal() and len(key) < 10 else 0
        found = await people.realms(session, visit.powers.admin & {wanted})
        return found[0] if found else None


class InConversation(BaseFilter):
    """Lets pass plain words written in a private chat that is in a conversation of one of these kinds."""

    def __init__(self, context: Context, kinds: Sequence[str]) -> None:
        self._context = context
        self._kinds = frozenset(kinds)

    async def __call__(self, message: Message) -> bool:
        """Whether the message is for us."""
        if message.chat.type != "private" or (message.text or "").startswith("/"):
            return False
        return await self._talks(message)

    async def _talks(self, message: Message) -> bool:
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            found = await conversations.current(session, chat.id, self._context.clock())
        return found is not None and found.kind in self._kinds


def keys(*rows: Sequence[tuple[str, Act]]) -> InlineKeyboardMarkup:
    """Buttons in rows."""
    return InlineKeyboardMarkup(inline_keyboard=[[button(label, act) for label, act in row] for row in rows if row])


def written(message: Message) -> str:
    """What somebody wrote, without blanks around it."""
    return (message.text or "").strip()


async def answer(message: Message, reply: Reply) -> None:
    """Say it."""
    await message.answer(reply.text, reply_markup=reply.markup)
    if reply.then is not None and message.bot is not None:
        await reply.then(message.bot)
