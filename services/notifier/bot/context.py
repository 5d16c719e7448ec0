"""What every router of the bot knows of the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from services.notifier.board_secrets import Secrets
from svitlo.clock import utc_now
from svitlo.db.session import Database


@dataclass(kw_only=True)
class Context:
    """The database, the installation's language and zone, and where we are found.

    `bot_name` is the user name Telegram gave the bot, without @; empty until the poller has asked. `public_url` is the
    address of the installation's pages without a slash at its end; None if it has none.
    """

    database: Database
    language: str
    zone: ZoneInfo
    clock: Callable[[], datetime] = utc_now
    bot_name: str = ""
    public_url: str | None = None
    menu: tuple[str, ...] = ()
    """The commands people are offered; the routers say which."""
    secrets: Secrets | None = None
    """Finds what a new board has to be told; None where this process may not know."""

    def link(self, word: str, *, group: bool = False) -> str | None:
        """The address that opens the bot with `/start <word>`, in a group to be chosen with `group`; None without a
        name."""
        start = "startgroup" if group else "start"
        return f"https://t.me/{self.bot_name}?{start}={word}" if self.bot_name else None
