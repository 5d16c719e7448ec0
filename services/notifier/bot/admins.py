"""What admins may ask of the bot: people, places, boards, broadcasts, corrections, the state of operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiogram import F, Router
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.types import CallbackQuery, Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import conversations
from services.notifier.bot.admins_broadcasts import Broadcasts
from services.notifier.bot.admins_corrections import Corrections
from services.notifier.bot.admins_desk import Act, Desk, InConversation, Press, Reply, Step, Visit, answer
from services.notifier.bot.admins_devices import Devices
from services.notifier.bot.admins_people import People
from services.notifier.bot.admins_sites import Sites
from services.notifier.bot.context import Context
from services.notifier.bot.meeting import outdated, show
from services.notifier.operation import operation
from services.notifier.texts import language_of, words
from services.notifier.views.admins import operation_text

COMMANDS: tuple[str, ...] = ()
"""None in the menu of all; `/admin` lists them to those who may."""

Order = Callable[[AsyncSession, Visit, str], Awaitable[Reply]]
"""Does what a command says, with the words behind it."""


def make(context: Context) -> Router:
    """A router of these handlers. It has to stand before those that take any words, for it may have asked for them."""
    return Admins(context).router()


class Admins:
    """Joins the concerns of admins: commands, buttons, and steps of conversations, each one transaction."""

    def __init__(self, context: Context) -> None:
        desk = self._desk = Desk(context)
        people, sites, boards = People(desk), Sites(desk), Devices(desk)
        casts, fixes = Broadcasts(desk), Corrections(desk)
        self._people = people
        self._orders: dict[str, Order] = {
            "admin": self.help,
            "own": lambda session, visit, word: people.accept(session, visit, word, owner_only=True),
            "people": lambda session, visit, _: people.list(session, visit),
            "newsite": sites.begin,
            "newdevice": boards.begin,
            "ops": self.operation,
            "broadcast": casts.begin,
            "correct": fixes.begin,
        }
        self._steps: dict[str, Step] = {}
        self._presses: dict[str, Press] = {}
        for concern in (people, sites, boards, casts, fixes):
            self._steps |= concern.steps
            self._presses |= concern.presses

    def router(self) -> Router:
        """A router of the handlers."""
        router = Router(name="admins")
        router.message.register(self.invited, CommandStart(deep_link=True, magic=F.args.startswith("r_")))
        router.message.register(self.command, Command(*self._orders))
        router.message.register(self.cancel, Command("cancel"), F.chat.type == "private")
        router.message.register(self.step, InConversation(self._desk.context, list(self._steps)))
        router.callback_query.register(self.press, Act.filter(F.do.in_(self._presses)))
        return router

    async def command(self, message: Message, command: CommandObject) -> None:
        """One of our commands; in a group nothing of it is told."""
        async with self._desk.context.database.transaction() as session:
            visit = await self._desk.visit(session, message)
            if visit is None:
                reply = Reply(self._spoken(message, "admins-private"))
            else:
                reply = await self._orders[command.command](session, visit, (command.args or "").strip())
        await answer(message, reply)

    async def invited(self, message: Message, command: CommandObject) -> None:
        """`/start r_<word>`: a one-time link."""
        async with self._desk.context.database.transaction() as session:
            visit = await self._desk.visit(session, message)
            if visit is None:
                reply = Reply(self._spoken(message, "admins-private"))
            else:
                reply = await self._people.accept(session, visit, (command.args or "").removeprefix("r_"))
        await answer(message, reply)

    async def cancel(self, message: Message) -> None:
        """`/cancel`."""
        async with self._desk.context.database.transaction() as session:
            visit = await self._desk.visit(session, message)
            if visit is None:
                return
            await conversations.end(session, visit.chat.id)
        await answer(message, Reply(visit.say("cancelled")))

    async def step(self, message: Message) -> None:
        """Words we asked for."""
        async with self._desk.context.database.transaction() as session:
            visit = await self._desk.visit(session, message)
            talk = None if visit is None else await self._desk.current(session, visit, *self._steps)
            if visit is None or talk is None:
                return
            reply = await self._steps[talk.kind](session, visit, talk, message)
        await answer(message, reply)

    async def press(self, query: CallbackQuery, callback_data: Act) -> None:
        """A button: one whose conversation is over, or that asks too much, says so."""
        async with self._desk.context.database.transaction() as session:
            visit = await self._desk.visit(session, query)
            reply = None if visit is None else await self._presses[callback_data.do](session, visit, callback_data)
        if visit is None:
            await outdated(query, self._desk.context)
        elif reply is None:
            await show(query, visit.say("step-gone"), None)
        else:
            await show(query, reply.text, reply.markup)
            if reply.then is not None and query.bot is not None:
                await reply.then(query.bot)

    async def help(self, session: AsyncSession, visit: Visit, _: str) -> Reply:
        """`/admin`: what this person may do."""
        if not visit.powers.any:
            return Reply(visit.say("admins-only"))
        lines = [visit.say("admin-help")]
        if visit.powers.changes:
            lines.append(visit.say("admin-help-change"))
        if visit.powers.owner:
            lines.append(visit.say("admin-help-owner"))
        if visit.powers.changes:
            lines.append(visit.say("admin-help-cancel"))
        return Reply("\n".join(lines))

    async def operation(self, session: AsyncSession, visit: Visit, _: str) -> Reply:
        """`/ops`."""
        if not visit.powers.any:
            return Reply(visit.say("admins-only"))
        return Reply(operation_text(await operation(session, visit.powers.seen), visit.reader))

    def _spoken(self, message: Message, what: str) -> str:
        code = message.from_user.language_code if message.from_user else None
        return words(language_of(code, self._desk.context.language)).say(what)
