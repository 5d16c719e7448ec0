"""Plays recorded messages to the detector's core, on a made-up clock."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from uuid import UUID

from msgspec import structs

from services.detector.core.device import Liveness
from services.detector.core.effects import Effect, EventLogged, OutageChanged
from services.detector.core.fleet import Fleet
from services.detector.core.observation import Observation, ObservationKind, observe
from services.detector.core.outage import Outage
from services.detector.core.place import Place
from services.detector.core.policy import Policy
from services.detector.replay_store import Gap, Row
from services.detector.service import ECHO_LIMIT_S, TICK
from svitlo.contracts import DeviceState, DeviceStatus, OfflineReason, PowerEvent, ResetCause

HOLE = timedelta(seconds=60)
"""Without a reading of any board for this long, and for two intervals, the record itself may be missing."""
GRAIN = timedelta(milliseconds=50)
"""The core is woken after all that came within this time, as a live one that reads what its socket holds."""
PATIENCE = 3
"""So often the core is woken for one moment before time goes on: it may ask for a moment that is past already."""

_START = datetime.min.replace(tzinfo=UTC)


def _kind_of(state: DeviceState, reason: OfflineReason | None) -> ObservationKind:
    status = DeviceStatus(v=1, state=state, boot="", conn=0, keepalive_s=1, interval_s=1, reason=reason)
    observation = observe("", status, _START, retained=False)
    assert observation is not None
    return observation.kind


_KINDS: dict[tuple[str, str | None], ObservationKind] = {("heartbeat", None): ObservationKind.BEAT} | {
    (state.value, reason.value if reason else None): _kind_of(state, reason)
    for state in DeviceState
    for reason in (None, *OfflineReason)
}
_RESETS = {None: ResetCause.UNKNOWN} | {reset.value: reset for reset in ResetCause}


class Player:
    """A fleet that hears recorded messages; its clock is theirs.

    An echo is taken to be back whenever the core is woken, save while we were blind and in the last moments before
    our link broke: a broker told to stop publishes every will and may hold our socket open without an echo.
    """

    def __init__(self, places: Mapping[str, Place], policy: Policy) -> None:
        numbers = count(1)
        self.fleet = Fleet(policy, lambda _: UUID(int=next(numbers)))
        self.outages: dict[UUID, tuple[str, Outage]] = {}
        self.events: list[PowerEvent] = []
        self.heard = 0
        self.passed_over: Counter[str] = Counter()
        self.holes: list[tuple[datetime, datetime]] = []
        self._places = places
        self._now = self._heard_at = self._wake = _START
        self._woken = 0
        self._echo = True
        self._blind = self._stalled = False
        self._retained: dict[tuple[str, bool], Observation] = {}
        self._held: list[Observation] = []
        self._scenes: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._order = count()

    def begin(self, last_words: Sequence[Row], now: datetime) -> None:
        """Begin at `now` with what was known then: the last that was heard of each device."""
        first = min((row[0] for row in last_words), default=now)
        self._take(self.fleet.set_registry(self._places, first))
        self._take(self.fleet.link_up(first))
        self._take(self.fleet.link_proven(first, first))
        for observation in map(_observation, last_words):
            self._take(self.fleet.observe(observation))
        self.fleet.link_down(now)
        self._now = self._heard_at = now
        self._see(now)
        self._look(now)

    def foresee(self, gaps: Iterable[Gap], journals: Iterable[Observation]) -> None:
        """Plan what comes besides readings."""
        seeing = self._now
        for gap in gaps:
            if gap.reason == "link":
                self._plan(max(gap.started_at - timedelta(seconds=ECHO_LIMIT_S), seeing), self._doubt)
            self._plan(gap.started_at, partial(self._go_blind, gap.reason))
            self._plan(gap.ended_at, self._see)
            seeing = gap.ended_at
        for journal in journals:
            self._plan(journal.at, partial(self._read_journal, journal))
        self._look(self._now)

    def play(self, rows: Sequence[Row]) -> None:
        """Hear readings, none earlier than the last one."""
        known, hear = self.fleet.devices, self.fleet.observe
        self.heard += len(rows)
        heard_at = self._now
        for row in rows:
            at, device = row[0], row[1]
            if device not in known:
                self.passed_over[device] += 1
                self.heard -= 1
                continue
            if at >= self._wake:
                self._now = heard_at
                self._mind_holes(at)
                self._pass_time(at)
                self._heard_at = at
            heard_at = at
            observation = _observation(row)
            if self._blind:
                self._retained[device, observation.kind is ObservationKind.BEAT] = observation
                continue
            effects = hear(observation)
            if effects or observation.kind is not ObservationKind.BEAT:
                # Nothing else can bring a deadline nearer than a second from now, when it is looked for anyway.
                self._take(effects)
                self._wake = at
        self._now = heard_at

    def finish(self, until: datetime) -> None:
        """The record ends."""
        self._mind_holes(until)
        self._pass_time(until)

    def _pass_time(self, until: datetime) -> None:
        """Let time pass up to `until`, waking the core when it asked to be woken."""
        patience = PATIENCE
        while True:
            due = self.fleet.next_deadline()
            if due is not None and due <= self._now:
                due = self._now if patience else self._now + TICK
            if self._scenes and self._scenes[0][0] <= min(due or until, until):
                at, _, happen = heapq.heappop(self._scenes)
                self._now = max(self._now, at)
                happen(self._now)
            elif due is not None and due <= until:
                patience = patience - 1 if due == self._now else PATIENCE
                self._now = due
                self._tick(due)
            else:
                break
        self._now = max(self._now, until)
        self._look(due)

    def _plan(self, at: datetime, happen: Callable[[datetime], None]) -> None:
        heapq.heappush(self._scenes, (at, next(self._order), happen))

    def _look(self, due: datetime | None) -> None:
        """Note when the next reading has to wait for something else, with `due` as the core's next deadline."""
        moments = [self._now + TICK]
        if due is not None:
            moments.append(due + GRAIN)
        if self._scenes:
            moments.append(self._scenes[0][0])
        self._wake = min(moments)

    def _tick(self, now: datetime) -> None:
        self._take(self.fleet.tick(now))
        if self.fleet.wants_proof and self._echo:
            self._take(self.fleet.link_proven(now, now))

    def _take(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, OutageChanged):
                self.outages[effect.outage.id] = (effect.site, effect.outage)
            elif isinstance(effect, EventLogged):
                self.events.append(effect.event)

    def _doubt(self, _now: datetime) -> None:
        self._echo = False

    def _go_blind(self, reason: str, now: datetime) -> None:
        # A detector that was started anew kept what silence it had seen, as one does that only stood still.
        self._blind, self._stalled = True, reason == "stall"
        self.fleet.link_down(now, "stall" if reason in ("stall", "start") else reason)

    def _see(self, now: datetime) -> None:
        self._echo, self._blind = True, False
        self._take(self.fleet.link_up(now))
        for observation in self._retained.values():
            self._take(self.fleet.observe(structs.replace(observation, at=now, retained=True)))
        for journal in self._held:
            self._take(self.fleet.observe(journal))
        self._retained, self._held = {}, []
        self._take(self.fleet.link_proven(now, now))

    def _read_journal(self, journal: Observation, _now: datetime) -> None:
        if not self._blind:
            self._take(self.fleet.observe(journal))
        elif self._stalled:  # it waits in our socket; on a broken link it is lost
            self._held.append(journal)

    def _mind_holes(self, at: datetime) -> None:
        """Where many boards fall silent all at once it may have been the recorder that was away."""
        since = self._heard_at
        if at - since < HOLE or self._blind or (self._scenes and self._scenes[0][0] <= at):
            return
        alive = [state for state in self.fleet.devices.values() if state.liveness in (Liveness.ONLINE, Liveness.LATE)]
        if len(alive) < self.fleet.policy.area_devices:
            return
        if at - since > 2 * timedelta(seconds=max(state.interval_s for state in alive)):
            self.holes.append((since, at))


def _observation(row: Row) -> Observation:
    at, device, kind, reason, boot, boots, conn, seq, uptime_s, interval_s, reset, mains = row
    return Observation(
        device,
        _KINDS[kind, reason],
        at,
        boot,
        conn,
        interval_s,
        False,
        seq,
        uptime_s,
        mains,
        boots,
        _RESETS.get(reset, ResetCause.UNKNOWN),
    )
