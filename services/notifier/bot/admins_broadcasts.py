"""Broadcasts in conversation: to whom, the text, a preview with the number of chats, progress, and a way to stop."""

from __future__ import annotations

from datetime import timedelta

from aiogram.types import InlineKeyboardMarkup, Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import broadcasts, conversations
from services.notifier.bot.admins_desk import Act, Desk, Press, Reply, Step, Visit, keys, written
from services.notifier.bot.admins_places import offer, search
from services.notifier.broadcasts import BROADCAST, LONGEST
from services.notifier.conversations import Conversation
from services.notifier.texts import Words
from services.notifier.views.admins import broadcast_text, progress_text

WATCHED = timedelta(days=2)
"""How long progress is shown; a delivery is given up after one day."""


class Broadcasts:
    """The handlers of `/broadcast`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.steps: dict[str, Step] = {"cast-to": search(desk, "cast"), "cast-text": self.written}
        self.presses: dict[str, Press] = {
            "cast": self.to,
            "casts": self.places,
            "castgo": self.go,
            "castno": self.no,
            "caststop": self.stop,
        }

    async def begin(self, session: AsyncSession, visit: Visit, said: str) -> Reply:
        """`/broadcast`, `/broadcast <text>`."""
        if not visit.powers.changes:
            return Reply(visit.say("viewer-only" if visit.powers.any else "admins-only"))
        if len(said) > LONGEST:
            return Reply(visit.say("too-long", most=LONGEST))
        await self._desk.begin(session, visit, "cast-to", text=said)
        return await self._board(session, visit, 0)

    async def places(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Another page of places."""
        talk = await self._desk.current(session, visit, "cast-to")
        return None if talk is None else await self._board(session, visit, act.page)

    async def to(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """To whom: the followers of a place and of what lies below it, or (0) of anything."""
        talk = await self._desk.current(session, visit, "cast-to")
        if talk is None:
            return None
        realm = await self._desk.realm(session, visit, act.what)
        if realm is None and not (act.what == "0" and visit.powers.everywhere):
            return None
        site = realm.id if realm else None
        if talk.data["text"]:
            return await self._preview(session, visit, site, talk.data["text"])
        await self._desk.begin(session, visit, "cast-text", site=site)
        return Reply(visit.say("cast-text", most=LONGEST))

    async def written(self, session: AsyncSession, visit: Visit, talk: Conversation, message: Message) -> Reply:
        """The text."""
        said = written(message)
        if not said:
            return Reply(visit.say("cast-text", most=LONGEST))
        if len(said) > LONGEST:
            return Reply(visit.say("too-long", most=LONGEST))
        return await self._preview(session, visit, talk.data["site"], said)

    async def go(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Send it, and show how far it has come."""
        broadcast = act.key
        scope = None if broadcast is None else await broadcasts.scope(session, broadcast, visit.powers.user_id)
        if broadcast is None or scope is None:
            return Reply(visit.say("cast-over"))
        (site,) = scope
        if not (visit.powers.everywhere if site is None else site in visit.powers.admin):
            return None
        await broadcasts.send(session, broadcast, site, actor=visit.actor)
        now = self._desk.context.clock()
        await conversations.add_chore(
            session,
            BROADCAST,
            visit.chat.id,
            visit.message_id,
            due_at=now + timedelta(seconds=1),
            ends_at=now + WATCHED,
            broadcast=act.what,
        )
        found = await broadcasts.progress(session, broadcast)
        return (
            None if found is None else Reply(progress_text(found, visit.reader), stop_key(act.what, visit.reader.words))
        )

    async def no(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Do not send it."""
        gone = act.key is not None and await broadcasts.discard(session, act.key, visit.powers.user_id)
        return Reply(visit.say("cast-thrown" if gone else "cast-over"))

    async def stop(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Stop it."""
        broadcast = act.key
        if broadcast is None:
            return None
        if await broadcasts.author(session, broadcast) != visit.powers.user_id and not visit.powers.owner:
            return None
        stopped = await broadcasts.cancel(session, broadcast, actor=visit.actor)
        found = await broadcasts.progress(session, broadcast)
        if found is None or not stopped:
            return Reply(visit.say("cast-over"))
        return Reply(progress_text(found, visit.reader))

    async def _preview(self, session: AsyncSession, visit: Visit, site: int | None, said: str) -> Reply:
        await conversations.end(session, visit.chat.id)
        count = await broadcasts.reach(session, site)
        if not count:
            return Reply(visit.say("cast-nobody"))
        made = await broadcasts.draft(session, visit.powers.user_id, site, said, self._desk.context.clock())
        go, no = Act(do="castgo", what=made.hex), Act(do="castno", what=made.hex)
        text = f"{visit.say('cast-preview', count=count)}\n\n{broadcast_text(said, visit.reader)}"
        return Reply(text, keys([(visit.say("cast-go"), go)], [(visit.say("cast-no"), no)]))

    async def _board(self, session: AsyncSession, visit: Visit, page: int) -> Reply:
        realms = await self._desk.admin_realms(session, visit)
        first = [(visit.say("cast-everyone"), Act(do="cast", what="0"))] if visit.powers.everywhere else []
        return offer(visit, realms, "cast-where", "cast", page, *first)


def stop_key(broadcast: str, words: Words) -> InlineKeyboardMarkup:
    """The button that stops a broadcast."""
    return keys([(words.say("cast-stop"), Act(do="caststop", what=broadcast))])
