"""A small physical world round the detector's core: mains, routers, boards, a broker and the detector's shell.

Everything is a plain event in time (milliseconds of true time), as it would really happen; nothing is optimised. A
board talks only while it has power, a network and is not hung. The broker keeps sessions and their wills, as Mosquitto
does. The shell drives the core as `services.detector.service` does.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

import msgspec
from msgspec.structs import replace

from services.detector.core.device import DeviceState
from services.detector.core.effects import DeviceChanged, Effect, SiteChanged
from services.detector.core.fleet import Fleet
from services.detector.core.observation import Note, Observation, ObservationKind
from services.detector.core.place import Place
from services.detector.core.policy import Policy
from services.detector.core.site import SiteState
from svitlo.contracts import JournalKind, ResetCause
from tests.support.world import START

BACKOFF_S = (1, 2, 4, 8, 16, 30)
STABLE_MS = 30_000
WATCHDOG_MS = 60_000
ECHO_EVERY_MS = 1000
ECHO_LIMIT_MS = 3500
STALL_LIMIT_MS = 3000
SNAPSHOT_MS = 5000
TRIP_MS = 10


WORDS = frozenset({ObservationKind.BEAT, ObservationKind.BIRTH, ObservationKind.GOODBYE, ObservationKind.MAINS_LOST})
"""What only the board itself says."""


class Timeline:
    """True time and what is planned in it."""

    def __init__(self) -> None:
        self.now = 0
        self._order = count()
        self._planned: list[tuple[int, int, Callable[[], None]]] = []

    def plan(self, delay: int, what: Callable[[], None]) -> None:
        """Let something happen so many milliseconds from now."""
        heapq.heappush(self._planned, (self.now + delay, next(self._order), what))

    @property
    def next_at(self) -> int | None:
        return self._planned[0][0] if self._planned else None

    def step(self) -> None:
        """Let the next planned thing happen."""
        at, _, what = heapq.heappop(self._planned)
        self.now = max(self.now, at)
        what()


@dataclass
class House:
    """One mains connection and one router, which boots after a cut unless it has a battery."""

    name: str
    router_boot_ms: int
    mains: bool = True
    router: bool = True
    router_ready_at: int = 0
    slow_until: int = 0


@dataclass(eq=False)
class Session:
    """A board's connection as the broker has it; `open` is the board's side."""

    board: Board
    boot: str
    conn: int
    since: int
    heard: int
    open: bool = True
    waiting: list[Observation] = field(default_factory=list)


@dataclass(frozen=True)
class Make:
    """What kind of board it is. One with a battery has a mains sensor and a journal."""

    interval_s: int = 10
    battery_s: int = 0
    telling: bool = True
    uptime: bool = True


class Board:
    """One board, from power to power."""

    def __init__(self, world: World, name: str, house: House, make: Make) -> None:
        self.name, self.house, self.make = name, house, make
        self.plugged = True
        self.running = False
        self.hung = False
        self.session: Session | None = None
        self.last_session: Session | None = None
        self.boot = ""
        self.previous_boot = ""
        self.began = 0
        self.unpowered: list[list[int | None]] = []
        self._world = world
        self._boots = world.dice.randint(1, 50)
        self._conn = 0
        self._seq = 0
        self._reset = ResetCause.POWER_ON
        self._life = 0
        self._failures = 0
        self._had_mains = False
        self._since_mains = 0
        self._mains_changes = 0
        self._notes: list[tuple[int, JournalKind]] = []
        self._arrived = 0

    @property
    def mains(self) -> bool:
        return self.house.mains and self.plugged

    @property
    def mains_for(self) -> int:
        """Since when its mains is as it is, in milliseconds."""
        return self._world.time.now - self._since_mains

    def mains_changed(self) -> None:
        """The mains may have come or gone."""
        if self.mains is self._had_mains:
            return
        self._had_mains, self._since_mains = self.mains, self._world.time.now
        self._mains_changes += 1
        if self.mains:
            if self.unpowered:
                self.unpowered[-1][1] = self._world.time.now
            if self.running:
                self._notes.append((self._world.time.now, JournalKind.MAINS_BACK))
                self._say(ObservationKind.BIRTH)
                self._beat()
            else:
                self._later(self._world.dice.randint(300, 4000), lambda: self._start(ResetCause.POWER_ON))
            return
        self.unpowered.append([self._world.time.now, None])
        if self.running and self.make.battery_s:
            self._notes.append((self._world.time.now, JournalKind.MAINS_LOST))
            self._say(ObservationKind.MAINS_LOST)
            self._beat()
            change = self._mains_changes
            self._later(self.make.battery_s * 1000, lambda: self._stop() if self._mains_changes == change else None)
        else:
            self._stop()

    def hang(self) -> None:
        """Its program stands still until the watchdog bites."""
        self.hung = True
        self._later(WATCHDOG_MS, lambda: self.restart(ResetCause.WATCHDOG))

    def restart(self, reset: ResetCause) -> None:
        """Boot again without a loss of power."""
        self._stop()
        self._later(self._world.dice.randint(200, 1500), lambda: self._start(reset) if self._runs_on else None)

    def goodbye(self, back_after: int | None) -> None:
        """A planned stop: it says so, and starts again or stays away until it is plugged in again."""
        if self.session is not None:
            self._say(ObservationKind.GOODBYE)
        self._stop()
        if back_after is not None:
            self._later(back_after, lambda: self._start(ResetCause.SOFT) if self._runs_on else None)

    @property
    def _runs_on(self) -> bool:
        return self.mains

    def drop(self, session: Session) -> None:
        """It notices that its connection is gone, and tries again after a pause."""
        if self.session is not session or self.hung:
            return
        session.open, self.session = False, None
        session.waiting.clear()
        self._notes.append((self._world.time.now, JournalKind.NET_LOST))
        if self._world.time.now - session.since >= STABLE_MS:
            self._failures = 0
        self._again()

    def patience_ms(self) -> int:
        """How long it takes to notice a connection that is dead."""
        return int(self.make.interval_s * 1000 * self._world.dice.uniform(0.67, 1))

    def _start(self, reset: ResetCause) -> None:
        if self.running:
            return
        self.running, self.hung = True, False
        self._life += 1
        self._boots += 1
        self.previous_boot = self.boot
        self.boot = f"{self.name}{self._boots}"
        self._conn, self._seq, self._failures, self._reset = 0, 0, 0, reset
        self._notes = [(self._world.time.now, JournalKind.BOOT)]
        self.began = self._world.time.now
        self._later(self._world.dice.randint(500, 5000), self._attempt)

    def _stop(self) -> None:
        self.running, self.hung = False, False
        self._life += 1
        self.session = None

    def _later(self, delay: int, what: Callable[[], None]) -> None:
        life = self._life
        self._world.time.plan(delay, lambda: what() if self._life == life else None)

    def _again(self, least: int = 0) -> None:
        pause = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)] * self._world.dice.randint(500, 1000)
        self._failures += 1
        self._later(least + pause, self._attempt)

    def _attempt(self) -> None:
        if self.session is not None or self.hung:
            return
        broker = self._world.broker
        if not self._world.online(self.house) or not broker.serving:
            self._again()
        elif broker.frozen:
            self._again(5000)  # the kernel takes the connection, nobody answers
        else:
            self._connect()

    def _connect(self) -> None:
        now = self._world.time.now
        self._conn += 1
        session = Session(self, self.boot, self._conn, now, now)
        if self._conn > 1:
            self._notes.append((now, JournalKind.NET_BACK))
        self.session = self.last_session = session
        self._arrived = 0
        self._world.broker.connected(session)
        self._say(ObservationKind.BIRTH)
        first = self._world.dice.random() < 0.5 and bool(self.make.battery_s)
        if first:
            self._journal()
        self._beat_on(session)
        if not first and self.make.battery_s:
            self._journal()

    def _beat_on(self, session: Session) -> None:
        if self.session is not session:
            return
        if not self.hung:
            self._beat()
        self._later(self.make.interval_s * 1000, lambda: self._beat_on(session))

    def _beat(self) -> None:
        self._seq += 1
        self._send(
            Observation(
                self.name,
                ObservationKind.BEAT,
                START,
                self.boot,
                self._conn,
                self.make.interval_s,
                False,
                self._seq,
                (self._world.time.now - self.began) // 1000 if self.make.uptime else None,
                self.mains if self.make.battery_s else None,
                self._boots if self.make.telling else 0,
                self._reset if self.make.telling else ResetCause.UNKNOWN,
            )
        )

    def _say(self, kind: ObservationKind) -> None:
        self._send(Observation(self.name, kind, START, self.boot, self._conn, self.make.interval_s))

    def _journal(self) -> None:
        now = self._world.time.now
        # Whole seconds before sending, as the contract has them; turned into our time where it arrives.
        notes = tuple(Note(START - timedelta(seconds=(now - at) // 1000), kind) for at, kind in self._notes[-16:])
        self._notes = []
        self._send(Observation(self.name, ObservationKind.JOURNAL, START, self.boot, 0, 0, notes=notes))

    def _send(self, observation: Observation) -> None:
        session, world = self.session, self._world
        if session is None or self.hung:
            return
        if not world.online(self.house):
            session.waiting.append(observation)
            return
        arrives = max(world.time.now + world.dice.randint(2, 60), self.house.slow_until, self._arrived)
        self._arrived = arrives
        world.time.plan(arrives - world.time.now, lambda: world.broker.receive(session, observation))

    def retransmit(self) -> None:
        """The network is back: what waited in the connection goes out, if the board has not given it up."""
        if self.session is not None:
            waiting, self.session.waiting = self.session.waiting, []
            for observation in waiting:
                self._send(observation)


class Broker:
    """Sessions, wills and retained messages."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.serving = True
        self.frozen = False
        self.sessions: dict[str, Session] = {}
        self.retained: dict[tuple[str, bool], Observation] = {}
        self._saved: dict[tuple[str, bool], Observation] = {}
        self._unread: list[Callable[[], None]] = []

    def connected(self, session: Session) -> None:
        """A board connects; an older connection of the same client is taken over, with its will."""
        old = self.sessions.get(session.board.name)
        if old is not None:
            self._end(old)
        self.sessions[session.board.name] = session
        self._world.time.plan(1500 * session.board.make.interval_s, lambda: self._check(session))

    def receive(self, session: Session, observation: Observation) -> None:
        """A board's message arrives."""
        if self.frozen:
            self._unread.append(lambda: self.receive(session, observation))
            return
        if not self.serving or self.sessions.get(session.board.name) is not session:
            return
        session.heard = self._world.time.now
        if observation.kind is ObservationKind.GOODBYE:
            del self.sessions[session.board.name]
        self.publish(observation)

    def publish(self, observation: Observation) -> None:
        """Keep and pass on."""
        if observation.kind is not ObservationKind.JOURNAL:
            self.retained[observation.device, observation.kind is ObservationKind.BEAT] = observation
        self._world.shell.pipe(observation)

    def pass_on(self, what: Callable[[], None]) -> None:
        """Something that is not a board's: at once, or when it wakes."""
        if self.frozen:
            self._unread.append(what)
        elif self.serving:
            what()

    def reset(self, session: Session) -> None:
        """The connection is visibly broken."""
        if self.frozen:
            self._unread.append(lambda: self.reset(session))
        elif self.sessions.get(session.board.name) is session:
            self._end(session)

    def stop(self, *, told: bool, lag: int) -> None:
        """Told to stop it publishes every will and may keep our link for a while; killed it just ends."""
        self.serving, self.frozen = False, False
        self._unread.clear()
        for session in list(self.sessions.values()):
            if told:
                self._end(session)
            self._closed(session)
        self.sessions.clear()
        if not told:
            self.retained = dict(self._saved)
        self._world.time.plan(lag, self._world.shell.link_broke)

    def start(self) -> None:
        """It serves again."""
        self.serving = True
        self._world.shell.try_soon()

    def freeze(self) -> None:
        """It stands still with its sockets open; the boards give it up in time."""
        self.frozen = True
        for board in self._world.boards.values():
            if board.session is not None:
                self._given_up(board, board.session)

    def wake(self) -> None:
        """It goes on: reads what waits in its sockets, and finds who has left."""
        self.frozen = False
        unread, self._unread = self._unread, []
        for what in unread:
            what()
        for session in list(self.sessions.values()):
            if not session.open:
                self._end(session)
            else:
                self._check(session)
        self._world.shell.try_soon()

    def save(self) -> None:
        """Write what is retained to disk."""
        self._saved = dict(self.retained)

    def _given_up(self, board: Board, session: Session) -> None:
        self._world.time.plan(board.patience_ms(), lambda: board.drop(session) if self.frozen else None)

    def _closed(self, session: Session) -> None:
        board = session.board
        if board.session is session:
            delay = 20 if self._world.online(board.house) else board.patience_ms()
            self._world.time.plan(delay, lambda: board.drop(session))

    def _check(self, session: Session) -> None:
        """Give up a client that says nothing for one and a half keepalives."""
        if self.frozen or self.sessions.get(session.board.name) is not session:
            return
        left = session.heard + 1500 * session.board.make.interval_s - self._world.time.now
        if left > 0:
            self._world.time.plan(left + self._world.dice.randint(0, 5000), lambda: self._check(session))
        else:
            self._end(session)
            self._closed(session)

    def _end(self, session: Session) -> None:
        del self.sessions[session.board.name]
        board = session.board
        will = Observation(board.name, ObservationKind.WILL, START, session.boot, session.conn, board.make.interval_s)
        self.publish(will)


