"""The notifier: from the event log to people."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4
from zoneinfo import ZoneInfo

from services.notifier import chats
from services.notifier.channels.apprise import AppriseChannel
from services.notifier.channels.base import Channel, ChannelClosedError
from services.notifier.channels.console import ConsoleChannel
from services.notifier.faults import trace
from services.notifier.lean import load_aiogram
from services.notifier.pacing import APPRISE, UNLIMITED, Pace, telegram_rates
from services.notifier.planner import Planner
from services.notifier.retention import Retention
from services.notifier.sender import Sender
from services.notifier.upkeep import Upkeep
from services.notifier.workers import POLL_LOCK, Share, alone, leave
from svitlo.bus import Backoff, ServiceLink
from svitlo.contracts import SiteChannel, topics
from svitlo.db.session import Database
from svitlo.errors import DatabaseUnavailableError
from svitlo.health import keep_beating
from svitlo.settings import BrokerAddress, Settings

log = logging.getLogger(__name__)

SERVICE = "notifier"
STEADY_S = 30.0
"""A task that ran this long before it failed starts again without a growing wait."""

Work = Callable[[], Awaitable[None]]


@dataclass
class Outlets:
    """The senders, and all that must run beside them."""

    database: Database
    closing: AsyncExitStack
    zone: ZoneInfo
    instance: str
    senders: list[Sender] = field(default_factory=list)
    works: dict[str, Work] = field(default_factory=dict)

    def wake(self) -> None:
        """Something new is owed."""
        for sender in self.senders:
            sender.wake()

    def add(self, channel: Channel, pace: Pace) -> None:
        """Deliver over a channel, at this process's share of its pace."""
        sender = Sender(self.database, channel, pace, self.zone)
        share = Share(self.database, pace, self.instance)
        self.closing.push_async_callback(channel.close)
        self.closing.push_async_callback(sender.drain)
        self.senders.append(sender)
        self.works |= {f"sender {channel.platform}": sender.run, f"share of {channel.platform}": share.run}


async def run(settings: Settings) -> None:
    """Run until cancelled. Raises `ConfigurationError` when it was not told where the database or the broker is."""
    zone = ZoneInfo(settings.timezone)
    # Two processes may bear the same name in the settings; each must be counted.
    instance = f"{settings.instance[:40]} {uuid4().hex[:12]}"
    async with Database(settings.required_database_url) as database, AsyncExitStack() as closing:
        outlets = Outlets(database, closing, zone, instance)
        closing.push_async_callback(_leave, database, instance)
        try:
            _open(outlets, settings)
        except ChannelClosedError as error:
            log.warning("%s; alerts are kept until that is mended", error)
        planner = Planner(database, outlets.wake, zone=zone)

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
        works = {
            "broker link": link.run,
            "planner": plan,
            "upkeep": Upkeep(database, outlets.wake, zone).run,
            "retention": Retention(database).run,
            **outlets.works,
        }
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_beating(), name="pulse")
            for name, work in works.items():
                group.create_task(_keep(name, work), name=name)


def _open(outlets: Outlets, settings: Settings) -> None:
    """Open Apprise, and Telegram or else the console. Raises `ChannelClosedError` for a malformed token."""
    outlets.add(AppriseChannel(), Pace(APPRISE))
    if settings.telegram_token is None:
        outlets.add(ConsoleChannel(), Pace(UNLIMITED))
        return
    # Imported here because aiogram takes a second and 50 MB, and the console needs none of it.
    load_aiogram()
    from services.notifier.board_secrets import derived
    from services.notifier.bot.admins_chores import Chores
    from services.notifier.bot.context import Context
    from services.notifier.bot.poller import Poller
    from services.notifier.channels.gallery import Gallery
    from services.notifier.channels.telegram import TelegramChannel, make_bot
    from services.notifier.diagram import Diagrams
    from services.notifier.pins import Pins

    token = settings.telegram_token.get_secret_value()
    pace = Pace(telegram_rates(settings.telegram_per_second))
    outlets.add(TelegramChannel(token, settings.telegram_api_url), pace)
    context = Context(database=outlets.database, language=settings.language, zone=outlets.zone)
    if settings.secret is not None:
        boards = BrokerAddress.parse(settings.public_mqtt_url) if settings.public_mqtt_url else settings.broker
        context.secrets = derived(settings.required_secret, boards)
    poller = Poller(token, context, pace, api_url=settings.telegram_api_url)
    outlets.closing.push_async_callback(poller.close)
    board = Gallery(token, settings.telegram_api_url)
    outlets.closing.push_async_callback(board.close)
    outlets.works["pinned messages"] = Pins(outlets.database, board, pace, outlets.zone).run
    outlets.works["diagrams"] = Diagrams(outlets.database, board, pace, outlets.zone).run
    chores = Chores(context, make_bot(token, settings.telegram_api_url), pace)
    outlets.closing.push_async_callback(chores.close)
    outlets.works["chores"] = chores.run
    url = settings.required_database_url
    outlets.works["commands"] = partial(alone, url, POLL_LOCK, poller.run)


async def _leave(database: Database, instance: str) -> None:
    with contextlib.suppress(DatabaseUnavailableError):
        async with database.transaction() as session:
            await leave(session, instance)


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
        except Exception as error:
            log.error("%s failed and starts again: %s", name, trace(error))  # noqa: TRY400
        if time.monotonic() - began > STEADY_S:
            backoff.reset()
            said = ""
        await backoff.wait()
