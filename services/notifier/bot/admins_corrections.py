"""Corrections in conversation: the place, the outage, what is wrong, why, a look at it, and then it is done."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from aiogram.types import Message
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier import conversations, corrections
from services.notifier.bot.admins_desk import Act, Desk, Press, Reply, Step, Visit, keys, written
from services.notifier.bot.admins_places import offer, search
from services.notifier.conversations import Conversation
from services.notifier.correction_times import parse_span
from services.notifier.corrections import OverlapError, Recorded, SpanError
from services.notifier.views.admins import Fix, fix_text, outage_label, span
from svitlo.contracts import Cause
from svitlo.errors import UserError

LONGEST_REASON = 200


class Corrections:
    """The handlers of `/correct`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.steps: dict[str, Step] = {
            "fix-where": search(desk, "fix"),
            "fix-times": self.timed,
            "fix-reason": self.reasoned,
        }
        self.presses: dict[str, Press] = {
            "fix": self.place,
            "fixs": self.places,
            "fixit": self.outage,
            "fixnet": self.was_network,
            "fixdev": self.was_device,
            "fixtime": self.ask_times,
            "fixgo": self.go,
            "fixno": self.no,
        }

    async def begin(self, session: AsyncSession, visit: Visit, _: str) -> Reply:
        """`/correct`."""
        if not visit.powers.changes:
            return Reply(visit.say("viewer-only" if visit.powers.any else "admins-only"))
        return await self._places(session, visit, 0)

    async def places(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Another page of places."""
        return await self._places(session, visit, act.page)

    async def place(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """The place: its latest outages."""
        realm = await self._desk.realm(session, visit, act.what)
        if realm is None:
            return None
        found = await corrections.latest(session, realm.id)
        if not found:
            return Reply(visit.say("fix-none"), keys([(visit.say("button-back"), Act(do="fixs"))]))
        await conversations.end(session, visit.chat.id)
        rows = [
            [(outage_label(one.started_lo, one.ended_hi, visit.reader), Act(do="fixit", what=one.id.hex))]
            for one in found
        ]
        return Reply(visit.say("fix-which"), keys(*rows))

    async def outage(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """The outage: what is wrong with it?"""
        found = await self._find(session, visit, act.what)
        if found is None:
            return None
        if found.ended_hi is None:
            return Reply(visit.say("fix-still-on"))
        await self._desk.begin(session, visit, "fix-what", outage=act.what)
        choices = [("fix-network", "fixnet"), ("fix-device", "fixdev"), ("fix-times", "fixtime")]
        rows = [[(visit.say(label), Act(do=do, what=act.what))] for label, do in choices]
        return Reply(visit.say("fix-what", span=span(_fix(found), visit.reader)), keys(*rows))

    async def was_network(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """It was the internet."""
        return await self._never(session, visit, act, Cause.NETWORK)

    async def was_device(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """It was the board."""
        return await self._never(session, visit, act, Cause.DEVICE)

    async def ask_times(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Ask for the times."""
        if await self._find(session, visit, act.what) is None:
            return None
        await self._desk.begin(session, visit, "fix-times", outage=act.what)
        return Reply(visit.say("fix-ask-times"))

    async def timed(self, session: AsyncSession, visit: Visit, talk: Conversation, message: Message) -> Reply:
        """The times were written."""
        found = await self._find(session, visit, talk.data["outage"])
        if found is None or found.ended_hi is None:
            return Reply(visit.say("fix-changed"))
        times = parse_span(written(message), visit.reader.zone, found.started_lo)
        if times is None:
            return Reply(visit.say("fix-bad-times"))
        try:
            await corrections.check_span(session, found, *times, self._desk.context.clock())
        except SpanError:
            return Reply(visit.say("fix-bad-span"))
        except OverlapError:
            return Reply(visit.say("fix-overlap"))
        if corrections.same(found, *times):
            return Reply(visit.say("fix-same"))
        told = {"started": times[0].isoformat(), "ended": times[1].isoformat()}
        await self._desk.begin(session, visit, "fix-reason", outage=talk.data["outage"], rev=found.rev, **told)
        return Reply(visit.say("fix-ask-reason"))

    async def reasoned(self, session: AsyncSession, visit: Visit, talk: Conversation, message: Message) -> Reply:
        """The reason: show what would be done."""
        reason = written(message)
        if not reason:
            return Reply(visit.say("fix-ask-reason"))
        if len(reason) > LONGEST_REASON:
            return Reply(visit.say("too-long", most=LONGEST_REASON))
        found = await self._find(session, visit, talk.data["outage"])
        if found is None or found.rev != talk.data["rev"]:
            return Reply(visit.say("fix-changed"))
        await self._desk.begin(session, visit, "fix-go", **{**talk.data, "reason": reason})
        text = fix_text(_fix(found, {**talk.data, "reason": reason}), visit.reader)
        return Reply(text, keys([(visit.say("fix-go"), Act(do="fixgo"))], [(visit.say("fix-no"), Act(do="fixno"))]))

    async def go(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Do it."""
        talk = await self._desk.current(session, visit, "fix-go")
        if talk is None:
            return None
        await conversations.end(session, visit.chat.id)
        found, now = await self._find(session, visit, talk.data["outage"]), self._desk.context.clock()
        if found is None or found.rev != talk.data["rev"]:
            return Reply(visit.say("fix-changed"))
        data = talk.data
        try:
            if "cause" in data:
                await corrections.retract(session, found, Cause(data["cause"]), data["reason"], now, actor=visit.actor)
            else:
                times = datetime.fromisoformat(data["started"]), datetime.fromisoformat(data["ended"])
                await corrections.refine(session, found, *times, data["reason"], now, actor=visit.actor)
        except UserError:
            return Reply(visit.say("fix-changed"))
        return Reply(visit.say("fix-done"))

    async def no(self, session: AsyncSession, visit: Visit, act: Act) -> Reply | None:
        """Leave it."""
        await conversations.end(session, visit.chat.id)
        return Reply(visit.say("cancelled"))

    async def _never(self, session: AsyncSession, visit: Visit, act: Act, cause: Cause) -> Reply | None:
        found = await self._find(session, visit, act.what)
        if found is None:
            return None
        await self._desk.begin(session, visit, "fix-reason", outage=act.what, rev=found.rev, cause=cause.value)
        return Reply(visit.say("fix-ask-reason"))

    async def _find(self, session: AsyncSession, visit: Visit, outage: str) -> Recorded | None:
        """The outage, if it is of a place the visitor may change."""
        try:
            found = await corrections.find(session, UUID(outage))
        except ValueError:
            return None
        return found if found is not None and found.site_id in visit.powers.admin else None

    async def _places(self, session: AsyncSession, visit: Visit, page: int) -> Reply:
        realms = await self._desk.admin_realms(session, visit)
        if not realms:
            return Reply(visit.say("no-places"))
        await self._desk.begin(session, visit, "fix-where")
        return offer(visit, realms, "fix-where", "fix", page)


def _fix(found: Recorded, data: dict[str, str] | None = None) -> Fix:
    known = data or {}
    return Fix(
        place=found.place,
        started=found.started_lo,
        ended=found.ended_hi or found.started_hi,
        cause=known.get("cause"),
        new_started=datetime.fromisoformat(known["started"]) if "started" in known else None,
        new_ended=datetime.fromisoformat(known["ended"]) if "ended" in known else None,
        reason=known.get("reason", ""),
    )
