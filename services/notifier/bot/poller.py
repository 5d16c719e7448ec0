"""Fetches what people say to the bot and hands it to the commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import groupby

from aiogram import Bot, Dispatcher
from aiogram.exceptions import AiogramError, ClientDecodeError
from aiogram.types import Update
from pydantic import ValidationError

from services.notifier.bot.answers import Answers
from services.notifier.bot.context import Context
from services.notifier.bot.menus import commands
from services.notifier.bot.routers import menu, routers
from services.notifier.bot.throttle import Throttle
from services.notifier.channels.base import ChannelClosedError
from services.notifier.channels.telegram import TIMEOUT_S, make_bot, translate
from services.notifier.chats import TELEGRAM
from services.notifier.faults import trace
from services.notifier.pacing import Pace
from services.notifier.store import hurry
from services.notifier.texts import LANGUAGES
from svitlo.bus import Backoff

log = logging.getLogger(__name__)


class Poller:
    """Long polling by one bot; a batch of updates is confirmed once all of it is handled.

    Nothing of what people say, and no id of theirs, gets into the log.
    """

    def __init__(
        self,
        token: str,
        context: Context,
        pace: Pace,
        *,
        api_url: str | None = None,
        timeout_s: float = TIMEOUT_S,
        poll_s: int = 25,
        closed_s: float = 60.0,
    ) -> None:
        self._token = token
        self._context = context
        self._poll_s = poll_s
        self._timeout_s = timeout_s
        self._closed_s = closed_s
        self._bot: Bot = make_bot(token, api_url, timeout_s)
        self._bot.session.middleware(Answers(pace, context.database))
        self._dispatcher = Dispatcher(disable_fsm=True)
        throttle = Throttle()
        self._dispatcher.message.outer_middleware(throttle)
        self._dispatcher.channel_post.outer_middleware(throttle)
        self._dispatcher.callback_query.outer_middleware(throttle)
        self._dispatcher.include_routers(*routers(context))
        self._offset: int | None = None
        self._introduced = False

    async def run(self) -> None:
        """Poll until cancelled, whatever Telegram says; a fault is told once, until it changes."""
        backoff, said = Backoff(first_s=0.5, limit_s=30.0), ""
        while True:
            try:
                if not self._introduced:
                    await self._introduce()
                updates = await self._fetch()
            except (AiogramError, TimeoutError) as error:
                fault = translate(error, self._token)
                if str(fault) != said:
                    log.warning("no commands are read: %s", fault)
                    said = str(fault)
                if isinstance(fault, ChannelClosedError):
                    await asyncio.sleep(self._closed_s)
                else:
                    await backoff.wait()
                continue
            backoff.reset()
            if said:
                await hurry(self._context.database, TELEGRAM)
            said = ""
            await self._handle(updates)

    async def close(self) -> None:
        """Close the connections."""
        await self._bot.session.close()

    async def _introduce(self) -> None:
        """Tell Telegram that we poll, and the menu of commands in each language (the default for all others)."""
        async with asyncio.timeout(3 * self._timeout_s):
            self._context.bot_name = (await self._bot.me()).username or ""
            await self._bot.delete_webhook()
            for language in LANGUAGES:
                await self._bot.set_my_commands(commands(menu(), language), language_code=language)
            await self._bot.set_my_commands(commands(menu(), self._context.language))
        self._introduced = True

    async def _fetch(self) -> list[Update]:
        wait_s = self._poll_s + self._timeout_s
        try:
            async with asyncio.timeout(wait_s):
                return await self._bot.get_updates(
                    offset=self._offset,
                    timeout=self._poll_s,
                    allowed_updates=self._dispatcher.resolve_used_update_types(),
                    request_timeout=int(wait_s) + 1,
                )
        except ClientDecodeError as error:
            return self._readable(error)

    def _readable(self, error: ClientDecodeError) -> list[Update]:
        """What can be read of an answer that cannot as a whole; one new kind of message must not end all commands.

        Raises the error if there is nothing to read.
        """
        raw = error.data.get("result") if isinstance(error.data, dict) else None
        if not isinstance(raw, list):
            raise error
        updates: list[Update] = []
        for item in raw:
            try:
                updates.append(Update.model_validate(item, context={"bot": self._bot}))
            except ValidationError:
                number = int(item["update_id"])
                log.warning("update %d cannot be read, and is passed over", number)
                updates.append(Update(update_id=number))
        return updates

    async def _handle(self, updates: Sequence[Update]) -> None:
        """Chats side by side, each chat's updates one after another."""
        if not updates:
            return
        async with asyncio.TaskGroup() as group:
            for _chat, said in groupby(sorted(updates, key=_chat_of), key=_chat_of):
                group.create_task(self._converse(list(said)), name="conversation")
        self._offset = updates[-1].update_id + 1

    async def _converse(self, updates: Sequence[Update]) -> None:
        for update in updates:
            if not update.model_fields_set - {"update_id"}:
                continue  # it could not be read
            try:
                await self._dispatcher.feed_update(self._bot, update)
            except (AiogramError, TimeoutError) as error:
                log.warning("an answer was not delivered: %s", translate(error, self._token))
            except Exception as error:
                # The outermost frame of a conversation: one broken answer must not end all others.
                log.error("update %d could not be handled: %s", update.update_id, trace(error))  # noqa: TRY400


def _chat_of(update: Update) -> int:
    pressed = update.callback_query.message if update.callback_query else None
    event = update.message or update.channel_post or update.my_chat_member or pressed
    return event.chat.id if event else 0
