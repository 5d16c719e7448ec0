"""What nothing else understood: a typed address, an unknown command, a button of another time. The last router."""

from __future__ import annotations

import asyncio
import re

from aiogram import F, Router
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from services.notifier.bot.context import Context
from services.notifier.bot.following import follow_place
from services.notifier.bot.keyboards import found_board
from services.notifier.bot.meeting import meet, outdated, reader_of
from services.notifier.sight import find_place, tree_for
from services.notifier.texts import words
from services.notifier.views.finding import found_text

COMMANDS: tuple[str, ...] = ()

LONGEST = 120
"""Characters of an address; of what is longer the rest is not looked at."""

_LINK = re.compile(r"[?&]start(?:group)?=([si])_([A-Za-z0-9_-]{1,62})\b")
_INVITE = re.compile(r"[a-z2-9]{12,32}")


def make(context: Context) -> Router:
    """A router of these handlers."""
    return Search(context).router()


class Search:
    """The handlers."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def router(self) -> Router:
        """A router of these handlers."""
        router = Router(name="search")
        private = F.chat.type == "private"
        router.message.register(self.unknown, private, F.text.startswith("/"))
        router.message.register(self.typed, private, F.text)
        router.callback_query.register(self.stale)
        return router

    async def typed(self, message: Message) -> None:
        """An address, an invitation, or a link to a place somebody pasted."""
        typed = (message.text or "").strip()
        link = _LINK.search(typed)
        slug = link[2] if link and link[1] == "s" else None
        invite = link[2] if link and link[1] == "i" else typed if _INVITE.fullmatch(typed) else None
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
            reader = reader_of(self._context, chat)
            place = await find_place(session, chat, slug=slug, invite=invite) if slug or invite else None
            markup: InlineKeyboardMarkup | None
            if place is not None:
                text, markup = await follow_place(session, chat, place, reader)
            else:
                tree = await tree_for(session, chat)
        if place is None:
            # Thousands of names take a while, in which alerts must go out.
            found = await asyncio.to_thread(tree.search, typed[:LONGEST])
            text = found_text(len(found), reader, any_public=bool(len(tree)))
            markup = found_board(tree, found, reader.words)
        await message.answer(text, reply_markup=markup)

    async def unknown(self, message: Message) -> None:
        """A command that is none."""
        async with self._context.database.transaction() as session:
            chat = await meet(session, self._context, message, message.from_user)
        await message.answer(words(chat.language).say("unknown-command"))

    async def stale(self, query: CallbackQuery) -> None:
        """A button nobody serves any more."""
        await outdated(query, self._context)
