"""How reliable a site's power was in a window of time. Pure.

Only what was observed counts: time in which we were blind leaves both sides of every ratio, and an outage of which no
moment was observed is counted apart. So are outages that began in maintenance. Retracted ones never were.

In the terms of IEEE Std 1366, with the site as the only customer: the number of outages is SAIFI, their time SAIDI,
their mean CAIDI, the availability ASAI, the number of momentary interruptions MAIFI. The standard calls momentary what
is over within five minutes; here it is what passed no deadline, so a noticed outage of two minutes is an outage.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

Span = tuple[datetime, datetime]
"""From (inclusive) and to (exclusive), aware, in UTC."""

NOTHING = timedelta(0)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An outage as it is recorded: the true moments lie between `_lo` and `_hi`. Without `ended_hi` it goes on."""

    started_lo: datetime
    started_hi: datetime
    ended_lo: datetime | None = None
    ended_hi: datetime | None = None
    retracted: bool = False
    momentary: bool = False
    maintenance: bool = False


@dataclass(frozen=True)
class Tally:
    """How many outages, and how long the power was off in observed time.

    `off` is as people are told, from the last proof of power to the first one after: the most it can have been.
    `off_lo` is the least. `longest` is the longest single one.
    """

    number: int = 0
    off: timedelta = NOTHING
    off_lo: timedelta = NOTHING
    longest: timedelta = NOTHING

    @property
    def mean(self) -> timedelta | None:
        """How long one of them was; None if there was none (CAIDI)."""
        return self.off / self.number if self.number else None


@dataclass(frozen=True)
class Statistics:
    """What is known of the window `[since, until)`: the part asked for that has come, and in which the site existed.

    `outages` leaves out what is counted apart: those `planned` (they began in maintenance), the number of `momentary`
    interruptions, and of outages that were `unseen`, as they took place while we were blind.
    """

    since: datetime
    until: datetime
    observed: timedelta
    outages: Tally
    planned: Tally
    momentary: int
    unseen: int

    @property
    def unobserved(self) -> timedelta:
        """How long we were blind."""
        return self.until - self.since - self.observed

    @property
    def availability(self) -> float | None:
        """The share of the observed time with power, planned outages aside; None if nothing was observed (ASAI)."""
        return 1 - self.outages.off / self.observed if self.observed else None

    @property
    def availability_hi(self) -> float | None:
        """The most it can have been."""
        return 1 - self.outages.off_lo / self.observed if self.observed else None


def statistics(
    outages: Iterable[Recorded],
    gaps: Iterable[Span],
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    created_at: datetime,
) -> Statistics:
    """The statistics of one site from its outages, and from the gaps in which nobody watched.

    What lies outside `[since, until)` does no harm; neither do gaps that overlap.
    """
    since = max(since, created_at)
    until = max(min(until, now), since)
    observed = _without(since, until, _merged(gaps))
    counted = [
        outage
        for outage in outages
        # A window of no length holds nothing.
        if since < until and not outage.retracted and _overlaps(_shown(outage, until), since, until)
    ]
    lasting = [outage for outage in counted if not outage.momentary]
    seen = [outage for outage in lasting if _touches(_shown(outage, until), observed)]
    plain = [outage for outage in seen if not outage.maintenance]
    return Statistics(
        since=since,
        until=until,
        observed=_length(observed),
        outages=_tally(plain, observed, until),
        planned=_tally([outage for outage in seen if outage.maintenance], observed, until),
        momentary=sum(
            outage.momentary and not outage.maintenance and _touches(_shown(outage, until), observed)
            for outage in counted
        ),
        unseen=sum(not outage.maintenance for outage in lasting) - len(plain),
    )


def _tally(outages: Sequence[Recorded], observed: Sequence[Span], until: datetime) -> Tally:
    shown = [_shown(outage, until) for outage in outages]
    return Tally(
        number=len(outages),
        off=_common(_merged(shown), observed),
        off_lo=_common(_merged(_certain(outage, until) for outage in outages), observed),
        longest=max((_common(_merged([span]), observed) for span in shown), default=NOTHING),
    )


def _shown(outage: Recorded, until: datetime) -> Span:
    """As people are told: from the last proof of power to the first one after."""
    return outage.started_lo, until if outage.ended_hi is None else outage.ended_hi


def _certain(outage: Recorded, until: datetime) -> Span:
    """From the first evidence of the loss to the last evidence that it lasted."""
    return outage.started_hi, until if outage.ended_hi is None else outage.ended_lo or outage.ended_hi


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, without overlaps; empty ones are left out."""
    joined: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _without(since: datetime, until: datetime, gaps: Sequence[Span]) -> list[Span]:
    """What is left of `[since, until)` without the gaps, which are merged."""
    left: list[Span] = []
    for start, end in gaps:
        if since < min(start, until):
            left.append((since, min(start, until)))
        since = max(since, end)
    if since < until:
        left.append((since, until))
    return left


def _length(spans: Iterable[Span]) -> timedelta:
    return sum((end - start for start, end in spans), NOTHING)


def _overlaps(span: Span, since: datetime, until: datetime) -> bool:
    """Whether any moment of the span lies in `[since, until)`; one without length is its moment."""
    return span[0] < until and (span[1] > since or span[0] >= since)


def _touches(span: Span, observed: Sequence[Span]) -> bool:
    at = bisect_right(observed, span[0], key=lambda other: other[1])
    return at < len(observed) and _overlaps(span, *observed[at])


def _common(spans: Iterable[Span], observed: Sequence[Span]) -> timedelta:
    """How much of the spans lies in observed time; both are merged."""
    total = NOTHING
    for start, end in spans:
        at = bisect_right(observed, start, key=lambda other: other[1])
        while at < len(observed) and observed[at][0] < end:
            total += min(end, observed[at][1]) - max(start, observed[at][0])
            at += 1
    return total
