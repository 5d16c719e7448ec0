"""All devices and sites together: messages and time in, effects out.

The fleet is plain state with four ways in - `observe`, `tick`, `link_up`/`link_down`, `set_registry` - and the time of
the next deadline. It asks nobody for the time and for nothing else, so it runs live, in tests on a made-up clock and
over recorded history alike. Event and outage ids come from `new_id`, which is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from services.detector.core.agenda import Agenda
from services.detector.core.area import AreaGuard
from services.detector.core.device import ALIVE, DeviceState, Liveness, Watch, blinded, interrupted, rewound
from services.detector.core.effects import DeviceChanged, Effect, GapSeen, OutageChanged, SiteChanged
from services.detector.core.hearing import observe_device
from services.detector.core.hierarchy import Hierarchy
from services.detector.core.judgement import Judgement
from services.detector.core.observation import Observation, ObservationKind
from services.detector.core.outage import Outage
from services.detector.core.place import Place
from services.detector.core.policy import Policy
from services.detector.core.site import SiteState, changed_outages, frozen, next_boundary, shown_state
from services.detector.core.site import rewound as site_rewound
from services.detector.core.waiting import next_deadline, tick_device
from svitlo.contracts import DeviceTally, EvidenceKind, PowerState

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
        self.places: dict[str, Place] = {}
        self.guard = AreaGuard(policy, new_id)
        self._hierarchy = Hierarchy({})
        self._device_sites: dict[str, tuple[str, ...]] = {}
        self._new_id = new_id
        self._online = 0
        self._doubted: set[str] = set()
        self._overdue: set[str] = set()
        self._blind_since: datetime | None = None
        self._blind_reason = "start"
        self._agenda = Agenda()
        self._site_agenda = Agenda()
        self._unproven: set[str] = set()
        self._renamed: set[str] = set()

    def restore(
        self,
        devices: Mapping[str, DeviceState],
        sites: Mapping[str, SiteState],
        last_tick: datetime | None,
        watched_since: datetime | None = None,
        blind_since: datetime | None = None,
    ) -> None:
        """Take over what was stored before a restart.

        `last_tick` is when we were last known to run, `watched_since` since when we had been watching then without a
        break; None if we were blind, `blind_since` then (UTC).
        """
        self.devices.update(devices)
        self.sites.update(sites)
        self._blind_since = last_tick if watched_since is not None else blind_since or last_tick
        if last_tick is None:
            return
        if watched_since is not None:
            for name, state in self.devices.items():
                self.devices[name] = interrupted(state, watched_since, last_tick, self.policy)
        for slug, site in self.sites.items():
            self.sites[slug] = frozen(site, last_tick)
            if site.area is not None:
                self.guard.sites[site.area] += 1

    def rewind(self, now: datetime) -> list[Effect]:
        """Our clock was set back to `now`, or what was stored comes from a clock ahead of it."""
        effects: list[Effect] = []
        for name, state in self.devices.items():
            self.devices[name] = rewound(state, now)
        for slug, before in self.sites.items():
            site = self.sites[slug] = site_rewound(before, now)
            effects += [OutageChanged(slug, outage) for outage in changed_outages(before, site)]
            if site != before:
                effects.append(SiteChanged(slug, site))
        self.guard.rewind()
        self._site_agenda.clear()
        if self._blind_since is not None:
            self._blind_since = min(self._blind_since, now)
        return effects

    def rename(self, slugs: Mapping[str, str]) -> None:
        """Sites bear other slugs from now on, from old to new; call before `set_registry`."""
        moved = {new: self.sites.pop(old) for old, new in slugs.items() if old in self.sites}
        self.sites |= moved
        self.places = {slugs.get(slug, slug): place for slug, place in self.places.items()}
        for slug in (*slugs, *slugs.values()):
            self._site_agenda.plan(slug, None)
        self._renamed.update(slugs.values())

    def forget(self, slugs: Collection[str]) -> None:
        """Other sites bear these slugs from now on; call before `set_registry`."""
        for slug in slugs:
            self.sites.pop(slug, None)
            self.places.pop(slug, None)
            self._site_agenda.plan(slug, None)

    def set_registry(self, places: Mapping[str, Place], now: datetime) -> list[Effect]:
        """What sites there are and which devices stand for them. New ones begin unknown; what is gone is forgotten.

        Only sites that changed, and those above them, are looked at: a large registry is read again every minute.
        """
        before = self.places
        self.places = dict(places)
        by_device: dict[str, list[str]] = {}
        for site, place in places.items():
            for name in place.devices:
                by_device.setdefault(name, []).append(site)
        self._device_sites = {name: tuple(sites) for name, sites in by_device.items()}
        self._hierarchy = Hierarchy(self.places)
        for gone in self.devices.keys() - by_device.keys():
            del self.devices[gone]
            self._agenda.plan(gone, None)
            self._unproven.discard(gone)
            self._doubted.discard(gone)
            self._overdue.discard(gone)
        for gone in self.sites.keys() - places.keys():
            del self.sites[gone]
            self._site_agenda.plan(gone, None)
        for name in sorted(by_device.keys() - self.devices.keys()):
            self.devices[name] = DeviceState()
        self._online = sum(state.liveness in ALIVE for state in self.devices.values())
        effects: list[Effect] = []
        changed = {site: place for site, place in places.items() if before.get(site) != place}
        for site, place in changed.items():
            if site not in self.sites:
                self.sites[site] = SiteState()
                effects.append(SiteChanged(site, self.sites[site]))
                self._disregard_darks(site, place.devices)
            elif site in before:
                self._forget_devices(site, before[site].devices.keys() - place.devices.keys())
                self._disregard_darks(site, place.devices.keys() - before[site].devices.keys())
            elif self.sites[site].cast not in (None, place.cast):
                # It changed while no detector ran, so nobody knows which devices are new.
                self._forget_devices(site, self.sites[site].accounted.keys() - place.devices.keys())
                self._disregard_darks(site, place.devices)
            if (cast := place.cast) != (known := self.sites[site].cast):
                self.sites[site] = replace(self.sites[site], cast=cast, recast=known is not None)
        left = {place.parent for site, place in before.items() if place.parent and places.get(site) != place}
        for site in self._hierarchy.from_below(changed.keys() | left | self._renamed):
            effects += self._judge(site, now, registry=True)
        self._renamed.clear()
        return effects

    def observe(self, observation: Observation) -> list[Effect]:
        """Take in one message."""
        self.tally.observed += 1
        state = self.devices.get(observation.device)
        if state is None:
            self.tally.unknown_device += 1
            return []
        if (
            self.watch.proven_at is None
            and not observation.retained
            and observation.kind is not ObservationKind.JOURNAL  # it tells of the past anyway, and only once
        ):
            # Not yet known to be news: what was on its way while we, or the broker, stood still carries a wrong time.
            observation = replace(observation, retained=True)
        after = observe_device(state, observation, self.watch)
        if after is state:
            self.tally.unchanged += 1
            if observation.kind is ObservationKind.WILL and not observation.retained:
                self.tally.stale_wills += 1
            return []
        effects: list[Effect] = []
        if self._moved(observation.device, state, after, observation.at, effects):
            excused = after.liveness is Liveness.PAUSED and state.liveness is not Liveness.PAUSED
            for site in self._device_sites.get(observation.device, ()):
                effects += self._judge(site, observation.at, changed=True, silent=excused)
        return effects

    def tick(self, now: datetime) -> list[Effect]:
        """Let time pass up to `now`."""
        effects: list[Effect] = []
        touched: dict[str, None] = {}
        for name in self._agenda.due(now):
            state = self.devices[name]
            after = tick_device(state, now, self.policy, self.watch)
            if after is not state:
                if self._moved(name, state, after, now, effects):
                    touched |= dict.fromkeys(self._device_sites.get(name, ()))
            elif (due := next_deadline(state, self.policy, self.watch)) is not None:
                if due <= now:
                    self._unproven.add(name)
                else:
                    self._agenda.plan(name, due)
        # All devices first: who vanished together is known before anything is said of a site.
        for site in touched:
            effects += self._judge(site, now, changed=True)
        for site in list(self._site_agenda.due(now)):
            effects += self._judge(site, now)
        return effects

    def next_deadline(self) -> datetime | None:
        """When `tick` has something to do, at the earliest; None if only messages can change anything."""
        firsts = self._agenda.first(), self._site_agenda.first()
        return min((when for when in firsts if when is not None), default=None)

    @property
    def plans(self) -> int:
        """Grows whenever something was planned: unchanged, `next_deadline` cannot have come nearer."""
        return self._agenda.entries + self._site_agenda.entries

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
        if self.watch.since is None or not self.watch.since <= sent_at <= now:
            return []
        self.watch = Watch(self.watch.since, sent_at)
        waiting, self._unproven = self._unproven, set()
        for name in sorted(waiting & self.devices.keys()):
            self._schedule(name, self.devices[name])
        return self.tick(now)

    @property
    def blind_since(self) -> datetime | None:
        """Since when we have seen nothing; None while we watch."""
        return self._blind_since if self.watch.since is None else None

    @property
    def wants_proof(self) -> bool:
        """Whether some device is overdue and only an echo is missing to say so."""
        return bool(self._unproven)

    def link_down(self, since: datetime, reason: str = "link") -> None:
        """We have seen nothing since `since`: no silence counts, and no will that came in the last moments.

        `reason` is `stall` when only we stood still: then the silence watched before is kept.
        """
        if self.watch.since is None:
            return
        watched_since, self.watch = self.watch.since, Watch(None)
        self._blind_since, self._blind_reason = since, reason
        self._agenda.clear()
        self._site_agenda.clear()
        self._unproven.clear()
        self._doubted.clear()
        self._overdue.clear()
        for slug, site in self.sites.items():
            self.sites[slug] = frozen(site, since)
            self._site_agenda.plan(slug, next_boundary(self.places[slug], since))  # maintenance is seen by nobody
        for name, state in self.devices.items():
            if reason == "stall":
                # A clock set forward looks the same: when boots began by the old one means nothing any more.
                after = replace(interrupted(state, watched_since, since, self.policy), began_at=None)
            else:
                after = blinded(state)
            self.devices[name] = after
            self._schedule(name, after)

    def tally_of(self, site: str) -> DeviceTally:
        """How many devices a site has and how many of them live."""
        place = self.places.get(site)
        states = [self.devices[name] for name in place.devices] if place is not None else []
        return DeviceTally(total=len(states), alive=sum(state.liveness in ALIVE for state in states))

    def deadline_of(self, device: str) -> datetime | None:
        """When silence, or a word that waits, next changes a device if nothing arrives."""
        state = self.devices.get(device)
        return next_deadline(state, self.policy, self.watch) if state is not None else None

    def _moved(self, name: str, before: DeviceState, after: DeviceState, now: datetime, effects: list[Effect]) -> bool:
        """Take over a device's new state; says whether its sites have to be looked at."""
        self.devices[name] = after
        seen_again = (
            after.last_proof_at is not before.last_proof_at
            and self.watch.since is not None
            and (before.last_proof_at is None or before.last_proof_at < self.watch.since)
        )
        # Heard after a blind span it has no longer the time that boards are given to come back.
        if seen_again or not (name in self._agenda and _only_later(before, after)):
            self._schedule(name, after)
        changed = after.liveness is not before.liveness or after.dark is not before.dark
        if changed or after.will_at is not before.will_at:
            self._count(name, before, after, now)
        if changed:
            effects.append(DeviceChanged(name, after))
        # If nothing is to be told of it, the device may still speak for its site again after a blind span.
        return changed or seen_again

    def _count(self, name: str, before: DeviceState, after: DeviceState, now: datetime) -> None:
        """Keep count of who is online, and tell the guard who vanishes."""
        was, is_ = before.liveness in ALIVE, after.liveness in ALIVE
        self._online += is_ - was
        if after.liveness is Liveness.LATE and after.will_at is None:
            self._overdue.add(name)
        else:
            self._overdue.discard(name)
        if was and after.liveness is Liveness.LOST:
            self._doubted.discard(name)
            if after.lost_by is not EvidenceKind.MAINS:
                self._vanished(name, now)
        elif is_ and after.will_at is not None:
            self._doubted.add(name)
            self._vanished(name, now)
        elif name in self._doubted or name in self.guard:
            self._doubted.discard(name)
            self.guard.back(name)

    def _vanished(self, name: str, now: datetime) -> None:
        silent = len(self._doubted) + len(self._overdue)
        self.guard.vanished(name, now, self._online - silent, len(self._overdue))

    def _judge(
        self, slug: str, now: datetime, *, changed: bool = False, silent: bool = False, registry: bool = False
    ) -> list[Effect]:
        before, place = self.sites[slug], self.places[slug]
        devices = {name: self.devices[name] for name in place.devices}
        self._site_agenda.plan(slug, None)
        judgement = Judgement(slug, before, place, devices, now, self.policy, self.watch, self.guard, self._new_id)
        if devices:
            judgement.run(silent=silent or before.recast)
        else:
            judgement.run_from_below(*self._from_below(slug, now))
        site, effects, due = judgement.site, judgement.effects, judgement.deadline()
        if site.recast and self.watch.since is not None:
            site = replace(site, recast=False)
        self._site_agenda.plan(slug, due)
        site = self._shown(slug, site, now)
        self.sites[slug] = site
        if changed or effects or site != before:
            effects.append(SiteChanged(slug, site))
        # What stands under it counts too: maintenance or backup shows in its place, but not to the sites above.
        seen, known = (site.power, site.state, site.children), (before.power, before.state, before.children)
        if place.parent in self.places and seen != known and not registry:
            effects += self._judge(place.parent, now)
        return effects

    def _shown(self, slug: str, site: SiteState, now: datetime) -> SiteState:
        place = self.places[slug]
        children = self._hierarchy.tally(slug, self.sites)
        if children != site.children:
            site = replace(site, children=children)
        devices = {name: self.devices[name] for name in place.devices}
        word = shown_state(site, place, devices, self.watch, now)
        return site if word is site.state else replace(site, state=word)

    def _from_below(self, slug: str, now: datetime) -> tuple[PowerState, datetime]:
        """What a site without boards has, and since when if that is new: power as long as a site below it has."""
        below = [self.sites[child] for child in self._hierarchy.below(slug)]
        powers = {child.power for child in below}
        power = next((word for word in (PowerState.ON, PowerState.OFF) if word in powers), PowerState.UNKNOWN)
        times = [child.since for child in below if child.power is power and child.since is not None]
        return power, max(times, default=now) if power is PowerState.OFF else now

    def _disregard_darks(self, slug: str, devices: Collection[str]) -> None:
        """What a device went through before it stood for this site is not the site's."""
        darks = {name: self.devices[name].dark for name in devices}
        numbers = {name: dark.number for name, dark in darks.items() if dark is not None}
        if numbers:
            self.sites[slug] = replace(self.sites[slug], accounted=self.sites[slug].accounted | numbers)

    def _forget_devices(self, slug: str, gone: Collection[str]) -> None:
        """A device that leaves a site takes along what it went through; should it return, it begins anew."""
        site = self.sites[slug]
        if not gone:
            return
        self.sites[slug] = replace(
            site,
            accounted={name: number for name, number in site.accounted.items() if name not in gone},
            dips=tuple(dip for dip in site.dips if dip.device not in gone),
            outage=_without(site.outage, gone) if site.outage is not None else None,
            past=tuple(_without(outage, gone) for outage in site.past),
        )

    def _schedule(self, name: str, state: DeviceState) -> None:
        """Enter the device's next deadline unless an earlier look at it is planned already."""
        if (due := next_deadline(state, self.policy, self.watch)) is not None:
            self._agenda.bring_forward(name, due)


def _without(outage: Outage, gone: Collection[str]) -> Outage:
    return replace(outage, members={name: dark for name, dark in outage.members.items() if name not in gone})


def _only_later(before: DeviceState, after: DeviceState) -> bool:
    """Whether a device's next deadline cannot have come nearer, as with every ordinary heartbeat: the one planned
    will look again."""
    return (
        after.liveness is before.liveness
        and after.will_at is None
        and after.birth_at is None
        and after.dark is before.dark
        and (after.dark is None or after.dark.journal_until is None)
        and after.interval_s >= before.interval_s
    )
