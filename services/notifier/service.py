"""The notifier: from the event log to people."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from zoneinfo import ZoneInfo

from services.notifier import chats
from services.notifier.channels.base import Channel, ChannelClosedError
from services.notifier.channels.console import ConsoleChannel
from services.notifier.pacing import TELEGRAM, UNLIMITED, Pace
from services.notifier.planner import Planner
from services.notifier.sender import Sender
from svitlo.bus import Backoff, ServiceLink
from svitlo.contracts import SiteChannel, topics
from svitlo.db.session import Database
from svitlo.errors import DatabaseUnavailableError
from svitlo.health import keep_beating
from svitlo.settings import Settings

log = logging.getLogger(__name__)

SERVICE = "notifier"
STEADY_S = 30.0
"""A task that ran this long before it failed starts again without a growing wait."""

Work = Callable[[], Awaitable[None]]


async def run(settings: Settings) -> None:
    """Run until cancelled. Raises `ConfigurationError` when it was not told where the database or the broker is."""
    async with Database(settings.required_database_url) as database, AsyncExitStack() as closing:
        sender: Sender | None = None
        works: dict[str, Work] = {}
        try:
            sender, works = _outlets(settings, database, closing)
        except ChannelClosedError as error:
            log.warning("%s; alerts are kept until that is mended", error)
        planner = Planner(database, sender.wake if sender else _nobody)

        async def plan() -> None:
            await _choose_console(settings, database)
            await planner.run()

        link = ServiceLink(
            settings.broker,
            SERVICE,
            settings.instance,
            subscriptions=[(topics.site("+", SiteChannel.EVENT), 1)],
            on_message=lambda _topic, _payload, _retained: planner.wake(),
            on_up=planner.wake,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_beating(), name="pulse")
            for name, work in {"broker link": link.run, "planner": plan, **works}.items():
                group.create_task(_keep(name, work), name=name)


def _outlets(settings: Settings, database: Database, closing: AsyncExitStack) -> tuple[Sender, dict[str, Work]]:
    """The sender, and all that must run to deliver. Raises `ChannelClosedError` for a malformed token."""
    zone = ZoneInfo(settings.timezone)
    pace = Pace(UNLIMITED if settings.telegram_token is None else TELEGRAM)
    works: dict[str, Work] = {}
    channel: Channel
    if settings.telegram_token is None:
        channel = ConsoleChannel()
    else:
        # Imported here because aiogram takes seconds and 165 MB, and the console needs none of it.
        from services.notifier.bot.context import Context
        from services.notifier.bot.poller import Poller
        from services.notifier.channels.telegram import TelegramChannel

        token = settings.telegram_token.get_secret_value()
        channel = TelegramChannel(token, settings.telegram_api_url)
        context = Context(database=database, language=settings.language, zone=zone)
        poller = Poller(token, context, pace, api_url=settings.telegram_api_url)
        closing.push_async_callback(poller.close)
        works["commands"] = poller.run
    closing.push_async_callback(channel.close)
    sender = Sender(database, channel, pace, zone)
    closing.push_async_callback(sender.drain)
    works["sender"] = sender.run
    return sender, works


async def _choose_console(settings: Settings, database: Database) -> None:
    """Without a token the console gets every alert; with one it gets none."""
    async with database.transaction() as session:
        if settings.telegram_token is None:
            await chats.open_console(session, settings.language)
        else:
            await chats.close_console(session, "a Telegram token is set")


async def _keep(name: str, work: Work) -> None:
    """Run `work` for ever: wait while the database is away, start it again when it fails."""
    backoff, said = Backoff(), ""
    while True:
        began = time.monotonic()
        try:
            await work()
        except DatabaseUnavailableError as error:
            if str(error) != said:
                log.warning("%s waits: %s", name, error)
                said = str(error)
        except Exception:
            log.exception("%s failed and starts again", name)
        if time.monotonic() - began > STEADY_S:
            backoff.reset()
            said = ""
        await backoff.wait()


def _nobody() -> None:
    """Nobody waits for deliveries."""
