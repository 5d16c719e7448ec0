"""What is told of a site, and when.

Rows of outages follow the truth as it is known; the event log is what people are told. Between the two stands what
holds an event back: maintenance, a time in which the power comes and goes, and many boards that vanished together.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import UNSET
from msgspec.structs import replace

from services.detector.core.area import AreaGuard
from services.detector.core.dark import POWERED, Dark
from services.detector.core.device import Watch
from services.detector.core.effects import Effect, EventLogged
from services.detector.core.outage import Bounds, Outage
from services.detector.core.place import Place, Vote
from services.detector.core.policy import Policy
from services.detector.core.site import Devices, SiteState, Turn, Unstable, maintained, vote
from svitlo.contracts import (
    Area,
    Cause,
    Change,
    EventKind,
    Evidence,
    EvidenceKind,
    Flapping,
    PowerEvent,
    PowerState,
)

NOTABLE = timedelta(seconds=60)
"""A correction of less than this is kept without an alert."""


class Telling:
    """A site, what it stands on, and the moment; `site` and `effects` are the outcome."""

    def __init__(
        self,
        slug: str,
        site: SiteState,
        place: Place,
        devices: Devices,
        now: datetime,
        policy: Policy,
        watch: Watch,
        guard: AreaGuard,
        new_id: Callable[[datetime], UUID],
    ) -> None:
        self.site = site
        self.effects: list[Effect] = []
        self._slug = slug
        self._place = place
        self._devices = devices
        self._now = now
        self._policy = policy
        self._watch = watch
        self._guard = guard
        self._new_id = new_id

    def _silenced(self) -> bool:
        held_until = self._held_until()
        held = held_until is not None and (self._watch.since is None or self._now < held_until)
        return held or self.site.unstable is not None or maintained(self._place, self._now) is not None

    def _held_until(self) -> datetime | None:
        """Until when alerts wait because many boards vanished; longer if our link broke too, for boards to return."""
        site, since = self.site, self._watch.since
        if site.hold_until is None or since is None or site.outage is None or site.outage.detected_at >= since:
            return site.hold_until
        return max(site.hold_until, since + self._policy.reconnect)

    def _tell(self, outage: Outage, event: PowerEvent) -> None:
        if outage.untold:
            return
        if outage.momentary and event.kind is EventKind.OUTAGE_REVISED:
            event = replace(event, quiet=True)  # nobody was told of it
        if self._silenced() or self.site.owed:
            self.site = replace(self.site, owed=(*self.site.owed, event))
        else:
            self.effects.append(EventLogged(event))

    def _release(self, *, quiet: bool = False) -> None:
        """Tell what was held back, and an outage nobody was told of that is still on."""
        site = self.site
        area = self._area()
        owed, self.site = site.owed, replace(site, owed=(), hold_until=None, area=None)
        never = {event.outage_id for event in owed if event.change is Change.RETRACTED} & {
            event.outage_id for event in owed if event.kind is EventKind.POWER_LOST
        }
        for event in owed:
            if event.outage_id not in never:
                self._log(event, area, quiet=quiet)
        outage = self.site.outage
        off = self.site.power is PowerState.OFF  # not so if its boards were taken away meanwhile
        if outage is not None and outage.untold and off and self._now >= self._sure_at(outage):
            outage = replace(outage, untold=False)
            self.site = replace(self.site, outage=outage)
            self._log(self._lost_event(outage), area, quiet=quiet)

    def _sure_at(self, outage: Outage) -> datetime:
        """When an outage found before counts as still on: at once if we have been watching since, else once boards
        had time to speak."""
        since = self._watch.since
        if since is None:
            return self._now + self._policy.reconnect
        interval = max((device.interval_s for device in self._devices.values()), default=0)
        return outage.detected_at if outage.detected_at >= since else since + self._policy.settle(interval)

    def _log(self, event: PowerEvent, area: Area | None, *, quiet: bool) -> None:
        if event.site != self._slug:
            event = replace(event, site=self._slug)  # it was renamed meanwhile
        if area is not None and event.kind is EventKind.POWER_LOST:
            event = replace(event, area=area)
        self.effects.append(EventLogged(replace(event, quiet=True) if quiet else event))

    def _area(self) -> Area | None:
        if self.site.area is None:
            return None
        return Area(id=self.site.area, sites=max(1, self._guard.sites[self.site.area]))

    def _hold_with_others(self, members: dict[str, Dark]) -> None:
        """Where many boards vanished together, alerts wait; a board's own mains sensor needs no second opinion."""
        hold = self._guard.hold(self._now)
        if hold is None or any(dark.by_sensor for dark in members.values()):
            return
        self._guard.sites[hold.id] += 1
        self.site = replace(self.site, hold_until=hold.until, area=hold.id)

    def _note_turn(self, turn: Turn, power: PowerState, outage_id: UUID) -> None:
        """Count the power's coming and going; too often within a while, and single events are told no more."""
        site = self.site
        if maintained(self._place, self._now) is not None:
            return
        if site.unstable is not None:
            self.site = replace(site, unstable=_longer(site.unstable, turn, outage_id))
            return
        turns = (*(kept for kept in site.turns if kept.at > self._now - self._policy.flap_window), turn)
        if len(turns) <= self._policy.flap_changes:
            self.site = replace(site, turns=turns)
            return
        unstable = Unstable(turns[0].at, 0, timedelta(0), turn.at, outage_id, wrongly=True)
        for kept in turns:
            unstable = _longer(unstable, kept, outage_id)
        self.effects.append(EventLogged(self._flapping_event(EventKind.UNSTABLE, unstable, power, outage_id)))
        self.site = replace(site, turns=(), unstable=unstable)

    def _calm_at(self, unstable: Unstable, watching_since: datetime) -> datetime:
        """When there was no change for long enough; what we did not watch does not count."""
        return max(unstable.last_at, watching_since) + self._policy.flap_calm

    def _calm_down(self) -> None:
        unstable, since = self.site.unstable, self._watch.since
        if unstable is not None and since is not None and self._now >= self._calm_at(unstable, since):
            self.site = replace(self.site, unstable=None, calmed=unstable)
        calmed = self.site.calmed
        if calmed is None or self._silenced():
            return  # who was told that it began is told how it ended, be it after a maintenance
        self.site = replace(self.site, calmed=None)
        event = self._flapping_event(EventKind.STABLE, calmed, self.site.power, calmed.outage)
        self.effects.append(EventLogged(event))
        self._release(quiet=True)

    # The words

    def _lost_event(self, outage: Outage) -> PowerEvent:
        evidence = [
            Evidence(device=name, kind=device.lost_by or EvidenceKind.TIMEOUT, at=dark.start_hi)
            for name, dark in outage.members.items()
            if (device := self._devices.get(name)) is not None
        ]
        bounds = Bounds(outage.started_lo, outage.started_hi)
        event = self._event(EventKind.POWER_LOST, outage, outage.event_id, bounds, evidence)
        return replace(event, detected_at=outage.detected_at)

    def _restored_event(self, outage: Outage, cause: Cause) -> PowerEvent:
        evidence = [
            Evidence(device=name, kind=device.returned_by or EvidenceKind.HEARTBEAT, at=device.last_proof_at)
            for name, device in self._devices.items()
            if device.last_proof_at is not None and self._vote(name) is Vote.ALIVE
        ]
        bounds = Bounds(outage.ended_lo or self._now, outage.ended_hi or self._now)
        event = self._event(EventKind.POWER_RESTORED, outage, outage.end_event_id or outage.id, bounds, evidence)
        return replace(event, rev=1, cause=cause)

    def _revision_of_start(self, outage: Outage, change: Change, old: Outage) -> PowerEvent:
        bounds = Bounds(outage.started_lo, outage.started_hi)
        minor = change is Change.REFINED and abs(outage.started_lo - old.started_lo) < NOTABLE
        return self._revision(outage, outage.event_id, bounds, change, minor=minor)

    def _revision_of_end(self, outage: Outage, old: Outage) -> PowerEvent:
        lo, hi = outage.ended_lo or self._now, outage.ended_hi or self._now
        minor = old.ended_hi is not None and abs(hi - old.ended_hi) < NOTABLE
        return self._revision(outage, outage.end_event_id or outage.id, Bounds(lo, hi), Change.REFINED, minor=minor)

    def _revision(self, outage: Outage, event_id: UUID, bounds: Bounds, change: Change, *, minor: bool) -> PowerEvent:
        evidence = [
            Evidence(device=name, kind=EvidenceKind.BOOT, at=dark.noticed_at)
            for name, dark in outage.members.items()
            if dark.noticed_at is not None
        ]
        event = self._event(EventKind.OUTAGE_REVISED, outage, event_id, bounds, evidence)
        return replace(event, change=change, quiet=True if minor else UNSET)

    def _flapping_event(self, kind: EventKind, unstable: Unstable, power: PowerState, outage_id: UUID) -> PowerEvent:
        return PowerEvent(
            id=self._new_id(self._now),
            rev=1,
            site=self._slug,
            kind=kind,
            outage_id=outage_id,
            occurred_lo=unstable.since,
            occurred_hi=unstable.last_at,
            detected_at=self._now,
            cause=Cause.NETWORK if unstable.wrongly else Cause.PRESUMED,
            evidence=[],
            flapping=Flapping(
                since=unstable.since, changes=unstable.changes, off_s=unstable.off.total_seconds(), power=power
            ),
        )

    def _event(
        self, kind: EventKind, outage: Outage, event_id: UUID, bounds: Bounds, evidence: list[Evidence]
    ) -> PowerEvent:
        return PowerEvent(
            id=event_id,
            rev=outage.rev,
            site=self._slug,
            kind=kind,
            outage_id=outage.id,
            occurred_lo=bounds.lo,
            occurred_hi=bounds.hi,
            detected_at=self._now,
            cause=outage.cause,
            evidence=sorted(evidence, key=lambda item: (item.at, item.device)),
        )

    def _vote(self, name: str) -> Vote:
        return vote(self._devices[name], self._watch)


def _longer(unstable: Unstable, turn: Turn, outage_id: UUID) -> Unstable:
    """An unstable time with one more turn. What had power all along was not off."""
    had_power = turn.cause in POWERED
    return replace(
        unstable,
        changes=unstable.changes + 1,
        off=unstable.off if had_power else unstable.off + turn.off,
        last_at=turn.at,
        outage=outage_id,
        wrongly=unstable.wrongly and (had_power or turn.cause is None),
    )
