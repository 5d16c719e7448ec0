"""What really happened to each site: by its own rule, from the mains of each of its boards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.detector.core.place import Place, Rule
from services.detector.core.policy import Policy
from tests.support.fleet_simulation.boots import unpowered
from tests.support.fleet_simulation.incidents import Incident, Kind
from tests.support.fleet_simulation.spans import Span, Spans, holds
from tests.support.fleet_simulation.world import Board, World

MARGIN_S = 10.0
LEAD_S = 1.0
"""A happening is taken to begin so much earlier than it did."""
RECOVERY_S = 240.0
"""So long after the end of an incident the last board is back: its own boot, the router's, pauses."""


@dataclass(frozen=True)
class Happening:
    """An incident as a site saw it, its recovery included. `telling` boards know what it was; `sensing` ones may have
    run on a battery, so that only their journal knows whether the mains was there."""

    kind: Kind
    span: Span
    telling: bool
    sensing: bool

    def decidable(self, seen: Spans) -> bool:
        """Whether the evidence we heard rules out a cut."""
        watching = seen.at(self.span.start + LEAD_S)
        match self.kind:
            case Kind.GOODBYE:
                return self.telling and watching is not None
            case Kind.NETWORK:
                return not self.sensing or (watching is not None and watching.end >= self.span.end)
            case _:
                return self.telling


class Truth:
    """The truth about one site."""

    def __init__(self, world: World, incidents: Iterable[Incident], site: str) -> None:
        self.site = site
        self._place = place = world.places[site]
        self.boards = [board for name in place.devices if not (board := world.boards[name]).never_ran]
        houses = {board.house for board in self.boards}
        here = [incident for incident in incidents if incident.house in houses]
        self._off = off = {board.name: unpowered(board, here) for board in self.boards}
        self._flickers = [_recovered(each.span) for each in here if each.kind is Kind.CUT and len(each.parts) > 1]
        edges = [edge for spans in off.values() for span in spans for edge in span]
        self.cuts = holds(lambda at: not _has_power(place, self.boards, off, at), edges)
        self.happenings = [
            Happening(
                incident.kind,
                _recovered(incident.span),
                telling=all(board.telling for board in touched),
                sensing=any(board.battery_s > 0 for board in touched),
            )
            for incident in here
            if (touched := _touched(self.boards, incident))
        ]

    def during(self, span: Span) -> list[Happening]:
        """What happened to the site within a span."""
        return [happening for happening in self.happenings if happening.span.overlaps(span)]

    def noticed_within(self, policy: Policy) -> float:
        """How long after a cut, or after we see again, the last board of the site is given up, at most."""
        lasting = [board for board in self.boards if board.broken_at is None]
        confirm_off = self._place.confirm_off or policy.confirm_off
        slowest = max(policy.settle(board.interval_s) for board in lasting)
        return MARGIN_S + (slowest + confirm_off).total_seconds()

    def must_find(self, cut: Span, seen: Spans, policy: Policy) -> bool:
        """Whether a cut was there for long enough to be found, while we watched or from what boards said later."""
        bound = self.noticed_within(policy) + policy.area_wait.total_seconds()
        if any(min(part.end, cut.end) - max(part.start, cut.start) > bound for part in seen.within(*cut)):
            return True
        if any(abs((board.broken_at or 0.0) - cut.start) < RECOVERY_S + cut.length for board in self.boards):
            return False
        lasting = [board for board in self.boards if board.broken_at is None]
        return cut.length > bound and all(board.telling and cut.length > board.battery_s for board in lasting)

    def decidable(self, cut: Span) -> bool:
        """Whether what the boards say on their return proves that it was the power.

        One board that tells is enough; but where the power flickers, any of them may be the one it hangs on, and
        must have had the time to tell.
        """
        dark = [board for board in self.boards if board.broken_at is None and self._off[board.name].at(cut.start)]
        following = self.cuts.after(cut.end)
        if following is not None and following.start - cut.end < 3 * max(board.interval_s for board in dark):
            return False
        enough = all if any(flicker.overlaps(cut) for flicker in self._flickers) else any
        return enough(board.telling and cut.length > board.battery_s for board in dark)


def _has_power(place: Place, boards: list[Board], off: dict[str, Spans], at: float) -> bool:
    """The site's rule over the boards that are there, as the design has it."""
    there = [board for board in boards if board.broken_at is None or board.broken_at > at]
    powered = [board for board in there if off[board.name].at(at) is None]
    weight = sum(place.devices[board.name] for board in powered)
    match place.rule:
        case Rule.ALL:
            return len(powered) == len(there)
        case Rule.MAJORITY:
            return 2 * weight > sum(place.devices[board.name] for board in there)
        case Rule.K:
            return weight >= place.k
        case _:
            return bool(powered)


def _touched(boards: list[Board], incident: Incident) -> list[Board]:
    return [board for board in boards if board.house == incident.house and incident.board in (None, board.name)]


def _recovered(span: Span) -> Span:
    return Span(span.start - LEAD_S, span.end + RECOVERY_S)
