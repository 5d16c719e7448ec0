"""An outage of a site: its bounds and its cause, from the dark spans of its devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from services.detector.core.dark import POWERED, Dark
from services.detector.core.place import Place, Verdict, Vote, decide
from svitlo.contracts import Cause


class Outage(Struct, frozen=True, omit_defaults=True):
    """Between `started_lo` (last proof) and `started_hi` (first evidence of loss) it began; likewise its end.

    `members` are the devices that were dark, `alive` those that were not when it began. `event_id` and `end_event_id`
    name the events that told of it, `rev` its newest revision. `untold` is one nobody was told of (maintenance, a time
    in which the power came and went). `on_since` is since when the site had power before.
    """

    id: UUID
    event_id: UUID
    started_lo: datetime
    started_hi: datetime
    detected_at: datetime
    rev: int = 1
    cause: Cause = Cause.PRESUMED
    ended_lo: datetime | None = None
    ended_hi: datetime | None = None
    end_detected_at: datetime | None = None
    end_event_id: UUID | None = None
    retracted_at: datetime | None = None
    momentary: bool = False
    reconstructed: bool = False
    maintenance: bool = False
    untold: bool = False
    on_since: datetime | None = None
    members: dict[str, Dark] = {}
    alive: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.ended_hi is not None

    @property
    def reviewed(self) -> bool:
        """Whether every member has come back and said why: nothing can change any more."""
        return all(dark.settled and dark.cause is not Cause.PRESUMED for dark in self.members.values())


class Bounds(Struct, frozen=True):
    """The true moment lies in `[lo, hi]` (UTC)."""

    lo: datetime
    hi: datetime


def cause_of(place: Place, members: Mapping[str, Dark], alive: Iterable[str]) -> Cause:
    """Why the site was dark, by its own rule in hindsight.

    Devices that had power all along count as living, all others as dead. If the site then had power, there was no
    outage, and the cause says what there was instead. If not, one device that is known to have lost its power
    confirms it; against that a cause that rests on a journal not having come does not stand.
    """
    votes = dict.fromkeys(alive, Vote.ALIVE)
    certain = any(dark.cause is Cause.POWER for dark in members.values())
    causes = set()
    for name, dark in members.items():
        cause = Cause.PRESUMED if dark.unproven and certain else dark.cause
        causes.add(cause)
        votes[name] = Vote.ALIVE if cause in POWERED else Vote.DEAD
    if decide(place, votes) is Verdict.ON and causes & POWERED:
        return Cause.NETWORK if Cause.NETWORK in causes else Cause.DEVICE
    return Cause.POWER if Cause.POWER in causes else Cause.PRESUMED


def start_bounds(
    place: Place, members: Mapping[str, Dark], alive: Iterable[str], proofs: Mapping[str, datetime] | None = None
) -> Bounds:
    """When the site's rule failed: at the earliest if each device lost power at its last proof, at the latest if at
    the first evidence. Devices known to have had power are left out, unless they alone explain it.

    `proofs` are the last proofs of devices that count as living: they may be dead already, and nobody knows yet.
    """
    votes = dict.fromkeys(alive, Vote.ALIVE)
    unpowered = {name: dark for name, dark in members.items() if dark.cause not in POWERED} or dict(members)
    lo = _fails_at(place, votes, dict(proofs or {}) | {name: dark.start_lo for name, dark in unpowered.items()})
    hi = _fails_at(place, votes, {name: dark.start_hi for name, dark in unpowered.items()})
    return Bounds(min(lo, hi), hi)


def end_bounds(place: Place, members: Mapping[str, Dark], alive: Iterable[str], start_lo: datetime) -> Bounds:
    """When the site's rule held again, from the devices that are back; those still dark count as dead.

    A device that had power again before the outage began, and could only not say so, says nothing of its end.
    """
    votes = dict.fromkeys(alive, Vote.ALIVE)
    los, his = {}, {}
    concerned = {name: dark for name, dark in members.items() if dark.end_hi is None or dark.end_hi >= start_lo}
    for name, dark in (concerned if any(dark.over for dark in concerned.values()) else members).items():
        votes[name] = Vote.DEAD
        if dark.end_lo is not None and dark.end_hi is not None:
            los[name], his[name] = dark.end_lo, dark.end_hi
    hi = max(start_lo, _holds_at(place, votes, his))
    return Bounds(min(max(start_lo, _holds_at(place, votes, los)), hi), hi)


def closed(outage: Outage, bounds: Bounds, now: datetime, event_id: UUID) -> Outage:
    """The outage with its end."""
    return replace(
        outage,
        started_hi=min(outage.started_hi, bounds.hi),
        ended_lo=bounds.lo,
        ended_hi=bounds.hi,
        end_detected_at=now,
        end_event_id=event_id,
    )


def _fails_at(place: Place, votes: dict[str, Vote], deaths: Mapping[str, datetime]) -> datetime:
    """The first moment at which the rule no longer says on, if the devices die in turn."""
    votes = votes | dict.fromkeys(deaths, Vote.ALIVE)
    moments = sorted((moment, name) for name, moment in deaths.items())
    for moment, name in moments:
        votes[name] = Vote.DEAD
        if decide(place, votes) is not Verdict.ON:
            return moment
    return moments[-1][0]


def _holds_at(place: Place, votes: dict[str, Vote], returns: Mapping[str, datetime]) -> datetime:
    """The first moment at which the rule says on, if the devices return in turn."""
    votes = dict(votes)
    moments = sorted((moment, name) for name, moment in returns.items())
    for moment, name in moments:
        votes[name] = Vote.ALIVE
        if decide(place, votes) is Verdict.ON:
            return moment
    return moments[-1][0]