@dataclass
class Numbers:
    """Ids in order."""

    last: int = 0

    def __call__(self, _now: datetime) -> UUID:
        self.last += 1
        return UUID(int=self.last)


class Shell:
    """The detector's process: link, echo, clock, timer, and what it stores."""

    def __init__(self, world: World, policy: Policy, take: Callable[[Sequence[Effect]], None]) -> None:
        self.policy = policy
        self.fleet: Fleet | None = None
        self.twin: Fleet | None = None
        self.connected = False
        self.reachable = True
        self.offset = 0
        self.stalled_since: int | None = None
        self.last_live: dict[str, tuple[int, Observation]] = {}
        self.spoken: set[str] = set()
        self.odd_goodbyes: set[str] = set()
        self.seeing_since: int | None = None
        self.numbers = Numbers()
        self._world = world
        self._take = take
        self._sites: dict[str, bytes] = {}
        self._devices: dict[str, bytes] = {}
        self._tick: tuple[datetime, datetime | None, datetime | None] | None = None
        self._link = 0
        self._run = 0
        self._held: list[Callable[[], None]] = []
        self._echo_at = 0

    # Time

    def utc(self) -> datetime:
        """Our clock."""
        return START + timedelta(milliseconds=self._world.time.now + self.offset)

    def true_ms(self, moment: datetime) -> float:
        """A moment of our clock, as it stands now, in true time."""
        return (moment - START) / timedelta(milliseconds=1) - self.offset

    def due(self) -> int | None:
        """When the core wants to be woken."""
        if self.fleet is None or self.stalled_since is not None:
            return None
        due = self.fleet.next_deadline()
        return None if due is None else -int(-self.true_ms(due) // 1)

    def tick(self) -> None:
        """Wake the core."""
        now = self.utc()
        self.run(lambda fleet: fleet.tick(now))
        assert self.fleet is not None
        due = self.fleet.next_deadline()
        assert due is None or due > now, f"next_deadline() lies {now - due} in the past after a tick"
        if self.fleet.wants_proof:
            self._send_echo()

    # What reaches the core

    def run(self, what: Callable[[Fleet], Sequence[Effect] | None]) -> None:
        """Call the core, and its twin if there is one: both must do the same."""
        assert self.fleet is not None
        effects = list(what(self.fleet) or ())
        if self.twin is not None:
            same = list(what(self.twin) or ())
            assert same == effects, f"a restored core does {same} where the other does {effects}"
        for effect in effects:
            if isinstance(effect, DeviceChanged):
                self._devices[effect.device] = msgspec.json.encode(effect.state)
            elif isinstance(effect, SiteChanged):
                self._sites[effect.site] = msgspec.json.encode(effect.state)
        self._take(effects)

    def pipe(self, observation: Observation, *, true: bool = True) -> None:
        """What the broker passes on is on its way to us; not `true`: no board has said it just now."""
        self._deliver(lambda: self.hear(observation, retained=False, true=true))

    def hear(self, observation: Observation, *, retained: bool, true: bool = True) -> None:
        """A message reaches the core."""
        fleet = self.fleet
        if fleet is None:
            return
        now = self.utc()
        notes = tuple(Note(now - (START - note.at), note.kind) for note in observation.notes)
        news = true and not retained and fleet.watch.proven_at is not None
        if news and observation.device in fleet.devices and observation.kind in WORDS:
            self._note_goodbye(observation)
            self.last_live[observation.device] = (self._world.time.now, observation)
            self.spoken.add(observation.device)
        heard = replace(observation, at=now, retained=retained, notes=notes)
        self.run(lambda core: core.observe(heard))

    def _note_goodbye(self, goodbye: Observation) -> None:
        """Whether a board spoke as one with power until it said goodbye."""
        at, last = self.last_live.get(goodbye.device, (None, goodbye))
        late = at is None or self._world.time.now - at > 1000 * last.interval_s + 100
        if goodbye.kind is ObservationKind.GOODBYE and (late or last.mains is False):
            self.odd_goodbyes.add(goodbye.device)
        else:
            self.odd_goodbyes.discard(goodbye.device)

    def _deliver(self, what: Callable[[], None]) -> None:
        if not self.connected:
            return
        link = self._link

        def arrive() -> None:
            if not self.connected or self._link != link:
                return
            if self.stalled_since is not None:
                self._held.append(what)
            else:
                what()

        self._world.time.plan(TRIP_MS, arrive)

    # Link

    def try_soon(self) -> None:
        """Connect in a moment, if nothing is in the way."""
        self._world.time.plan(self._world.dice.choice((50, self._world.dice.randint(50, 4000))), self._connect)

    def link_broke(self) -> None:
        """Our connection is gone."""
        if not self.connected:
            return
        self.connected = False
        self._link += 1
        if self.stalled_since is None:
            self._link_down(self.utc())
            self.try_soon()

    def _link_down(self, since: datetime, reason: str = "link") -> None:
        self.seeing_since = None
        self.run(lambda fleet: fleet.link_down(since, reason))

    def _connect(self) -> None:
        broker = self._world.broker
        if self.connected or self.fleet is None or self.stalled_since is not None:
            return
        if not self.reachable or not broker.serving or broker.frozen:
            return
        self.connected = True
        self._link += 1
        self._echo_at = self._world.time.now
        self._see()
        kept = list(broker.retained.values())
        self._world.dice.shuffle(kept)
        for observation in kept:
            self.hear(observation, retained=True)

    def _see(self) -> None:
        now = self.utc()
        if self.connected and self.fleet is not None and self.fleet.watch.since is None:
            self.run(lambda fleet: fleet.link_up(now))
            self._send_echo()

    def _send_echo(self) -> None:
        if not self.connected:
            return
        sent, link = self.utc(), self._link
        broker = self._world.broker

        def arrive() -> None:
            if self._link == link:
                broker.pass_on(lambda: self._deliver(lambda: self._on_echo(sent)))

        self._world.time.plan(TRIP_MS, arrive)

    def _on_echo(self, sent: datetime) -> None:
        if self.fleet is None:
            return
        self._echo_at = self._world.time.now
        self._see()
        now = self.utc()
        self.run(lambda fleet: fleet.link_proven(sent, now))
        if self.seeing_since is None and self.fleet.watch.proven_at is not None:
            self.seeing_since = self._world.time.now

    def _echo(self, run: int) -> None:
        """Each second an echo goes out; without one for too long we are blind."""
        if self._run != run:
            return
        self._world.time.plan(ECHO_EVERY_MS, lambda: self._echo(run))
        if self.stalled_since is not None or self.fleet is None:
            return
        self._send_echo()
        silent = self._world.time.now - self._echo_at
        if self.fleet.watch.since is not None and silent > ECHO_LIMIT_MS:
            self._link_down(self.utc() - timedelta(milliseconds=silent))

    # Process

    def start(self) -> None:
        """A detector starts with what was stored."""
        if self.fleet is not None:
            return
        self._run += 1
        self.fleet = Fleet(self.policy, self.numbers)
        self.twin = None
        self._restore(self.fleet)
        run = self._run
        self._echo(run)
        self._snapshots(run)
        self.try_soon()

    def _restore(self, fleet: Fleet) -> None:
        devices = {name: msgspec.json.decode(state, type=DeviceState) for name, state in self._devices.items()}
        sites = {slug: msgspec.json.decode(state, type=SiteState) for slug, state in self._sites.items()}
        at, since, blind_since = self._tick or (None, None, None)
        now, places = self.utc(), self._world.places
        fleet.restore(devices, {slug: site for slug, site in sites.items() if slug in places}, at, since, blind_since)
        self.run(lambda core: core.rewind(now))
        self.run(lambda core: core.set_registry(places, now))

    def kill(self) -> None:
        """It ends without a word."""
        self.fleet = self.twin = None
        self._run += 1
        self.connected = False
        self._link += 1
        self.stalled_since = self.seeing_since = None
        self._held.clear()

    def snapshot(self) -> None:
        """Store how far each device has come, and that we run."""
        if self.fleet is None:
            return
        self._devices |= {name: msgspec.json.encode(state) for name, state in self.fleet.devices.items()}
        self._tick = (self.utc(), self.fleet.watch.since, self.fleet.blind_since)

    def _snapshots(self, run: int) -> None:
        if self._run == run:
            if self.stalled_since is None:
                self.snapshot()
            self._world.time.plan(SNAPSHOT_MS, lambda: self._snapshots(run))

    def stall(self) -> None:
        """Our loop stands still."""
        if self.fleet is not None and self.stalled_since is None:
            self.stalled_since = self._world.time.now

    def resume(self, *, timer_first: bool) -> None:
        """It goes on: with the timer, which notices, or with what waits in the socket."""
        since, self.stalled_since = self.stalled_since, None
        if since is None or self.fleet is None:
            return
        held, self._held = self._held, []
        if timer_first:
            self._stood_still(since)
        for what in held:
            what()
        if not self.connected:
            self._link_down(self.utc())
            self.try_soon()
        if not timer_first:
            self._stood_still(since)

    def _stood_still(self, since: int) -> None:
        assert self.fleet is not None
        if self._world.time.now - since > STALL_LIMIT_MS and self.fleet.watch.since is not None:
            self._blink(START + timedelta(milliseconds=since + self.offset), "stall")

    def _blink(self, since: datetime, reason: str) -> None:
        now = self.utc()
        self._link_down(since, reason)
        if reason == "clock":
            self.run(lambda fleet: fleet.rewind(now))
        if self.connected or reason == "stall":
            self.run(lambda fleet: fleet.link_up(now))
            self._send_echo()

    def step_clock(self, by: int) -> None:
        """Our clock is set; backwards it is noticed as such, forwards it looks as if we had stood still."""
        before = self.utc()
        self.offset += by
        if self.fleet is None or self.stalled_since is not None:
            return
        if by < -500:
            self._blink(self.utc(), "clock")
        elif by > STALL_LIMIT_MS and self.fleet.watch.since is not None:
            self._blink(before, "stall")

    # Registry

    def take_registry(self, places: Mapping[str, Place]) -> None:
        """The registry changed."""
        for name in self._devices.keys() - {device for place in places.values() for device in place.devices}:
            del self._devices[name]
        for slug in self._sites.keys() - places.keys():
            del self._sites[slug]
        if self.fleet is not None:
            now = self.utc()
            self.run(lambda fleet: fleet.set_registry(places, now))

    def make_twin(self) -> None:
        """From now on a core restored from JSON runs beside the first, after a stall of no length for both."""
        if self.fleet is None or self.stalled_since is not None or self.fleet.watch.since is None:
            return
        now = self.utc()
        twin = Fleet(self.policy, Numbers(self.numbers.last))
        self.twin = None
        self._link_down(now, "stall")
        self.run(lambda fleet: fleet.set_registry(self._world.places, now))
        devices, sites = self.fleet.devices, self.fleet.sites
        twin.restore(
            {
                name: msgspec.json.decode(msgspec.json.encode(state), type=DeviceState)
                for name, state in devices.items()
            },
            {slug: msgspec.json.decode(msgspec.json.encode(state), type=SiteState) for slug, state in sites.items()},
            now,
        )
        twin.set_registry(self._world.places, now)
        assert twin.devices == devices
        assert twin.sites == sites
        self.twin = twin
        self.run(lambda fleet: [e for e in fleet.link_up(now) if not isinstance(e, SiteChanged)])
        self._send_echo()


class World:
    """Everything together."""

    def __init__(self, seed: int, policy: Policy, take: Callable[[Sequence[Effect]], None]) -> None:
        self.dice = random.Random(seed)
        self.time = Timeline()
        self.houses: dict[str, House] = {}
        self.boards: dict[str, Board] = {}
        self.places: dict[str, Place] = {}
        self.broker = Broker(self)
        self.shell = Shell(self, policy, take)
        self._save_broker()

    def build(self, house: House, boards: Mapping[str, Make]) -> None:
        """Add a house and plug its boards in."""
        self.houses[house.name] = house
        for name, make in boards.items():
            board = self.boards[name] = Board(self, name, house, make)
            board.mains_changed()

    def online(self, house: House) -> bool:
        """Whether a house reaches the broker."""
        powered = house.mains or not house.router_boot_ms
        return powered and house.router and self.time.now >= house.router_ready_at

    def of(self, house: House) -> Iterable[Board]:
        """The boards of a house."""
        return [board for board in self.boards.values() if board.house is house]

    def set_mains(self, house: House, mains: bool) -> None:
        """Power goes or comes in a house."""
        if house.mains is mains:
            return
        house.mains = mains
        if mains and house.router_boot_ms:
            house.router_ready_at = self.time.now + house.router_boot_ms
            self.time.plan(house.router_boot_ms, lambda: self._network_back(house))
        for board in self.of(house):
            board.mains_changed()
        if not mains and house.router_boot_ms:
            self._network_gone(house)

    def set_plug(self, board: Board, plugged: bool) -> None:
        """A board is pulled or plugged in."""
        board.plugged = plugged
        board.mains_changed()

    def set_router(self, house: House, works: bool) -> None:
        """A house's network fails or is repaired."""
        house.router = works
        if works:
            self._network_back(house)
        else:
            self._network_gone(house)

    def _network_gone(self, house: House) -> None:
        for board in self.of(house):
            if (session := board.session) is not None:
                self.time.plan(board.patience_ms(), self._giving_up(board, session))

    def _giving_up(self, board: Board, session: Session) -> Callable[[], None]:
        return lambda: board.drop(session) if not self.online(board.house) else None

    def _network_back(self, house: House) -> None:
        if self.online(house):
            for board in self.of(house):
                board.retransmit()

    def _save_broker(self) -> None:
        self.broker.save()
        self.time.plan(SNAPSHOT_MS, self._save_broker)

    def go(self, ms: int) -> None:
        """Let time pass. The core may not ask to be woken all the time."""
        end = self.time.now + ms
        wakes, most = 0, 100 + ms // 100
        while True:
            due, planned = self.shell.due(), self.time.next_at
            if due is not None and due <= end and (planned is None or due <= planned):
                self.time.now = max(self.time.now, due)
                self.shell.tick()
                wakes += 1
                assert wakes < most, f"woken {wakes} times within {ms} ms"
            elif planned is not None and planned <= end:
                self.time.step()
            else:
                self.time.now = end
                return
