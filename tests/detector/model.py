"""The slow, obvious model the core is held against: what is true of each site, and what may never be said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from services.detector.core.device import DeviceState
from services.detector.core.effects import Effect, EventLogged, OutageChanged
from services.detector.core.observation import ObservationKind
from services.detector.core.outage import Outage
from services.detector.core.place import Place, Rule
from services.detector.core.policy import Policy
from services.detector.core.site import SiteState
from svitlo.contracts import EventKind, PowerEvent, PowerState
from tests.support.detection_model import Board, World

TAIL_MS = 90_000
"""So long after an incident its last board is back: a pause between attempts, its own boot, the way."""
NEAR_MS = 60_000
"""Incidents so near to a cut may be confused with it."""
TOLERANCE_MS = 300
SLOW_TOLERANCE_MS = 2500
"""Where messages were slow: a board tells its time in whole seconds."""


@dataclass
class Incident:
    """Something other than the mains that befell some boards."""

    kind: str
    boards: frozenset[str]
    start: int
    end: int | None = None

    def near(self, start: float, end: float, tail: int = TAIL_MS) -> bool:
        """Whether it, or what follows from it, falls into a span."""
        return self.start <= end and (self.end is None or self.end + tail >= start)


def has_power(place: Place, powered: Iterable[str], voters: Iterable[str]) -> bool | None:
    """The rule of design.md section 4, recomputed from scratch; None: nobody votes."""
    votes = {name: place.devices[name] for name in voters}
    alive = sum(votes[name] for name in powered)
    total = sum(votes.values())
    if not votes or (place.rule is Rule.K and total < place.k):
        return None
    if place.rule is Rule.ANY:
        return alive > 0
    if place.rule is Rule.ALL:
        return alive == total
    if place.rule is Rule.MAJORITY:
        return alive * 2 > total
    return alive >= place.k


@dataclass
class Model:
    """Truth, the log as it was told, and what is wrong with it."""

    policy: Policy
    world: World = field(init=False)
    incidents: list[Incident] = field(default_factory=list)
    log: list[PowerEvent] = field(default_factory=list)
    rows: dict[UUID, tuple[str, Outage]] = field(default_factory=dict)
    spoken: set[str] = field(default_factory=set)
    murky: set[str] = field(default_factory=set)
    """Sites of which nothing is known yet, or no more: their boards' silence is no news."""
    slow_until: int = -1
    clock_set_at: int | None = None
    changed_at: dict[str, int] = field(default_factory=dict)
    calm_change_at: dict[str, int] = field(default_factory=dict)
    """When a site's registry entry last changed while it had power and nothing was being confirmed."""
    sure_on: dict[str, int] = field(default_factory=dict)
    _began: dict[UUID, int] = field(default_factory=dict)
    _revs: dict[UUID, int] = field(default_factory=dict)
    _lost: set[UUID] = field(default_factory=set)
    _momentary: set[UUID] = field(default_factory=set)
    _restored: set[UUID] = field(default_factory=set)
    _open: dict[str, UUID] = field(default_factory=dict)

    # What is told

    def take(self, effects: Sequence[Effect]) -> None:
        """Hold a batch of effects against the rules of the log and against the truth."""
        for effect in effects:
            if isinstance(effect, OutageChanged):
                self._row(effect.site, effect.outage)
            elif isinstance(effect, EventLogged):
                self._event(effect.event)

    def forget(self, slug: str) -> None:
        """A site was removed."""
        self._open.pop(slug, None)
        self.murky.discard(slug)

    def _event(self, event: PowerEvent) -> None:
        assert event.rev > self._revs.get(event.id, 0), f"revision {event.rev} of {event.id} is not newer"
        self._revs[event.id] = event.rev
        assert event.occurred_lo <= event.occurred_hi, event
        assert event.occurred_lo <= self.world.shell.utc(), f"begins in the future: {event}"
        if event.kind is EventKind.POWER_LOST:
            assert event.outage_id not in self._lost, f"lost twice: {event}"
            self._lost.add(event.outage_id)
        elif event.kind is EventKind.POWER_RESTORED:
            assert event.outage_id in self._lost, f"restored what was never lost: {event}"
            assert event.outage_id not in self._restored, f"restored twice: {event}"
            self._restored.add(event.outage_id)
        elif event.kind is EventKind.MOMENTARY:
            self._momentary.add(event.outage_id)
        elif event.kind is EventKind.OUTAGE_REVISED:
            assert event.outage_id in self._lost | self._momentary, f"revises what was never told: {event}"
        self.log.append(event)

    def _row(self, slug: str, row: Outage) -> None:
        before = self.rows.get(row.id)
        self.rows[row.id] = slug, row
        assert row.started_lo <= row.started_hi, row
        if row.ended_hi is not None:
            assert row.ended_lo is not None, row
            assert row.started_lo <= row.ended_lo <= row.ended_hi, row
            assert row.started_hi <= row.ended_hi, row
            assert row.ended_hi <= self.world.shell.utc(), f"ends in the future: {row}"
        if row.ended_hi is None and row.retracted_at is None:
            assert self._open.setdefault(slug, row.id) == row.id, f"two outages are open at {slug}"
        elif self._open.get(slug) == row.id:
            del self._open[slug]
        if before is None:
            self._began[row.id] = self.world.time.now
            self._out_of_nothing(slug, row)
            self._not_before(slug, row)
        else:
            assert row.rev >= before[1].rev, row
        if slug in self.world.places and self.world.places[slug].rule is Rule.ANY:
            self._against_truth(slug, row)

    # What is true

    def cuts(self, slug: str) -> list[tuple[int, int | None]]:
        """When a site was without power, by its rule and the mains of each of its boards."""
        place = self.world.places[slug]
        boards = [self.world.boards[name] for name in place.devices if name in self.spoken]
        edges = sorted({edge for board in boards for span in board.unpowered for edge in span if edge is not None})
        found: list[tuple[int, int | None]] = []
        for at in edges:
            powered = [board.name for board in boards if not _dark_at(board, at)]
            off = has_power(place, powered, [board.name for board in boards]) is False
            if off and (not found or found[-1][1] is not None):
                found.append((at, None))
            elif not off and found and found[-1][1] is None:
                found[-1] = found[-1][0], at
        return found

    def _befell(self, slug: str, start: float, end: float) -> list[Incident]:
        devices = self.world.places[slug].devices.keys()
        return [each for each in self.incidents if each.boards & devices and each.near(start, end)]

    def _dark(self, slug: str, start: float, end: float) -> bool:
        return any(
            span[0] is not None and span[0] <= end and (span[1] is None or span[1] + TAIL_MS >= start)
            for name in self.world.places[slug].devices
            for span in self.world.boards[name].unpowered
        )

    def _window(self, row: Outage) -> tuple[float, float] | None:
        """The row's span in true time; None where our clock was set meanwhile."""
        true_ms, now = self.world.shell.true_ms, self.world.time.now
        start = true_ms(row.started_lo)
        if self.clock_set_at is not None and start - 2 * NEAR_MS <= self.clock_set_at:
            return None
        return start, min(now, true_ms(row.ended_hi)) if row.ended_hi is not None else now

    def _out_of_nothing(self, slug: str, row: Outage) -> None:
        """No outage where all boards had power, were connected and spoke, whatever we did."""
        start, end = self._window(row) or (0.0, float(self.world.time.now))
        if not self._befell(slug, start, end) and not self._dark(slug, start, end):
            raise AssertionError(f"an outage of {slug} out of nothing: {self.told(row)}")

    def _not_before(self, slug: str, row: Outage) -> None:
        """No outage begins for sure before a moment at which the site's boards spoke as its rule wants them."""
        window = self._window(row)
        sure = self.sure_on.get(slug, -1)
        if window is not None and self.clock_set_at is not None and self.clock_set_at >= sure:
            return
        if window is None or row.momentary or row.reconstructed or row.over:
            return
        losses = [
            self.world.shell.true_ms(member.start_hi) for name, member in row.members.items() if name in self.spoken
        ]
        assert max(losses, default=0) >= self.calm_change_at.get(slug, -1) - SLOW_TOLERANCE_MS, (
            f"nothing was lost at {slug} since its registry changed: {self.told(row)}"
        )
        if self.changed_at.get(slug, -1) < sure:
            assert self.world.shell.true_ms(row.started_hi) >= sure - SLOW_TOLERANCE_MS, self.told(row)

    def settled(self) -> None:
        """What holds in the end, when all is well again: what was told is complete, and what was wrong taken back."""
        for identity, (slug, row) in self.rows.items():
            if slug not in self.world.places or self.changed_at.get(slug, -1) >= self._began[identity] - NEAR_MS:
                continue
            assert row.over or row.retracted_at is not None, f"{slug} has an outage open in the end: {self.told(row)}"
            if identity in self._lost and row.retracted_at is None:
                assert identity in self._restored, f"the end was never told: {slug} {self.told(row)}"
            self._deserved(slug, row)
            self._against_truth(slug, row)

    def _deserved(self, slug: str, row: Outage) -> None:
        """Where every board can tell what took it away, and it was not the power, nothing stands as an outage."""
        window = self._window(row)
        if window is None or row.retracted_at is not None:
            return
        boards = [self.world.boards[name] for name in self.world.places[slug].devices]
        start, end = window[0] - NEAR_MS, window[1] + NEAR_MS
        plain = all(board.make.telling and board.make.uptime and not board.make.battery_s for board in boards)
        kinds = {each.kind.split()[0] for each in self._befell(slug, start, end)}
        if plain and kinds in ({"network"}, {"reset"}, {"crash"}) and not self._dark(slug, start, end):
            raise AssertionError(f"{kinds} is told as an outage of {slug}: {self.told(row)}")

    def _against_truth(self, slug: str, row: Outage) -> None:
        """Where one cut and nothing else happened, the bounds hold the truth."""
        window = self._window(row)
        if window is None or slug not in self.world.places:
            return
        start, end = window[0] - NEAR_MS, window[1] + NEAR_MS
        if row.momentary or row.reconstructed:  # everything that happened to its boards while we were blind
            end = max(end, self.world.shell.true_ms(row.detected_at) + TAIL_MS)
        if self._befell(slug, start, end) or self.changed_at.get(slug, -1) >= start:
            return
        place = self.world.places[slug]
        if any(
            sum(
                1
                for lo, hi in self.world.boards[name].unpowered
                if lo is not None and lo <= end and (hi is None or hi + TAIL_MS >= start)
            )
            > 1
            for name in place.devices
        ):
            return
        if (row.momentary or row.reconstructed) and not all(
            self.world.boards[name].make.telling for name in place.devices
        ):
            return  # a board that cannot tell what took it away leaves it open who else was dark
        near = [cut for cut in self.cuts(slug) if cut[0] <= end and (cut[1] is None or cut[1] >= start)]
        if len(near) != 1:
            return
        ((began, ended),) = near
        assert row.retracted_at is None, f"a true cut of {slug} is retracted: {self.told(row)}"
        slack = SLOW_TOLERANCE_MS if self.slow_until + NEAR_MS >= start else TOLERANCE_MS
        self._within(began, row.started_lo, row.started_hi, slack, f"{slug} started", row)
        if row.ended_hi is not None and row.ended_lo is not None:
            assert ended is not None, f"{slug} is still without power: {self.told(row)}"
            self._within(ended, row.ended_lo, row.ended_hi, slack, f"{slug} ended", row)

    def _within(self, truth: int, lo: datetime, hi: datetime, slack: int, what: str, row: Outage) -> None:
        true_ms = self.world.shell.true_ms
        if not true_ms(lo) - slack <= truth <= true_ms(hi) + slack:
            raise AssertionError(
                f"{what} at {truth / 1000}, said [{true_ms(lo) / 1000}, {true_ms(hi) / 1000}]: {self.told(row)}"
            )

    def told(self, row: Outage) -> str:
        """A row in seconds of true time, for people."""
        true_ms = self.world.shell.true_ms
        times = [
            None if at is None else true_ms(at) / 1000
            for at in (row.started_lo, row.started_hi, row.ended_lo, row.ended_hi, row.detected_at)
        ]
        return f"{times} {row.cause.value}{' momentary' if row.momentary else ''} now {self.world.time.now / 1000}"

    # What holds after every step

    def check(self) -> None:
        """What holds whenever nothing is going on."""
        fleet = self.world.shell.fleet
        if fleet is None:
            return
        for name, device in fleet.devices.items():
            again = msgspec.json.decode(msgspec.json.encode(device), type=DeviceState)
            assert again == device, f"{name} is not itself after a restart"
        for slug, site in fleet.sites.items():
            assert msgspec.json.decode(msgspec.json.encode(site), type=SiteState) == site, slug
            if site.outage is not None:
                assert self._open.get(slug) == site.outage.id, f"{slug} holds an outage that is not open"
            place = self.world.places[slug]
            if place.devices:
                self._verdict(slug, place, site)

    def _verdict(self, slug: str, place: Place, site: SiteState) -> None:
        """A site's power is what its rule makes of its boards, where each of them has been heard or is long silent."""
        if self.world.shell.seeing_since is None or site.pending is not None:
            return
        votes = {name: self.vote(name) for name in place.devices}
        if "open" in votes.values():
            return
        voters = [name for name, word in votes.items() if word in ("alive", "dead")]
        verdict = has_power(place, [name for name in voters if votes[name] == "alive"], voters)
        if verdict:
            self.murky.discard(slug)
            self.sure_on[slug] = self.world.time.now
        if verdict is False and slug not in self.murky:
            assert site.outage is not None, f"{slug} is without power, and no outage is open"
        wanted = {True: {PowerState.ON}, False: {PowerState.OFF}, None: {PowerState.UNKNOWN}}[verdict]
        if verdict is False and slug in self.murky:
            wanted.add(PowerState.UNKNOWN)
        assert site.power in wanted, f"{slug} is {site.power.value}, but its boards are {votes}"

    def vote(self, name: str) -> str:
        """What a board is by the truth: `alive`, `dead`, `abstains`, or `open` while it may be either."""
        world, shell, board = self.world, self.world.shell, self.world.boards[name]
        now, policy = world.time.now, self.policy
        if name not in self.spoken:
            return "abstains" if name not in shell.last_live else "open"
        if shell.seeing_since is None:
            return "open"
        at, last = shell.last_live.get(name, (None, None))
        if at is None or last is None:
            return "open"
        settle = policy.settle(board.make.interval_s).total_seconds() * 1000 + 10_000
        if last.kind is ObservationKind.GOODBYE:
            if self.clock_set_at is not None and self.clock_set_at >= at:
                return "open"
            if name in shell.odd_goodbyes:
                return "open"
            limit = policy.pause_limit.total_seconds() * 1000
            if now - at < limit - 1000:
                return "abstains" if board.session is None else "open"
            if now - max(at + limit, shell.seeing_since) < settle or board.session is not None:
                return "open"
            return "dead"
        steady = now - at <= board.make.interval_s * 1000 + 100 and last.kind is ObservationKind.BEAT
        if steady and board.session is not None and board.mains_for > 1000 and last.boot == board.boot:
            if now - board.session.since < 3000 or at < shell.seeing_since:
                return "open"
            if last.mains is None or last.mains is board.mains:
                return "dead" if last.mains is False else "alive"
            return "open"
        if board.session is None and now - max(at, shell.seeing_since) > settle:
            retained = world.broker.retained.get((name, False))
            if retained is not None and retained.kind is ObservationKind.GOODBYE:
                return "open"
            return "dead"
        return "open"


def _dark_at(board: Board, at: int) -> bool:
    return any(lo is not None and lo <= at and (hi is None or at < hi) for lo, hi in board.unpowered)
