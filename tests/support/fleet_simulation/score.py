"""How well the core read the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from datetime import datetime

from services.detector.core.outage import Outage
from services.detector.core.policy import Policy
from svitlo.contracts import Cause
from tests.support.fleet_simulation.clock import seconds
from tests.support.fleet_simulation.incidents import Kind
from tests.support.fleet_simulation.spans import Span, Spans
from tests.support.fleet_simulation.truth import Truth
from tests.support.fleet_simulation.verdict import Violation

BLINK_S = 4.0
TOLERANCE_S = 0.2
"""The way from a board to us: what was sent before a moment may arrive so much after it."""

_CAUSES = {Kind.NETWORK: Cause.NETWORK, Kind.CRASH: Cause.DEVICE}


@dataclass
class Score:
    """Counts and errors over all sites. Errors and delays are in seconds.

    `undecided` are outages told where there was none, but which no evidence could tell from one.
    """

    cuts: int = 0
    due: int = 0
    found: int = 0
    missed: int = 0
    false_alarms: int = 0
    undecided: list[Violation] = field(default_factory=list)
    causes_right: int = 0
    causes_wrong: int = 0
    causes_open: int = 0
    passing: Counter[str] = field(default_factory=Counter)
    momentary: int = 0
    reconstructed: int = 0
    start_errors: list[float] = field(default_factory=list)
    end_errors: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The share of the cuts that had to be found that were."""
        return 1.0 if not self.due else 1 - self.missed / self.due

    @property
    def cause_accuracy(self) -> float:
        """The share of right causes where the evidence decides."""
        judged = self.causes_right + self.causes_wrong
        return self.causes_right / judged if judged else 1.0

    def merge(self, other: Score) -> None:
        """Take in the score of another run."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, mine + theirs)

    def add(self, truth: Truth, rows: list[Outage], seen: Spans, policy: Policy) -> None:
        """Judge all that was said of one site."""
        told = [row for row in rows if row.retracted_at is None]
        for cut in truth.cuts:
            self.cuts += 1
            found = any(not row.momentary and _span(row).overlaps(cut) for row in told)
            self.found += found
            if truth.must_find(cut, seen, policy):
                self.due += 1
                if not found:
                    self.missed += 1
                    self._blame(truth.site, cut.start, f"a cut of {cut.length:.1f} s was not found")
        for row in rows:
            if row.retracted_at is not None:
                self._retracted(truth, row)
            else:
                self._told(truth, row, seen, policy)

    def _told(self, truth: Truth, row: Outage, seen: Spans, policy: Policy) -> None:
        span = _span(row)
        cuts = truth.cuts.within(*_span(row, 0.0)) or truth.cuts.within(*span)
        if not cuts:
            what = f"{'an interruption' if row.momentary else 'an outage'}, {row.cause}, where there was none"
            violation = Violation(truth.site, span.start, what)
            if not all(happening.decidable(seen) for happening in truth.during(span)):
                self.undecided.append(violation)
                return
            self.false_alarms += 1
            self.violations.append(violation)
            return
        self.momentary += row.momentary
        self.reconstructed += row.reconstructed
        self._times(truth, row, cuts[0].start, _ends(cuts))
        self._delay(truth, row, cuts[0], seen, policy)
        if row.cause is Cause.POWER:
            self.causes_right += 1
        elif any(truth.decidable(cut) for cut in cuts):
            self.causes_wrong += 1
            self._blame(truth.site, span.start, f"a cut is said to be {row.cause}")
        else:
            self.causes_open += 1

    def _delay(self, truth: Truth, row: Outage, cut: Span, seen: Spans, policy: Policy) -> None:
        """How long it took us to notice a cut that began, and was found, under our eyes."""
        watching, detected = seen.at(cut.start), seconds(row.detected_at)
        if row.momentary or row.reconstructed or watching is None:
            return
        self.delays.append(detected - cut.start)
        # If we were blind before, boards were not given up before they had the time to return.
        due = max(cut.start, watching.start) + truth.noticed_within(policy)
        if detected > due and watching.end > due:
            self._blame(
                truth.site, cut.start, f"it was noticed only at {detected:.3f}, {detected - due:.1f} s too late"
            )

    def _times(self, truth: Truth, row: Outage, start: float, ends: list[float]) -> None:
        def within(true: float, lo: datetime, hi: datetime) -> bool:
            return seconds(lo) - TOLERANCE_S <= true <= seconds(hi) + TOLERANCE_S

        at = seconds(row.started_lo)
        self.start_errors.append(abs(at - start))
        if not within(start, row.started_lo, row.started_hi):
            self._blame(
                truth.site, at, f"it started at {start:.3f}, not within [{at:.3f}, {seconds(row.started_hi):.3f}]"
            )
        if row.ended_lo is None or row.ended_hi is None:
            return
        lo, hi = row.ended_lo, row.ended_hi
        end = next((end for end in ends if within(end, lo, hi)), ends[0])
        self.end_errors.append(abs(seconds(hi) - end))
        if not within(end, lo, hi):
            said = f"[{seconds(lo):.3f}, {seconds(hi):.3f}]"
            self._blame(truth.site, at, f"it ended at {end:.3f}, not within {said}")

    def _retracted(self, truth: Truth, row: Outage) -> None:
        span = _span(row)
        if truth.cuts.within(*span):
            self._blame(truth.site, span.start, f"a true cut was retracted as {row.cause}")
            return
        kinds = [happening.kind for happening in truth.during(span)]
        if row.cause in (_CAUSES.get(kind) for kind in kinds):
            self.causes_right += 1
            self.passing[row.cause.value] += 1
        elif kinds:
            self.causes_wrong += 1
            self._blame(truth.site, span.start, f"retracted as {row.cause}, but it was {kinds[0]}")
        else:
            self._blame(truth.site, span.start, f"an alarm out of nothing, retracted as {row.cause}")

    def _blame(self, site: str, at: float, what: str) -> None:
        self.violations.append(Violation(site, at, what))


def _ends(cuts: list[Span]) -> list[float]:
    """When it ended: with the last cut, or before one so short that a board may sleep through it while it starts."""
    ends = [cuts[-1].end]
    while len(cuts) > 1 and cuts[-1].length < BLINK_S and cuts[-1].start - cuts[-2].end < BLINK_S:
        cuts = cuts[:-1]
        ends.append(cuts[-1].end)
    return ends


def _span(row: Outage, tolerance: float = TOLERANCE_S) -> Span:
    end = row.ended_hi if row.ended_hi is not None else row.started_hi
    return Span(seconds(row.started_lo) - tolerance, seconds(end) + tolerance)
