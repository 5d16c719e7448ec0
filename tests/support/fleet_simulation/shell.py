"""Broker, link and process on simulated time: what reaches the core, and when.

It does what `services.detector.service` does: echoes each second, notices when they stay away or when it stood still
itself, and wakes the core at its deadlines.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

from msgspec.structs import replace

from services.detector.core.observation import Observation, ObservationKind
from tests.support.fleet_simulation.agenda import Agenda, Deed
from tests.support.fleet_simulation.blindness import Blindness, Trouble, Troubles
from tests.support.fleet_simulation.broker import Broker
from tests.support.fleet_simulation.clock import moment
from tests.support.fleet_simulation.connections import BURST_S
from tests.support.fleet_simulation.process import Process
from tests.support.fleet_simulation.spans import Spans
from tests.support.fleet_simulation.speech import Said

ECHO_EVERY_S = 1.0
ECHO_LIMIT_S = 3.5
ROUND_TRIP_S = 0.002
SNAPSHOT_S = 5.0
FIRST_ECHO_S = (0.003, 0.05)
HAIR_S = 1e-4


class Shell:
    """All that stands between the boards and the core. Not `prompt`, it wakes the core with the echoes only."""

    def __init__(self, seed: int, troubles: Troubles, process: Process, *, prompt: bool = True) -> None:
        self._dice = random.Random(f"{seed}/shell")
        self._process = process
        self._prompt = prompt
        self._broker = Broker()
        self._session = 0
        self._connected = False
        self._reachable = True
        self._stalled_since: float | None = None
        self._held: list[Observation] = []
        self._echo_at = 0.0
        self._asked_at: float | None = None
        self._seeing_since: float | None = None
        self._seen: list[tuple[float, float]] = []
        self._agenda = Agenda()
        self._wake = 0.0
        self._agenda.plan(0.0, self._start)
        for trouble in (*troubles.broker, *troubles.ours):
            for at, deed in self._script(trouble):
                self._agenda.plan(at, deed)

    def seen(self, until: float) -> Spans:
        """When we saw: from the first echo that was back to the last."""
        still = [(self._seeing_since, until)] if self._seeing_since is not None else []
        return Spans([*self._seen, *still])

    def hear(self, chunks: Iterable[list[Said]], until: float) -> None:
        """Let all of it happen."""
        beats, words, observe = self._broker.beats, self._broker.words, self._process.observe
        beat, journal = ObservationKind.BEAT, ObservationKind.JOURNAL
        for chunk in chunks:
            for at, observation in chunk:
                if at >= self._wake:
                    self._run_until(at)
                if observation.kind is beat:
                    beats[observation.device] = observation
                elif observation.kind is not journal:
                    words[observation.device] = observation
                if not self._connected:
                    continue
                if self._stalled_since is not None:
                    self._held.append(observation)
                    continue
                observe(at, observation)
                if self._process.due < self._wake and (self._prompt or self._seeing_since is None):
                    self._wake = self._process.due
        self._run_until(until)

    def _script(self, each: Blindness) -> list[tuple[float, Deed]]:
        """What a trouble does, a hair later than the wills that a stopping broker publishes."""
        start, end = each.span
        match each.trouble:
            case Trouble.STOP | Trouble.KILL:
                lag = min(max(each.lag_s, 2 * HAIR_S), 0.9 * each.span.length)
                saved = start - self._dice.uniform(0, SNAPSHOT_S)
                losing: list[tuple[float, Deed]] = [(saved, self._broker_saves), (end - HAIR_S, self._broker_forgets)]
                stopping = [(start + HAIR_S, self._broker_stops), (start + lag, self._breaks), (end, self._serves)]
                return stopping if each.trouble is Trouble.STOP else losing + stopping
            case Trouble.FREEZE:
                return [(start, self._broker_freezes), (end, self._broker_wakes)]
            case Trouble.LINK:
                return [(start, self._unreachable), (end, self._reachable_again)]
            case Trouble.STALL:
                return [(start, self._stalls), (end, self._resumes)]
            case Trouble.AWAY:
                age = self._dice.choice((0.0, self._dice.uniform(0, SNAPSHOT_S)))
                saved = start - age - HAIR_S
                return [(saved, self._process.snapshot), (start, self._killed), (end, self._start)]

    # The broker.

    def _broker_saves(self, _now: float) -> None:
        self._broker.save()

    def _broker_stops(self, _now: float) -> None:
        self._broker.serving = False

    def _broker_forgets(self, _now: float) -> None:
        self._broker.forget()

    def _serves(self, now: float) -> None:
        self._broker.serving = True
        self._try_soon(now)

    def _broker_freezes(self, now: float) -> None:
        self._broker.frozen, self._asked_at = True, None
        self._blind(now)

    def _broker_wakes(self, now: float) -> None:
        self._broker.frozen = False
        if self._connected:
            self._agenda.plan(now + BURST_S * self._dice.uniform(0.2, 1.2), self._echo_wakes)
        else:
            self._try_soon(now)

    # Our link.

    @property
    def _listening(self) -> bool:
        return self._connected and self._stalled_since is None

    def _unreachable(self, now: float) -> None:
        self._reachable = False
        self._breaks(now)

    def _reachable_again(self, now: float) -> None:
        self._reachable = True
        self._try_soon(now)

    def _breaks(self, now: float) -> None:
        if not self._connected:
            return
        self._connected = False
        self._blind(now)
        if self._stalled_since is None:  # else it is noticed once we read again
            self._process.link_down(now, now)

    def _try_soon(self, now: float) -> None:
        self._agenda.plan(now + self._dice.choice((0.05, self._dice.uniform(0.05, 4))), self._connect)

    def _connect(self, now: float) -> None:
        if self._connected or not self._process.running or self._stalled_since is not None:
            return
        if not self._broker.answering or not self._reachable:
            return
        self._connected, self._echo_at = True, now
        self._session += 1
        self._process.link_up(now)
        for kept in self._broker.retained():
            self._process.observe(now, replace(kept, at=moment(now), retained=True))
        session = self._session
        self._agenda.plan(now + self._dice.uniform(*FIRST_ECHO_S), self._echo_back)
        self._agenda.plan(now + ECHO_EVERY_S, lambda then: self._echo(then, session))

    def _echo(self, now: float, session: int) -> None:
        """Once a second: an echo goes out and is back in a moment, or has not come for too long."""
        if session != self._session or not self._connected:
            return
        self._agenda.plan(now + ECHO_EVERY_S, lambda then: self._echo(then, session))
        if self._broker.answering:
            self._echo_back(now)
        elif self._stalled_since is None:
            self._asked_at = now
            if now - self._echo_at > ECHO_LIMIT_S:
                self._process.link_down(now, self._echo_at)

    def _echo_back(self, now: float) -> None:
        if not self._listening or not self._broker.answering:
            return
        self._echo_at = now
        if self._process.watching and self._seeing_since is None:
            self._seeing_since = now
        self._process.link_proven(now, now - ROUND_TRIP_S)

    def _echo_wakes(self, now: float) -> None:
        """What we sent into a broker that stood still comes back."""
        if not self._listening or self._asked_at is None:
            return
        self._echo_at = now
        if self._process.watching:
            self._process.link_proven(now, self._asked_at)
        else:
            self._process.link_up(now)
            self._agenda.plan(now + ROUND_TRIP_S, self._echo_back)

    # Our process.

    def _start(self, now: float) -> None:
        self._process.start(now)
        self._try_soon(now)

    def _killed(self, now: float) -> None:
        self._blind(now)
        self._process.kill(now)
        self._connected = False
        self._held.clear()

    def _stalls(self, now: float) -> None:
        self._blind(now)
        self._stalled_since = now

    def _resumes(self, now: float) -> None:
        since, self._stalled_since = self._stalled_since, None
        if not self._process.running or since is None:
            return
        if self._process.watching:
            self._process.link_down(now, since, "stall")
            self._process.link_up(now)
            self._agenda.plan(now + self._dice.uniform(*FIRST_ECHO_S), self._echo_back)
        held, self._held = self._held, []
        for observation in held:
            self._process.observe(now, replace(observation, at=moment(now)))
        if not self._connected:
            self._process.link_down(now, now)
            self._try_soon(now)

    def _blind(self, now: float) -> None:
        if self._seeing_since is not None:
            self._seen.append((self._seeing_since, now))
            self._seeing_since = None

    # Time.

    def _run_until(self, end: float) -> None:
        """Let deeds and deadlines pass, in order."""
        while True:
            due = self._process.due if self._prompt or self._seeing_since is None else math.inf
            if self._stalled_since is not None:
                due = math.inf
            self._wake = min(self._agenda.next_at, due)
            if self._wake > end:
                return
            if due >= self._agenda.next_at:
                self._agenda.do_next()
            elif self._process.tick(due):
                self._agenda.plan(due + ROUND_TRIP_S, self._echo_back)
