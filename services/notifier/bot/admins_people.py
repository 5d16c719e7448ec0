"""Roles in conversation: who may do what, given by number, contact or a one-time link, and taken away."""

from __future__ import annotations

import contextlib

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import Message, MessageOriginUser
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import conversations, people
from services.notifier.bot.admins_desk import Act, Desk, Press, Reply, Step, Visit, keys
from services.notifier.bot.admins_places import offer, search
from services.notifier.bot.meeting import reader_of
from services.notifier.conversations import Conversation
from services.notifier.people import Grant, Role
from services.notifier.views.admins import grant_line, people_text, withdrawn_text
from services.notifier.withdrawals import withdraw
from svitlo.errors import NotFoundError, UserError

WHO = "role-who"
LONGEST_ID = 15
LISTED = 20
"""Roles with a button to take them away."""


class People:
    """The handlers; all of them for owners only."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.steps: dict[str, Step] = {WHO: self.named, "role-where": search(desk, "rolein")}
        self.presses: dict[str, Press] = {
            "people": self.back,
            "role": self.role,
            "rolein": self.place,
            "roleins": self.places,
            "rolelink": self.link,
            "take": self.sure,
            "taken": self.take,
        }

    async def list(self, session: AsyncSession, visit: Visit) -> Reply:
        """`/people`."""
        if not visit.powers.owner:
            return Reply(visit.say("admins-only"))
        found = await people.list_people(session)
        rows = [
            [(f"✖ {grant.user_id} · {visit.say(f'role-{grant.role.value}')}", Act(do="take", what=str(grant.id)))]
            for grant in found[:LISTED]
        ]
        adding = [[(visit.say("people-add"), Act(do="role"))]]
        return Reply(people_text(found, visit.reader, visit.powers.user_id), keys(*adding, *rows))

    async def back(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """The list again."""
        return await self.list(session, visit)

    async def role(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Which role, then for which places; an owner's is for all."""
        if not visit.powers.owner:
            return None
        if act.what not in set(Role):
            shown = [[(visit.say(f"role-{role.value}"), Act(do="role", what=role.value))] for role in Role]
            return Reply(visit.say("people-role"), keys(*shown))
        if act.what == Role.OWNER:
            return await self._ask_who(session, visit, Role.OWNER, None)
        await self._desk.begin(session, visit, "role-where", role=act.what)
        return await self._board(session, visit, 0)

    async def places(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Another page of places."""
        return await self._board(session, visit, act.page) if visit.powers.owner else None

    async def place(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """The place (0: all)."""
        talk = await self._desk.current(session, visit, "role-where")
        if talk is None or not visit.powers.owner:
            return None
        if act.what == "0":
            return await self._ask_who(session, visit, Role(talk.data["role"]), None)
        realm = await self._desk.realm(session, visit, act.what)
        return None if realm is None else await self._ask_who(session, visit, Role(talk.data["role"]), realm.id)

    async def named(self, session: AsyncSession, visit: Visit, talk: Conversation, message: Message) -> Reply:
        """A contact, a forwarded message, or a number."""
        if not visit.powers.owner:
            return Reply(visit.say("admins-only"))
        user_id = _person_in(message)
        if user_id is None:
            return Reply(visit.say("people-unknown"))
        role, site = Role(talk.data["role"]), talk.data["site"]
        try:
            given = await people.grant(session, user_id, role, site, actor=visit.actor)
        except UserError:
            return Reply(visit.say("people-last-owner"))
        await conversations.end(session, visit.chat.id)
        return Reply(visit.say("people-given", grant=_line(given, visit)))

    async def link(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """A one-time link."""
        talk = await self._desk.current(session, visit, WHO)
        if talk is None or not visit.powers.owner:
            return None
        role, site = Role(talk.data["role"]), talk.data["site"]
        word = await people.invite(session, role, site, self._desk.context.clock(), actor=visit.actor)
        await conversations.end(session, visit.chat.id)
        realm = await self._desk.realm(session, visit, str(site)) if site is not None else None
        where = realm.path if realm is not None else visit.say("everywhere")
        text = visit.say("people-linked", role=visit.say(f"role-{role.value}"), where=where)
        link = self._desk.context.link(f"r_{word}")
        return Reply(f"{text}\n{link or visit.say('people-word', word=f'r_{word}')}")

    async def sure(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Ask once more."""
        found = await self._grant(session, visit, act)
        if found is None:
            return None
        yes, no = Act(do="taken", what=act.what), Act(do="people")
        text = visit.say("people-take-sure", grant=_line(found, visit))
        return Reply(text, keys([(visit.say("people-take"), yes)], [(visit.say("people-keep"), no)]))

    async def take(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Take a role away."""
        found = await self._grant(session, visit, act)
        if found is None:
            return Reply(visit.say("people-gone")) if visit.powers.owner else None
        try:
            await people.revoke(session, found.id, actor=visit.actor)
        except NotFoundError:
            return Reply(visit.say("people-gone"))
        except UserError:
            return Reply(visit.say("people-last-owner"))
        chat, places = await withdraw(session, found.user_id)
        text = visit.say("people-taken", grant=_line(found, visit))
        if chat is None or not places:
            return Reply(text)
        told = withdrawn_text(places, reader_of(self._desk.context, chat), taken=True)

        async def tell(bot: Bot) -> None:
            with contextlib.suppress(TelegramAPIError):  # they may have blocked the bot
                await bot.send_message(found.user_id, told)

        return Reply(f"{text}\n{visit.say('people-withdrawn', count=len(places))}", then=tell)

    async def accept(self, session: AsyncSession, visit: Visit, word: str, *, owner_only: bool = False) -> Reply:
        """`/own <word>`, `/start r_<word>`."""
        now = self._desk.context.clock()
        given = await people.accept(session, visit.powers.user_id, word, now, owner_only=owner_only)
        if given is None:
            return Reply(visit.say("word-wrong"))
        return Reply(visit.say("word-taken", grant=_role(given, visit)))

    async def _ask_who(self, session: AsyncSession, visit: Visit, role: Role, site: int | None) -> Reply:
        await self._desk.begin(session, visit, WHO, role=role.value, site=site)
        return Reply(visit.say("people-who"), keys([(visit.say("people-link"), Act(do="rolelink"))]))

    async def _board(self, session: AsyncSession, visit: Visit, page: int) -> Reply:
        realms = await self._desk.admin_realms(session, visit)
        everywhere = (visit.say("everywhere"), Act(do="rolein", what="0"))
        return offer(visit, realms, "people-where", "rolein", page, everywhere)

    async def _grant(self, session: AsyncSession, visit: Visit, act: Act) -> Grant | None:
        if not visit.powers.owner:
            return None
        return next((known for known in await people.list_people(session) if str(known.id) == act.what), None)


def _line(grant: Grant, visit: Visit) -> str:
    return grant_line(grant, visit.plain)


def _role(grant: Grant, visit: Visit) -> str:
    where = grant.place or visit.say("everywhere")
    return f"{visit.say(f'role-{grant.role.value}')}, {where}"


def _person_in(message: Message) -> int | None:
    """The number of the person a message names; None if it names nobody we can know."""
    if message.contact is not None:
        return message.contact.user_id
    if isinstance(message.forward_origin, MessageOriginUser):
        return message.forward_origin.sender_user.id
    number = (message.text or "").strip()
    if message.forward_origin is None and number.isdecimal() and number.isascii() and len(number) <= LONGEST_ID:
        return int(number) or None
    return None
