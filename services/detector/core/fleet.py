"""All devices and sites together: messages and time in, effects out.

The fleet is plain state with four ways in - `observe`, `tick`, `link_up`/`link_down`, `set_registry` - and the time of
the next deadline. It asks nobody for the time and for nothing else, so it runs live, in tests on a made-up clock and
over recorded history alike. Event and outage ids come from `new_id`, which is handed in.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from services.detector.core.device import (
    DeviceState,
    Liveness,
    Watch,
    blinded,
    next_deadline,
    observe_device,
    rewound,
    tick_device,
)
from services.detector.core.effects import DeviceChanged, Effect, GapSeen, OutageEnded, OutageStarted, SiteChanged
from services.detector.core.observation import Observation, ObservationKind
from services.detector.core.policy import Policy
from services.detector.core.site import (
    Devices,
    Lost,
    Outage,
    Returned,
    SiteState,
    Verdict,
    due_at,
    judge,
    loss,
    restoration,
    shown_state,
)
from svitlo.contracts import Cause, DeviceTally, EventKind, PowerEvent, PowerState

NewId = Callable[[datetime], UUID]


class Tally(Struct):
    """Counters of what was not taken at face value."""

    observed: int = 0
    unknown_device: int = 0
    unchanged: int = 0
    stale_wills: int = 0


class Fleet:
    """The state of every device and site."""

    def __init__(self, policy: Policy, new_id: NewId) -> None:
        self.policy = policy
        self.watch = Watch(None)
        self.tally = Tally()
        self.devices: dict[str, DeviceState] = {}
        self.sites: dict[str, SiteState] = {}
        self._site_devices: dict[str, tuple[str, ...]] = {}
        self._device_sites: dict[str, tuple[str, ...]] = {}
        self._new_id = new_id
        self._blind_since: datetime | None = None
        self._blind_reason = "start"
        self._deadlines: list[tuple[datetime, str]] = []
        self._scheduled: dict[str, datetime] = {}
        self._site_deadlines: dict[str, datetime] = {}
        self._unproven: set[str] = set()

    def restore(
        self, devices: Mapping[str, DeviceState], sites: Mapping[str, SiteState], last_tick: datetime | None
    ) -> None:
        """Take over what was stored before a restart; `last_tick` is when we were last known to watch (UTC)."""
        self.devices.update(devices)
        self.sites.update(sites)
        self._blind_since = last_tick

    def rewind(self, now: datetime) -> None:
        """Our clock was set back to `now`, or what was stored comes from a clock ahead of it."""
        for name, state in self.devices.items():
            self.devices[name] = rewound(state, now)
        for slug, site in self.sites.items():
            if site.pending_at is not None:
                self.sites[slug] = replace(site, pending=None, pending_at=None)
        self._site_deadlines.clear()
        if self._blind_since is not None:
            self._blind_since = min(self._blind_since, now)

    def set_registry(self, sites: Mapping[str, tuple[str, ...]], now: datetime) -> list[Effect]:
        """Which devices stand for which sites. New sites begin unknown; sites that are gone are forgotten."""
        self._site_devices = dict(sites)
        by_device: dict[str, list[str]] = {}
        for site, names in sites.items():
            for name in names:
                by_device.setdefault(name, []).append(site)
        self._device_sites = {name: tuple(places) for name, places in by_device.items()}
        for gone in self.devices.keys() - by_device.keys():
            del self.devices[gone]
            self._scheduled.pop(gone, None)
            self._unproven.discard(gone)
        for gone in self.sites.keys() - sites.keys():
            del self.sites[gone]
            self._site_deadlines.pop(gone, None)
        for name in by_device.keys() - self.devices.keys():
            self.devices[name] = DeviceState()
        effects: list[Effect] = []
        for site in sites:
            known = site in self.sites
            self.sites.setdefault(site, SiteState())
            if not known:
                effects.append(SiteChanged(site, self.sites[site]))
            effects += self._judge(site, now, registry=True)
        return effects

    def observe(self, observation: Observation) -> list[Effect]:
        """Take in one message."""
        self.tally.observed += 1
        state = self.devices.get(observation.device)
        if state is None:
            self.tally.unknown_device += 1
            return []
        if self.watch.proven_at is None and not observation.retained:
            # Not yet known to be news: what was on its way while we, or the broker, stood still carries a wrong time.
            observation = replace(observation, retained=True)
        after = observe_device(state, observation)
        if after is state:
            self.tally.unchanged += 1
            if observation.kind is ObservationKind.WILL and not observation.retained:
                self.tally.stale_wills += 1
            return []
        return self._moved(observation.device, state, after, observation.at)

    def tick(self, now: datetime) -> list[Effect]:
        """Let time pass up to `now`."""
        effects: list[Effect] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            when, name = heapq.heappop(self._deadlines)
            if self._scheduled.get(name) != when:
                continue  # superseded by an earlier entry, or the device is gone
            del self._scheduled[name]
            state = self.devices[name]
            after = tick_device(state, now, self.policy, self.watch)
            if after is not state:
                effects += self._moved(name, state, after, now)
            elif (due := next_deadline(state, self.policy, self.watch)) is not None and due <= now:
                self._unproven.add(name)
            else:
                self._schedule(name, state)
        for site in [site for site, when in self._site_deadlines.items() if when <= now]:
            effects += self._judge(site, now)
        return effects

    def next_deadline(self) -> datetime | None:
        """When `tick` has something to do, at the earliest; None if only messages can change anything."""
        first = self._deadlines[0][0] if self._deadlines else None
        return min((when for when in (first, *self._site_deadlines.values()) if when is not None), default=None)

    def link_up(self, now: datetime) -> list[Effect]:
        """We see again. Silence counts anew from here."""
        if self.watch.since is not None:
            return []
        self.watch = Watch(now)
        effects: list[Effect] = []
        if self._blind_since is not None and self._blind_since < now:
            effects.append(GapSeen(self._blind_since, now, self._blind_reason))
        self._blind_since = None
        for name, state in self.devices.items():
            self._schedule(name, state)
        for site in self.sites:
            effects += self._judge(site, now)
        return effects

    def link_proven(self, sent_at: datetime, now: datetime) -> list[Effect]:
        """An echo sent at `sent_at` has come back through the broker: up to then the link carried both ways."""
        if self.watch.since is None or sent_at < self.watch.since:
            return []
        self.watch = Watch(self.watch.since, sent_at)
        waiting, self._unproven = self._unproven, set()
        for name in waiting & self.devices.keys():
            self._schedule(name, self.devices[name])
        return self.tick(now)

    @property
    def wants_proof(self) -> bool:
        """Whether some device is overdue and only an echo is missing to say so."""
        return bool(self._unproven)

    def link_down(self, since: datetime, reason: str = "link") -> None:
        """We have seen nothing since `since`: no silence counts, and no will that came in the last moments."""
        if self.watch.since is None:
            return
        self.watch = Watch(None)
        self._blind_since, self._blind_reason = since, reason
        self._deadlines.clear()
        self._scheduled.clear()
        self._site_deadlines.clear()
        self._unproven.clear()
        for slug, site in self.sites.items():
            if site.pending is not None:
                self.sites[slug] = replace(site, pending=None, pending_at=None)
        for name, state in self.devices.items():
            after = blinded(state)
            self.devices[name] = after
            self._schedule(name, after)

    def tally_of(self, site: str) -> DeviceTally:
        """How many devices a site has and how many of them live."""
        states = [self.devices[name] for name in self._site_devices.get(site, ())]
        alive = sum(state.liveness in (Liveness.ONLINE, Liveness.LATE) for state in states)
        return DeviceTally(total=len(states), alive=alive)

    def _moved(self, name: str, before: DeviceState, after: DeviceState, now: datetime) -> list[Effect]:
        self.devices[name] = after
        if not (name in self._scheduled and _only_later(before, after)):
            self._schedule(name, after)
        seen_again = (
            after.last_proof_at is not before.last_proof_at
            and self.watch.since is not None
            and (before.last_proof_at is None or before.last_proof_at < self.watch.since)
        )
        if after.liveness is before.liveness:
            # Nothing to tell, except that a device may speak for its site again after a blind span.
            return self._judge_all(name, now) if seen_again else []
        return [DeviceChanged(name, after), *self._judge_all(name, now, changed=True)]

    def _judge_all(self, name: str, now: datetime, *, changed: bool = False) -> list[Effect]:
        effects: list[Effect] = []
        for site in self._device_sites.get(name, ()):
            effects += self._judge(site, now, changed=changed)
        return effects

    def _judge(self, slug: str, now: datetime, *, changed: bool = False, registry: bool = False) -> list[Effect]:
        before = self.sites[slug]
        devices: Devices = [(name, self.devices[name]) for name in self._site_devices.get(slug, ())]
        site = judge(before, devices, now, self.policy, self.watch)
        if registry and site.pending is Verdict.OFF and before.pending is not Verdict.OFF:
            # Somebody took the living device away: that says nothing about the power.
            site = replace(site, pending=Verdict.UNKNOWN)
        effects: list[Effect] = []
        self._site_deadlines.pop(slug, None)
        if (due := due_at(site, self.policy)) is not None:
            if due <= now:
                site, effects = self._turn(slug, site, devices, now)
            else:
                self._site_deadlines[slug] = due
        word = shown_state(site.power, devices, self.watch)
        if word is not site.state:
            site = replace(site, state=word)
        self.sites[slug] = site
        if changed or effects or (site.state, site.since) != (before.state, before.since):
            effects.append(SiteChanged(slug, site))
        return effects

    def _turn(self, slug: str, site: SiteState, devices: Devices, now: datetime) -> tuple[SiteState, list[Effect]]:
        """Carry a confirmed verdict out."""
        verdict = site.pending
        site = replace(site, pending=None, pending_at=None)
        if verdict is Verdict.OFF:
            return self._go_off(slug, site, devices, now)
        if verdict is Verdict.ON:
            return self._go_on(slug, site, devices, now)
        return replace(site, power=PowerState.UNKNOWN, since=now), []

    def _go_off(self, slug: str, site: SiteState, devices: Devices, now: datetime) -> tuple[SiteState, list[Effect]]:
        if site.outage is not None:  # it was off, then unknown (a goodbye, a device removed), and is off still
            return replace(site, power=PowerState.OFF, since=site.outage.started_lo), []
        lost = loss(devices)
        outage = Outage(self._new_id(now), lost.lo, lost.hi)
        event = self._event(EventKind.POWER_LOST, slug, outage, lost, now)
        site = replace(site, power=PowerState.OFF, since=lost.lo, outage=outage)
        return site, [OutageStarted(slug, outage, event)]

    def _go_on(self, slug: str, site: SiteState, devices: Devices, now: datetime) -> tuple[SiteState, list[Effect]]:
        if site.outage is None:
            return replace(site, power=PowerState.ON, since=now), []
        outage = site.outage
        back = restoration(outage, devices, self.watch)
        event = self._event(EventKind.POWER_RESTORED, slug, outage, back, now)
        site = replace(site, power=PowerState.ON, since=back.hi, outage=None)
        return site, [OutageEnded(slug, outage, event)]

    def _event(self, kind: EventKind, slug: str, outage: Outage, found: Lost | Returned, now: datetime) -> PowerEvent:
        return PowerEvent(
            id=self._new_id(now),
            rev=1,
            site=slug,
            kind=kind,
            outage_id=outage.id,
            occurred_lo=found.lo,
            occurred_hi=found.hi,
            detected_at=now,
            cause=Cause.PRESUMED,
            evidence=found.evidence,
        )

    def _schedule(self, name: str, state: DeviceState) -> None:
        """Enter the device's next deadline unless an earlier look at it is planned already."""
        due = next_deadline(state, self.policy, self.watch)
        if due is None:
            return
        planned = self._scheduled.get(name)
        if planned is None or due < planned:
            self._scheduled[name] = due
            heapq.heappush(self._deadlines, (due, name))


def _only_later(before: DeviceState, after: DeviceState) -> bool:
    """Whether a device's next deadline cannot have come nearer, as with every ordinary heartbeat: the one planned
    will look again."""
    return (
        after.liveness is before.liveness
        and after.will_at is None
        and after.birth_at is None
        and after.interval_s >= before.interval_s
    )
