"""What the core said: rows and log, and whether they keep their own rules."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.detector.core.effects import Effect, EventLogged, OutageChanged, SiteChanged
from services.detector.core.outage import Outage
from svitlo.contracts import Cause, Change, EventKind, PowerEvent, PowerState
from tests.support.fleet_simulation.clock import seconds
from tests.support.fleet_simulation.verdict import Violation

FRAMES = (EventKind.UNSTABLE, EventKind.STABLE)
"""Events about a time in which the power came and went; they only name an outage."""
WITHDRAWN = (Cause.NETWORK, Cause.DEVICE)


class Ledger:
    """The outages as their newest rows have them, and the log."""

    def __init__(self) -> None:
        self.rows: dict[UUID, tuple[str, Outage]] = {}
        self.log: list[PowerEvent] = []
        self.violations: list[Violation] = []
        self._now = 0.0
        self._powers: dict[str, PowerState] = {}
        self._open: dict[str, UUID] = {}
        self._revs: dict[UUID, int] = {}
        self._lost: set[UUID] = set()
        self._interruptions: set[UUID] = set()

    def take(self, now: float, effects: Sequence[Effect]) -> None:
        """Take in one batch of effects."""
        self._now = now
        for effect in effects:
            if isinstance(effect, OutageChanged):
                self._row(now, effect.site, effect.outage)
            elif isinstance(effect, EventLogged):
                self._event(now, effect.event)
            elif isinstance(effect, SiteChanged):
                self._powers[effect.site] = effect.state.power

    def close(self) -> None:
        """Check what can only be known at the end: everything is over and on, and the log agrees with the rows."""
        for site, power in self._powers.items():
            if power is not PowerState.ON:
                self._blame(site, self._now, f"power is {power} long after everything was well")
        for identity, (site, row) in self.rows.items():
            if not row.over:
                self._blame(site, seconds(row.started_lo), "an outage is still open long after everything was well")
            elif identity in self._lost:
                self._compare(site, row)

    def _row(self, now: float, site: str, row: Outage) -> None:
        before = self.rows.get(row.id)
        if before is not None and row.rev < before[1].rev:
            self._blame(site, now, f"revision {row.rev} of a row after {before[1].rev}")
        if row.started_lo > row.started_hi:
            self._blame(site, now, "started_lo > started_hi")
        if row.ended_lo is not None and row.ended_hi is not None:
            if row.ended_lo > row.ended_hi:
                self._blame(site, now, "ended_lo > ended_hi")
            if row.ended_hi < row.started_lo or row.ended_hi < row.started_hi:
                self._blame(site, now, "it ended before it began")
        if (row.retracted_at is not None) != (row.cause in WITHDRAWN):
            self._blame(site, now, f"cause {row.cause} and retracted_at {row.retracted_at} contradict one another")
        if not row.over and row.retracted_at is None:
            other = self._open.setdefault(site, row.id)
            if other != row.id:
                self._blame(site, now, "two outages are open at once")
        elif self._open.get(site) == row.id:
            del self._open[site]
        self.rows[row.id] = (site, row)

    def _event(self, now: float, event: PowerEvent) -> None:
        if event.rev <= self._revs.get(event.id, 0):
            self._blame(event.site, now, f"revision {event.rev} of an event after {self._revs[event.id]}")
        self._revs[event.id] = event.rev
        if event.occurred_lo > event.occurred_hi:
            self._blame(event.site, now, f"{event.kind}: occurred_lo > occurred_hi")
        told = self._lost | self._interruptions if event.kind is EventKind.OUTAGE_REVISED else self._lost
        if event.kind is EventKind.POWER_LOST:
            self._lost.add(event.outage_id)
        elif event.kind is EventKind.MOMENTARY:
            self._interruptions.add(event.outage_id)
        elif event.kind not in FRAMES and event.outage_id not in told:
            self._blame(event.site, now, f"{event.kind} of an outage nobody was told of")
        self.log.append(event)

    def _compare(self, site: str, row: Outage) -> None:
        told = [event for event in self.log if event.outage_id == row.id and event.kind not in FRAMES]
        at = seconds(row.started_lo)
        retracted = any(event.change is Change.RETRACTED for event in told)
        if retracted != (row.retracted_at is not None):
            self._blame(site, at, "log and row disagree on whether it was retracted")
        starts = [event for event in told if event.id == row.event_id]
        ends = [event for event in told if event.id == row.end_event_id]
        shown = (
            ("start", [event.occurred_lo for event in starts], row.started_lo),
            ("end", [event.occurred_hi for event in ends], row.ended_hi),
        )
        for what, in_log, in_row in shown:
            if in_log and in_row is not None and in_log[-1] != in_row:
                said = f"{seconds(in_log[-1]):.3f}, the row {seconds(in_row):.3f}"
                self._blame(site, at, f"the log shows as {what} {said}")
        if not ends and row.retracted_at is None:
            self._blame(site, at, "the log does not tell the end")
        if max(told, key=lambda event: (event.rev, event.detected_at)).cause is not row.cause:
            self._blame(site, at, "the log names another cause than the row")

    def _blame(self, site: str, at: float, what: str) -> None:
        self.violations.append(Violation(site, at, what))
