"""One look at one site: what its devices' states change about it."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.detector.core.dark import POWERED, Dark
from services.detector.core.device import Liveness, observed
from services.detector.core.effects import OutageChanged
from services.detector.core.outage import Bounds, Outage, cause_of, closed, end_bounds, start_bounds
from services.detector.core.place import Verdict, Vote, decide
from services.detector.core.site import Dip, Turn, due_at, judge, maintained, next_boundary
from services.detector.core.telling import NOTABLE, Telling
from svitlo.contracts import (
    Cause,
    Change,
    EventKind,
    Evidence,
    EvidenceKind,
    PowerState,
)

REMEMBERED = 4
"""How many outages of a site that are over may still be revised."""


CLOSE = timedelta(seconds=4)
"""Boards of one house boot within this of one another; it lies well within the bounds of a return."""

REVIEWED_FOR = timedelta(minutes=2)
"""How long an outage may be dated anew though its cause is known."""


class Judgement(Telling):
    """A look at a site; `site` and `effects` are the outcome."""

    def run(self, *, silent: bool = False) -> None:
        """Judge the site. `silent`: what changed (the registry, a goodbye) says nothing about the power."""
        before = self.site
        self.site = judge(before, self._place, self._devices, self._now, self._watch)
        if silent and self.site.pending is Verdict.OFF and before.pending is not Verdict.OFF:
            self.site = replace(self.site, pending=Verdict.UNKNOWN)
        due = due_at(self.site, self._place, self._policy)
        if due is not None and due <= self._now:
            self._turn()
        self._review()
        self._look_at_dips()
        self._calm_down()
        if not self._silenced():
            self._release()

    def run_from_below(self, power: PowerState, since: datetime) -> None:
        """Judge a site without boards: it has the power of the sites below it, and no events of its own.

        What began while it had boards is still seen through.
        """
        site = replace(self.site, pending=None, pending_at=None, pending_for=None, dips=(), dips_at=None)
        self.site = site if power is site.power else replace(site, power=power, since=since)
        if power is PowerState.ON and site.outage is not None:
            self._go_on()
        self._calm_down()
        if not self._silenced():
            self._release()

    def deadline(self) -> datetime | None:
        """When the site has to be looked at again if nothing happens."""
        site = self.site
        times = [due_at(site, self._place, self._policy), next_boundary(self._place, self._now)]
        if self._watch.since is not None:
            times.append(site.dips_at)
            if site.outage is not None and site.outage.untold and (sure_at := self._sure_at(site.outage)) > self._now:
                times.append(sure_at)
            if site.unstable is not None:
                times.append(self._calm_at(site.unstable, self._watch.since))
            if (held_until := self._held_until()) is not None and held_until > self._now:
                times.append(held_until)
        return min((moment for moment in times if moment is not None), default=None)

    # The verdict

    def _turn(self) -> None:
        """Carry a confirmed verdict out."""
        verdict = self.site.pending
        self.site = replace(self.site, pending=None, pending_at=None)
        if verdict is Verdict.OFF:
            self._look_at_dips(force=True)
            self._go_off()
        elif verdict is Verdict.ON:
            self._go_on()
        else:
            self.site = replace(self.site, power=PowerState.UNKNOWN, since=self._now)

    def _go_off(self) -> None:
        site = self.site
        if site.outage is not None:  # it was off, then unknown (a goodbye, a device removed), and is off still
            self.site = replace(site, power=PowerState.OFF, since=site.outage.started_lo)
            return
        members = {
            name: device.dark
            for name, device in self._devices.items()
            if device.liveness is Liveness.LOST and device.dark is not None
        }
        alive = tuple(sorted(name for name in self._devices if self._vote(name) in (Vote.ALIVE, Vote.UNSEEN)))
        proofs = {
            name: proof
            for name in alive
            if (proof := self._devices[name].powered_at or self._devices[name].last_proof_at) is not None
        }
        bounds = start_bounds(self._place, members, alive, proofs) if members else Bounds(self._now, self._now)
        window = maintained(self._place, self._now)
        outage_id = self._new_id(self._now)
        self._note_turn(Turn(self._now), PowerState.OFF, outage_id)
        outage = Outage(
            id=outage_id,
            event_id=self._new_id(self._now),
            started_lo=bounds.lo,
            started_hi=bounds.hi,
            detected_at=self._now,
            cause=cause_of(self._place, members, alive) if members else Cause.PRESUMED,
            maintenance=window is not None,
            untold=window is not None or self.site.unstable is not None,
            on_since=site.since if site.power is PowerState.ON else None,
            members=members,
            alive=alive,
        )
        if outage.cause in POWERED:
            outage = replace(outage, cause=Cause.PRESUMED)
        self._hold_with_others(members)
        self.site = replace(self.site, power=PowerState.OFF, since=bounds.lo, outage=outage)
        self._account(members)
        self.effects.append(OutageChanged(self._slug, outage))
        self._tell(outage, self._lost_event(outage))

    def _go_on(self) -> None:
        site = self.site
        if site.outage is None:
            self.site = replace(site, power=PowerState.ON, since=self._now)
            return
        outage = self._with_news(site.outage)
        bounds = self._end_of(outage)
        outage = closed(outage, bounds, self._now, self._new_id(self._now))
        cause = cause_of(self._place, outage.members, outage.alive)
        self._note_turn(Turn(self._now, bounds.hi - outage.started_lo, cause), PowerState.ON, outage.id)
        past = (*self.site.past, outage)[-REMEMBERED:]
        self.site = replace(self.site, power=PowerState.ON, since=bounds.hi, outage=None, past=past)
        self._account(outage.members)
        self.effects.append(OutageChanged(self._slug, outage))
        self._tell(outage, self._restored_event(outage, cause))
        known = replace(outage, cause=cause)
        unpowered = outage.members and cause not in POWERED
        if unpowered and start_bounds(self._place, outage.members, outage.alive).lo > outage.started_hi:
            known = self._dated_anew(known)  # they fell silent first, and their journals tell of the power
        self._revise(known)

    def _end_of(self, outage: Outage) -> Bounds:
        """When power came back, by every device that was dark in the outage and is back."""
        dark, alive = dict(outage.members), []
        for name in self._devices:
            if self._vote(name) is not Vote.ALIVE:
                continue
            newest = self._devices[name].dark
            in_it = newest is not None and newest.noticed_at is not None and newest.noticed_at >= outage.detected_at
            if newest is not None and (in_it or name in dark):
                dark[name] = newest
            elif name not in dark:
                alive.append(name)
        if not any(span.over for span in dark.values()):
            return Bounds(outage.started_lo, self._now)
        return end_bounds(self._place, dark, alive, outage.started_lo)

    # What comes to light later

    def _review(self) -> None:
        """Take in what returning devices and their journals say of the outage that is on and of those before."""
        for outage in self.site.past:
            self._review_past(outage)
        if self.site.outage is not None:
            self._review_open(self.site.outage)

    def _review_open(self, outage: Outage) -> None:
        known, begins_anew = self._with_news(outage), False
        for name, device in self._devices.items():
            if device.liveness is not Liveness.LOST or device.dark is None:
                continue
            before = known.members.get(name)
            # One that had power while it was missing first, and is missing again, may have lost it only now.
            again = before is not None and before.cause in POWERED and before.number < device.dark.number
            if before is None or again:
                alive = tuple(other for other in known.alive if other != name)
                known = replace(known, members=known.members | {name: device.dark}, alive=alive)
                begins_anew = begins_anew or again
                self._account({name: device.dark})
        if known is outage:
            return
        cause = cause_of(self._place, known.members, known.alive)
        self.site = replace(self.site, outage=known)
        revised = self._dated_anew(known) if begins_anew else known
        if cause is Cause.POWER and outage.cause is not Cause.POWER:
            revised = replace(revised, cause=cause)
        if revised is not known:
            self._revise(revised)
            self.site = replace(self.site, since=revised.started_lo)

    def _review_past(self, outage: Outage) -> None:
        known = self._with_news(outage)
        if known is not outage:
            cause = cause_of(self._place, known.members, known.alive)
            revised = replace(known, cause=cause)
            if cause not in POWERED:
                revised = self._dated_anew(revised)
            self._revise(revised)
        self.site = replace(self.site, past=tuple(kept for kept in self.site.past if self._open_to_review(kept)))

    def _open_to_review(self, outage: Outage) -> bool:
        if outage.retracted_at is not None:
            return False
        # A slow first heartbeat may date a return too late, which the next ones show.
        return not outage.reviewed or (
            outage.end_detected_at is not None and self._now < outage.end_detected_at + REVIEWED_FOR
        )

    def _with_news(self, outage: Outage) -> Outage:
        """The outage with its members' dark spans as they are known now."""
        news: dict[str, Dark] = {}
        for name, dark in outage.members.items():
            now = self._devices[name].dark if name in self._devices else None
            if now is not None and now.number == dark.number and now != dark:
                news[name] = now
        return replace(outage, members=outage.members | news) if news else outage

    def _dated_anew(self, outage: Outage) -> Outage:
        """Better bounds, where what is known now contradicts the old ones or narrows them much."""
        start = start_bounds(self._place, outage.members, outage.alive)
        old = Bounds(outage.started_lo, outage.started_hi)
        later = start.lo > old.lo + CLOSE
        lo, hi = (start.lo, start.hi) if later else _better(old, start)
        if outage.ended_lo is None or outage.ended_hi is None:
            return replace(outage, started_lo=lo, started_hi=hi)
        end = Bounds(outage.ended_lo, outage.ended_hi)
        if any(dark.over for dark in outage.members.values()):
            found = end_bounds(self._place, outage.members, outage.alive, lo)
            earlier = found.hi < end.hi - CLOSE
            end = found if earlier else Bounds(*_better(end, found))
        return replace(outage, started_lo=lo, started_hi=min(hi, end.hi), ended_lo=max(lo, end.lo), ended_hi=end.hi)

    def _revise(self, outage: Outage) -> None:
        """Put a changed outage in the place of the one the site holds; tells of it if something that is shown changed.

        A revision bears the id of the event it revises: that of the loss, or, if the end moved, of the return.
        """
        site = self.site
        held = (*site.past, *([site.outage] if site.outage is not None else []))
        old = next((kept for kept in held if kept.id == outage.id), None)
        if old is None:
            return
        change, end_moved = _change(old, outage)
        if change is None and not end_moved:
            self._put(outage)
            return
        if change is Change.RETRACTED:
            outage = replace(outage, retracted_at=self._now)
        outage = replace(outage, rev=old.rev + 1)
        self._put(outage)
        self.effects.append(OutageChanged(self._slug, outage))
        if change is not None:
            self._tell(outage, self._revision_of_start(outage, change, old))
        if end_moved:
            self._tell(outage, self._revision_of_end(outage, old))
        if outage.ended_hi is not None:
            since = outage.on_since if change is Change.RETRACTED and outage.on_since else outage.ended_hi
            self._date_power(old.ended_hi, since)

    def _date_power(self, old: datetime | None, since: datetime) -> None:
        """The power did not come at `old`, where an outage ended: now, and before what came after."""
        site = self.site

        def dated(outage: Outage) -> Outage:
            return replace(outage, on_since=since) if outage.on_since == old else outage

        if old is None or old == since:
            return
        self.site = replace(
            site,
            since=since if site.power is PowerState.ON and site.since == old else site.since,
            outage=dated(site.outage) if site.outage is not None else None,
            past=tuple(dated(outage) for outage in site.past),
        )

    def _put(self, outage: Outage) -> None:
        site = self.site
        if site.outage is not None and site.outage.id == outage.id:
            self.site = replace(site, outage=outage)
        else:
            self.site = replace(site, past=tuple(outage if kept.id == outage.id else kept for kept in site.past))

    # Interruptions that missed no deadline, and outages that came and went while we were blind

    def _look_at_dips(self, *, force: bool = False) -> None:
        """Judge the dark spans that ended without an outage of the site.

        They wait until every other device of the site has been heard since, or cannot be.
        """
        self._collect_dips()
        dips = self.site.dips
        if not dips:
            self._expect_dips(None)
            return
        if not force and not self._all_heard(dips):
            seeing = self._watch.since is not None  # else nobody can be heard, however long it takes
            at = (self.site.dips_at or self._hearing_ends()) if seeing else None
            if at is None or self._now < at:
                self._expect_dips(at)
                return
        self.site = replace(self.site, dips=(), dips_at=None)
        unpowered = [dip for dip in dips if dip.dark.cause is Cause.POWER]
        while unpowered:
            first = min(unpowered, key=lambda dip: dip.dark.start_lo).dark
            group: dict[str, Dark] = {}
            rest = []
            for dip in unpowered:
                if dip.device not in group and dip.dark.overlaps(first):
                    group[dip.device] = dip.dark
                else:
                    rest.append(dip)
            unpowered = rest
            self._judge_dip(group, losing=force)

    def _collect_dips(self) -> None:
        """Take in the spans that ended since, and what is better known of those that wait."""
        darks = {name: device.dark for name, device in self._devices.items() if device.dark is not None}
        fresh = {
            name: dark for name, dark in darks.items() if dark.over and dark.number > self.site.accounted.get(name, 0)
        }
        told = {name: dark for name, dark in fresh.items() if self._belongs_to_past(dark)}
        self._account(told)
        fresh = {name: dark for name, dark in fresh.items() if name not in told}
        if any(dip.device not in self._devices for dip in self.site.dips):  # of a board that was taken away
            here = tuple(dip for dip in self.site.dips if dip.device in self._devices)
            self.site = replace(self.site, dips=here)
        if self.site.outage is not None or self.site.power is not PowerState.ON:
            self._account(fresh)
            if self.site.dips:
                self.site = replace(self.site, dips=())
            return
        known = tuple(
            Dip(dip.device, now)
            if (now := darks.get(dip.device)) is not None and now.number == dip.dark.number and now != dip.dark
            else dip
            for dip in self.site.dips
        )
        if fresh or known != self.site.dips:
            self.site = replace(self.site, dips=(*known, *(Dip(name, dark) for name, dark in fresh.items())))
            self._account(fresh)

    def _belongs_to_past(self, dark: Dark) -> bool:
        """Whether it shares a moment with an outage that is known already."""
        return any(
            outage.retracted_at is None
            and outage.ended_hi is not None
            and dark.end_hi is not None
            and dark.start_lo <= outage.ended_hi
            and outage.started_lo <= dark.end_hi
            for outage in self.site.past
        )

    def _expect_dips(self, at: datetime | None) -> None:
        if self.site.dips_at != at:
            self.site = replace(self.site, dips_at=at)

    def _all_heard(self, dips: tuple[Dip, ...]) -> bool:
        if not all(dip.dark.settled for dip in dips):
            return False
        times = {dip.device: dip.dark.noticed_at for dip in dips if dip.dark.noticed_at is not None}
        noticed = max(times.values())
        for name, device in self._devices.items():
            if device.liveness not in (Liveness.ONLINE, Liveness.LATE):
                continue
            if not observed(device, self._watch) or device.last_proof_at is None:
                return False
            if name not in times and device.last_proof_at < noticed:
                return False
        return True

    def _hearing_ends(self) -> datetime:
        interval = max(device.interval_s for device in self._devices.values())
        at = self._now + self._policy.timeout(interval)
        if self._watch.since is not None:
            at = max(at, self._watch.since + self._policy.settle(interval))
        return at + timedelta(seconds=1)

    def _judge_dip(self, group: dict[str, Dark], *, losing: bool) -> None:
        """`losing`: the site goes off at this moment, and spans that are still open belong to that."""
        span, missing = _span(group), {}
        alive = []
        for name, device in self._devices.items():
            dark = device.dark
            if name in group:
                continue
            if dark is not None and dark.overlaps(span) and dark.cause not in POWERED:
                if dark.over and dark.cause is Cause.POWER:
                    group = group | {name: dark}  # part of an earlier outage, and still dark in this one
                elif dark.over or not losing:
                    missing[name] = dark  # it does not say, or will on its return
            elif self._vote(name) in (Vote.ALIVE, Vote.DEAD):
                alive.append(name)  # alive then, whatever became of it
        votes = dict.fromkeys(alive, Vote.ALIVE) | dict.fromkeys(group, Vote.DEAD)
        if decide(self._place, votes) is not Verdict.OFF:
            return
        start = start_bounds(self._place, group, alive)
        end = end_bounds(self._place, group, alive, start.lo)
        if end.hi <= start.lo:
            return  # one had power again before the other lost it
        if missing:
            start = start_bounds(self._place, group | missing, alive)
            end = end_bounds(self._place, group | missing, alive, start.lo)
        interval = max(self._devices[name].interval_s for name in group)
        confirm = self._policy.confirm_off if self._place.confirm_off is None else self._place.confirm_off
        missed = end.hi - start.lo > self._policy.timeout(interval) + confirm
        reconstructed = missed and any(self._fell_into_blindness(dark) for dark in group.values())
        window = maintained(self._place, end.hi)
        outage = Outage(
            id=self._new_id(self._now),
            event_id=self._new_id(self._now),
            started_lo=start.lo,
            started_hi=start.hi,
            detected_at=self._now,
            cause=Cause.POWER,
            momentary=not reconstructed,
            reconstructed=reconstructed,
            maintenance=window is not None,
            untold=window is not None
            or self.site.unstable is not None
            or maintained(self._place, self._now) is not None,
            on_since=self.site.since,
            members=group | missing,
            alive=tuple(sorted(alive)),
        )
        self._account(missing)
        outage = closed(outage, end, self._now, self._new_id(self._now))
        self.site = replace(self.site, past=(*self.site.past, outage)[-REMEMBERED:])
        self.effects.append(OutageChanged(self._slug, outage))
        if outage.momentary:
            self._tell(outage, self._event(EventKind.MOMENTARY, outage, outage.event_id, Bounds(start.lo, end.hi), []))
            return
        evidence = [
            Evidence(device=name, kind=EvidenceKind.BOOT, at=dark.noticed_at)
            for name, dark in group.items()
            if dark.noticed_at is not None
        ]
        lost, back = self._lost_event(outage), self._restored_event(outage, Cause.POWER)
        self._tell(outage, replace(lost, evidence=evidence, reconstructed=True))
        self._tell(outage, replace(back, evidence=evidence, reconstructed=True))
        if self.site.since is None or self.site.since < end.hi:
            self.site = replace(self.site, since=end.hi)

    def _fell_into_blindness(self, dark: Dark) -> bool:
        """Whether we were blind as it began, or went blind before we could say so (the loss was being confirmed)."""
        since = self._watch.since
        return dark.blind or (since is not None and dark.start_hi < since)

    def _account(self, darks: dict[str, Dark]) -> None:
        known = self.site.accounted
        newer = {name: dark.number for name, dark in darks.items() if dark.number > known.get(name, 0)}
        if newer:
            self.site = replace(self.site, accounted=known | newer)


