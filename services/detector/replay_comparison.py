"""What was reported beside what would have been: outages in pairs, and both sides in numbers. Pure."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.detector.replay import Replay, Story
from services.detector.replay_store import Alert, Reported
from svitlo.contracts import EventKind

CLOSE = timedelta(seconds=1)
"""Moments that are nearer count as the same: the recorder and the detector each note their own arrival times."""
CLOSE_TELLING = timedelta(seconds=2)
"""The same for when an outage was found: live, the echo that proves our link may take a second more."""


class Verdict(StrEnum):
    """How an outage of one side stands to the other side."""

    SAME = "same"
    DIFFERENT = "different"
    ONLY_THEN = "only then"
    ONLY_NOW = "only now"


@dataclass(frozen=True)
class Line:
    """An outage as it was reported and as it would be; `differs` names what is not alike."""

    then: Reported | None
    now: Reported | None
    told_then: bool = False
    told_now: bool = False
    differs: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """How the two stand to one another."""
        if self.then is None or self.now is None:
            return Verdict.ONLY_THEN if self.now is None else Verdict.ONLY_NOW
        return Verdict.DIFFERENT if self.differs else Verdict.SAME

    @property
    def either(self) -> Reported:
        """The outage, as it was reported if it was."""
        found = self.then or self.now
        assert found is not None
        return found


@dataclass(frozen=True)
class Unstable:
    """A time in which a site's power came and went so often that it was told as one."""

    site: str
    since: datetime
    until: datetime
    changes: int


@dataclass(frozen=True)
class Sums:
    """One side in numbers.

    `outages` leaves the momentary ones out; the `retracted` of them never were. `alerts` counts what people are told
    within the span. The delays, in seconds, are from the last proof of power to the finding, of outages that were told
    and not retracted.
    """

    outages: int
    retracted: int
    momentary: int
    reconstructed: int
    alerts: int
    median_delay_s: float | None
    worst_delay_s: float | None
    unstable: list[Unstable]


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    lines: list[Line]
    then: Sums
    now: Sums


def compare(replay: Replay) -> Comparison:
    """Put both sides of a replay beside one another."""
    told_then, told_now = _told(replay.then), _told(replay.now)
    lines = [
        _with_differences(
            Line(then, now, then is not None and then.id in told_then, now is not None and now.id in told_now), replay
        )
        for then, now in _pairs(replay)
    ]
    return Comparison(
        sorted(lines, key=lambda line: (line.either.started_lo, line.either.site)),
        _sums(replay.then, replay),
        _sums(replay.now, replay),
    )


def _told(story: Story) -> set[UUID]:
    return {alert.outage_id for alert in story.alerts if alert.kind is EventKind.POWER_LOST and alert.told}


def _pairs(replay: Replay) -> Iterator[tuple[Reported | None, Reported | None]]:
    """Outages of a site that overlap belong together, those first that share most of their time."""
    by_site: defaultdict[str, tuple[list[Reported], list[Reported]]] = defaultdict(lambda: ([], []))
    for side, story in enumerate((replay.then, replay.now)):
        for outage in story.outages:
            by_site[outage.site][side].append(outage)
    for then, now in by_site.values():
        likeness = {
            (a, b): share
            for a, old in enumerate(then)
            for b, new in enumerate(now)
            if (share := _shared(old, new, replay.end)) > 0
        }
        free_then, free_now = dict(enumerate(then)), dict(enumerate(now))
        for a, b in sorted(likeness, key=lambda pair: -likeness[pair]):
            if a in free_then and b in free_now:
                yield free_then.pop(a), free_now.pop(b)
        yield from ((outage, None) for outage in free_then.values())
        yield from ((None, outage) for outage in free_now.values())


def _shared(old: Reported, new: Reported, end: datetime) -> float:
    """The part of the two outages' time that both cover; 0 where they lie apart."""
    a, b = ((outage.started_lo - CLOSE, (outage.ended_hi or end) + CLOSE) for outage in (old, new))
    both = min(a[1], b[1]) - max(a[0], b[0])
    return max(both / (max(a[1], b[1]) - min(a[0], b[0])), 0.0)


def _with_differences(line: Line, replay: Replay) -> Line:
    if line.then is None or line.now is None:
        return line
    return replace(line, differs=tuple(_differences(line, line.then, line.now, replay)))


def _differences(line: Line, then: Reported, now: Reported, replay: Replay) -> Iterator[str]:
    known = then.started_lo >= replay.begin  # else only its beginning is remembered, not how it was found
    if _apart(then.started_lo, now.started_lo):
        yield "start"
    if known and _apart(then.started_hi, now.started_hi):
        yield "evidence"
    still_on = now.ended_hi is None and (then.ended_hi is None or then.ended_hi > replay.end - CLOSE)
    if not still_on:
        if _apart(then.ended_hi, now.ended_hi):
            yield "end"
        elif _apart(then.ended_lo, now.ended_lo):
            yield "earliest end"
        if (then.cause, then.retracted_at is None) != (now.cause, now.retracted_at is None):
            yield "cause"
    if any(getattr(then, name) != getattr(now, name) for name in ("momentary", "reconstructed", "maintenance")):
        yield "kind"
    if known and abs(then.detected_at - now.detected_at) > CLOSE_TELLING:
        yield "delay"
    if known and line.told_then != line.told_now:
        yield "telling"


def _apart(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is not other
    return abs(one - other) > CLOSE


def _sums(story: Story, replay: Replay) -> Sums:
    lasting = [outage for outage in story.outages if not outage.momentary]
    told = _told(story)
    delays = [
        (outage.detected_at - outage.started_lo).total_seconds()
        for outage in lasting
        if outage.id in told
        and outage.retracted_at is None
        and not outage.reconstructed
        and outage.started_lo >= replay.begin
    ]
    return Sums(
        outages=len(lasting),
        retracted=sum(outage.retracted_at is not None for outage in lasting),
        momentary=len(story.outages) - len(lasting),
        reconstructed=sum(outage.reconstructed for outage in lasting),
        alerts=sum(alert.told for alert in story.alerts if replay.since <= alert.detected_at < replay.until),
        median_delay_s=statistics.median(delays) if delays else None,
        worst_delay_s=max(delays, default=None),
        unstable=_unstable(story.alerts),
    )


def _unstable(alerts: list[Alert]) -> list[Unstable]:
    """The newest that is said of each such time: when it began names it."""
    found = {
        (alert.site, alert.occurred_lo): Unstable(alert.site, alert.occurred_lo, alert.occurred_hi, alert.changes or 0)
        for alert in alerts
        if alert.kind in (EventKind.UNSTABLE, EventKind.STABLE)
    }
    return sorted(found.values(), key=lambda each: (each.since, each.site))
