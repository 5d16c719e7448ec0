"""New places in conversation: name, slug, parent, public or private."""

from __future__ import annotations

from aiogram.types import Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import conversations
from services.notifier.bot.admins_desk import Act, Desk, Press, Reply, Step, Visit, keys, written
from services.notifier.bot.admins_places import offer, search
from services.notifier.conversations import Conversation
from services.notifier.slugs import slug_of
from svitlo import registry
from svitlo.contracts import is_slug
from svitlo.errors import UserError

LONGEST_NAME = 120


class Sites:
    """The handlers of `/newsite`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.steps: dict[str, Step] = {
            "site-name": self.named,
            "site-slug": self.slugged,
            "site-parent": search(desk, "under"),
        }
        self.presses: dict[str, Press] = {
            "slugok": self.slug_good,
            "under": self.under,
            "unders": self.unders,
            "public": self.public,
        }

    async def begin(self, session: AsyncSession, visit: Visit, name: str) -> Reply:
        """`/newsite`, `/newsite <name>`."""
        if not visit.powers.changes:
            return Reply(visit.say("viewer-only" if visit.powers.any else "admins-only"))
        await self._desk.begin(session, visit, "site-name")
        return await self._name(session, visit, name) if name else Reply(visit.say("site-name"))

    async def named(self, session: AsyncSession, visit: Visit, talk: Conversation, message: Message) -> Reply:
        """The name was written."""
        return await self._name(session, visit, written(message))

    async def slugged(self, session: AsyncSession, visit: Visit, talk: Conversation, message: Message) -> Reply:
        """Another slug was written."""
        return await self._slug(session, visit, talk, written(message).lower())

    async def slug_good(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """The proposed slug will do."""
        talk = await self._desk.current(session, visit, "site-slug")
        return None if talk is None else await self._slug(session, visit, talk, talk.data["slug"])

    async def unders(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Another page of parents."""
        talk = await self._desk.current(session, visit, "site-parent")
        return None if talk is None else await self._parents(session, visit, act.page)

    async def under(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """The parent; 0 for none, which takes power over all."""
        talk = await self._desk.current(session, visit, "site-parent")
        if talk is None:
            return None
        top = act.what == "0" and visit.powers.everywhere
        realm = await self._desk.realm(session, visit, act.what)
        if realm is None and not top:
            return None
        await self._desk.begin(session, visit, "site-public", **talk.data, parent=realm.id if realm else None)
        choices = [(visit.say("site-public-yes"), Act(do="public", what="1"))]
        return Reply(
            visit.say("site-public"), keys(choices, [(visit.say("site-public-no"), Act(do="public", what="0"))])
        )

    async def public(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Public or private: the place is made."""
        talk = await self._desk.current(session, visit, "site-public")
        if talk is None:
            return None
        parent = await self._desk.realm(session, visit, str(talk.data["parent"] or ""))
        if parent is None and not (talk.data["parent"] is None and visit.powers.everywhere):
            return None  # the power over it was lost meanwhile
        await conversations.end(session, visit.chat.id)
        try:
            made = await registry.add_site(
                session,
                talk.data["slug"],
                talk.data["name"],
                parent=parent.slug if parent else None,
                public=act.what == "1",
                actor=visit.actor,
            )
        except UserError:
            return Reply(visit.say("site-slug-taken", slug=talk.data["slug"]))
        lines = [visit.say("site-made", place=made.name, slug=made.slug)]
        word = f"s_{made.slug}" if made.public else f"i_{made.invite}"
        if link := self._desk.context.link(word):
            lines.append(visit.say("site-link", link=link))
        if not made.public:
            lines.append(visit.say("site-word", word=made.invite))
        return Reply("\n".join([*lines, visit.say("site-next", slug=made.slug)]))

    async def _name(self, session: AsyncSession, visit: Visit, name: str) -> Reply:
        if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
            return Reply(visit.say("site-name-bad"))
        slug = await _free(session, slug_of(name))
        await self._desk.begin(session, visit, "site-slug", name=name, slug=slug)
        if not slug:
            return Reply(visit.say("site-slug-none"))
        return Reply(visit.say("site-slug", slug=slug), keys([(visit.say("site-slug-good"), Act(do="slugok"))]))

    async def _slug(self, session: AsyncSession, visit: Visit, talk: Conversation, slug: str) -> Reply:
        if not is_slug(slug):
            return Reply(visit.say("site-slug-bad"))
        if await registry.list_sites(session, slug):
            return Reply(visit.say("site-slug-taken", slug=slug))
        await self._desk.begin(session, visit, "site-parent", name=talk.data["name"], slug=slug)
        return await self._parents(session, visit, 0)

    async def _parents(self, session: AsyncSession, visit: Visit, page: int) -> Reply:
        realms = await self._desk.admin_realms(session, visit)
        top = [(visit.say("site-top"), Act(do="under", what="0"))] if visit.powers.everywhere else []
        return offer(visit, realms, "site-parent", "under", page, *top)


async def _free(session: AsyncSession, slug: str) -> str:
    """The slug, or with a number if it is taken; empty if none of these is free."""
    for number in range(1, 100):
        tried = slug if number == 1 else f"{slug}-{number}"
        if slug and not await registry.list_sites(session, tried):
            return tried
    return ""
