"""Which routers the bot has, in the order in which they are asked."""

from __future__ import annotations

from typing import Protocol

from aiogram import Router

from services.notifier.bot import admins, finding, forget, groups, reports, search, settings, whole
from services.notifier.bot.context import Context


class Concern(Protocol):
    """A module of the bot: the commands it puts into the menu (`command-<name>` describe them), and its handlers."""

    @property
    def COMMANDS(self) -> tuple[str, ...]:  # noqa: N802 - a constant of the module
        """Its commands for the menu."""
        ...

    def make(self, context: Context) -> Router:
        """A router of its handlers."""
        ...


CONCERNS: tuple[Concern, ...] = (admins, groups, finding, settings, reports, whole, forget)


def menu() -> tuple[str, ...]:
    """The commands people are offered, in order; what only some need, to link a group, comes late, and `help` last."""
    names = [name for concern in CONCERNS for name in concern.COMMANDS if name not in (*groups.COMMANDS, "help")]
    return (*names, *groups.COMMANDS, "help")


def routers(context: Context) -> list[Router]:
    """One router a concern; the last one answers what none of them understood. The context learns the menu."""
    context.menu = menu()
    return [concern.make(context) for concern in (*CONCERNS, search)]