def _span(group: dict[str, Dark]) -> Dark:
    """One dark span that covers all of a group."""
    first = min(group.values(), key=lambda dark: dark.start_lo)
    return replace(first, end_hi=max(dark.end_hi for dark in group.values() if dark.end_hi is not None))


def _better(old: Bounds, new: Bounds) -> tuple[datetime, datetime]:
    apart = new.lo > old.hi or new.hi < old.lo
    narrower = new.lo >= old.lo and new.hi <= old.hi and 2 * (new.hi - new.lo) <= old.hi - old.lo
    found = new if apart or narrower else old
    return found.lo, found.hi


def _change(old: Outage, new: Outage) -> tuple[Change | None, bool]:
    """What a revision says, and whether the end moved."""
    if new.cause in POWERED:
        return (None if old.retracted_at is not None else Change.RETRACTED), False
    end_moved = old.ended_hi is not None and (new.ended_lo, new.ended_hi) != (old.ended_lo, old.ended_hi)
    if new.cause is Cause.POWER and old.cause is not Cause.POWER:
        much = abs(new.started_lo - old.started_lo) >= NOTABLE
        return Change.REFINED if much else Change.CONFIRMED, end_moved
    if (new.started_lo, new.started_hi) != (old.started_lo, old.started_hi):
        return Change.REFINED, end_moved
    return None, end_moved
