"""Statistics of outages: what counts, and that they agree with a model that looks at every second."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svitlo.statistics import Recorded, Span, Statistics, statistics

ZERO = datetime(2026, 11, 20, tzinfo=UTC)
LAST = 40


def at(second: int) -> datetime:
    return ZERO + timedelta(seconds=second)


def second(moment: datetime) -> int:
    return int((moment - ZERO).total_seconds())


def outage(start: int, end: int | None = None, **more: Any) -> Recorded:
    return Recorded(
        started_lo=at(start),
        started_hi=at(start),
        ended_lo=at(end) if end is not None else None,
        ended_hi=at(end) if end is not None else None,
        **more,
    )


def of(*outages: Recorded, gaps: tuple[tuple[int, int], ...] = (), **window: int) -> Statistics:
    """The statistics of an hour, or of the window given, in seconds."""
    moments = {"since": 0, "until": 3600, "now": 3600, "created_at": -1000} | window
    spans: list[Span] = [(at(start), at(end)) for start, end in gaps]
    return statistics(outages, spans, **{name: at(moment) for name, moment in moments.items()})


def test_an_outage_takes_its_time_from_the_availability() -> None:
    found = of(outage(600, 960))
    assert (found.outages.number, found.outages.off, found.outages.longest) == (
        1,
        timedelta(seconds=360),
        timedelta(seconds=360),
    )
    assert found.availability == found.availability_hi == 0.9
    assert found.outages.mean == timedelta(minutes=6)


def test_an_hour_without_outages_is_an_hour_with_power() -> None:
    found = of()
    assert (found.availability, found.outages.mean, found.unobserved) == (1.0, None, timedelta(0))


def test_the_least_is_told_beside_the_most() -> None:
    bounds = Recorded(started_lo=at(0), started_hi=at(360), ended_lo=at(720), ended_hi=at(900))
    found = of(bounds)
    assert (found.outages.off, found.outages.off_lo) == (timedelta(seconds=900), timedelta(seconds=360))
    assert (found.availability, found.availability_hi) == (0.75, 0.9)


def test_bounds_that_cross_leave_nothing_certain() -> None:
    bounds = Recorded(started_lo=at(0), started_hi=at(60), ended_lo=at(50), ended_hi=at(90))
    assert of(bounds).outages.off_lo == timedelta(0)


def test_an_outage_that_goes_on_runs_to_now() -> None:
    assert of(outage(3000)).outages.off == timedelta(seconds=600)
    assert of(outage(3000), until=9000, now=3100).outages.off == timedelta(seconds=100)
    assert of(outage(3000), until=3060).outages.off == timedelta(seconds=60)


def test_what_has_not_come_yet_is_not_observed() -> None:
    found = of(until=9000, now=1800)
    assert (found.until, found.observed) == (at(1800), timedelta(minutes=30))


def test_a_site_is_observed_from_when_it_was_made() -> None:
    found = of(created_at=2700)
    assert (found.since, found.observed) == (at(2700), timedelta(minutes=15))


@pytest.mark.parametrize("window", [{"created_at": 4000}, {"since": 5000, "until": 6000}, {"since": 100, "until": 50}])
def test_of_a_window_that_is_empty_nothing_is_known(window: Any) -> None:
    found = of(outage(0), **window)
    assert (found.observed, found.unobserved, found.availability) == (timedelta(0), timedelta(0), None)
    assert found.outages.number == found.unseen == 0


def test_time_in_which_we_were_blind_leaves_both_sides() -> None:
    found = of(outage(0, 900), gaps=((450, 2250),))
    assert (found.observed, found.unobserved) == (timedelta(seconds=1800), timedelta(seconds=1800))
    assert found.outages.off == timedelta(seconds=450)
    assert found.availability == 0.75


def test_gaps_that_overlap_count_once() -> None:
    assert of(gaps=((0, 600), (300, 900), (300, 400), (900, 1000))).observed == timedelta(seconds=2600)


def test_an_outage_while_nobody_watched_is_counted_apart() -> None:
    found = of(outage(500, 600), gaps=((450, 700),))
    assert (found.outages.number, found.outages.off, found.unseen, found.availability) == (0, timedelta(0), 1, 1.0)


def test_what_began_in_maintenance_is_counted_apart() -> None:
    found = of(outage(0, 100), outage(1000, 1900, maintenance=True))
    assert (found.outages.number, found.outages.longest) == (1, timedelta(seconds=100))
    assert (found.planned.number, found.planned.off) == (1, timedelta(seconds=900))
    assert found.availability == pytest.approx(1 - 100 / 3600)


def test_momentary_interruptions_are_only_numbered() -> None:
    found = of(outage(10, 12, momentary=True), outage(20, 21, momentary=True, maintenance=True))
    assert (found.momentary, found.outages.number, found.planned.number, found.availability) == (1, 0, 0, 1.0)


def test_what_was_retracted_never_was() -> None:
    assert of(outage(0, 100, retracted=True), outage(200, retracted=True)) == of()


def test_an_outage_of_no_length_is_one_all_the_same() -> None:
    assert of(outage(100, 100)).outages.number == 1
    assert of(outage(100, 100), gaps=((100, 101),)).unseen == 1


@pytest.mark.parametrize(("start", "end", "number"), [(-50, 0, 0), (-50, 1, 1), (3600, 3700, 0), (3599, 3700, 1)])
def test_an_outage_belongs_to_the_window_it_overlaps(start: int, end: int, number: int) -> None:
    assert of(outage(start, end)).outages.number == number


seconds = st.integers(-5, LAST + 5)


@st.composite
def outages_(draw: st.DrawFn) -> Recorded:
    start = draw(seconds)
    length, slack = draw(st.integers(0, 15)), draw(st.integers(0, 5))
    over = draw(st.booleans())
    return Recorded(
        started_lo=at(start),
        started_hi=at(start + slack),
        ended_lo=at(start + length - min(length, draw(st.integers(0, 5)))) if over else None,
        ended_hi=at(start + length) if over else None,
        retracted=draw(st.booleans()),
        momentary=draw(st.booleans()),
        maintenance=draw(st.booleans()),
    )


def modelled(
    outages: list[Recorded], gaps: list[tuple[int, int]], since: int, until: int, now: int, created: int
) -> dict[str, Any]:
    """The same, second by second."""
    window = range(max(since, created), min(until, now))
    observed = [s for s in window if not any(start <= s < end for start, end in gaps)]

    def shown(one: Recorded) -> set[int]:
        start = second(one.started_lo)
        end = now if one.ended_hi is None else second(one.ended_hi)
        return set(range(start, max(end, start + 1)))

    def off(chosen: list[Recorded], lo: bool = False) -> int:
        dark: set[int] = set()
        for one in chosen:
            last = one.ended_lo if lo else one.ended_hi
            first = one.started_hi if lo else one.started_lo
            dark |= set(range(second(first), now if last is None else second(last)))
        return len(dark & set(observed))

    kept = [one for one in outages if not one.retracted]
    plain = [one for one in kept if not one.momentary and not one.maintenance and shown(one) & set(observed)]
    planned = [one for one in kept if not one.momentary and one.maintenance and shown(one) & set(observed)]
    unseen = [
        one
        for one in kept
        if not one.momentary and not one.maintenance and shown(one) & set(window) and not shown(one) & set(observed)
    ]
    return {
        "observed": len(observed),
        "unobserved": len(window) - len(observed),
        "outages": (len(plain), off(plain), off(plain, lo=True), max((off([one]) for one in plain), default=0)),
        "planned": (len(planned), off(planned), off(planned, lo=True), max((off([one]) for one in planned), default=0)),
        "momentary": sum(one.momentary and not one.maintenance and bool(shown(one) & set(observed)) for one in kept),
        "unseen": len(unseen),
        "availability": 1 - off(plain) / len(observed) if observed else None,
    }


@given(
    outages=st.lists(outages_(), max_size=6),
    gaps=st.lists(st.tuples(seconds, seconds), max_size=5),
    since=seconds,
    until=seconds,
    now=seconds,
    created=seconds,
)
def test_they_agree_with_a_model_that_looks_at_every_second(
    outages: list[Recorded], gaps: list[tuple[int, int]], since: int, until: int, now: int, created: int
) -> None:
    # What goes on has begun.
    outages = [
        one if one.ended_hi or second(one.started_lo) < now else replace(one, ended_hi=one.started_lo)
        for one in outages
    ]
    found = of(*outages, gaps=tuple(gaps), since=since, until=until, now=now, created_at=created)

    def told(tally: Any) -> tuple[int, int, int, int]:
        return tally.number, *(int(x.total_seconds()) for x in (tally.off, tally.off_lo, tally.longest))

    assert {
        "observed": int(found.observed.total_seconds()),
        "unobserved": int(found.unobserved.total_seconds()),
        "outages": told(found.outages),
        "planned": told(found.planned),
        "momentary": found.momentary,
        "unseen": found.unseen,
        "availability": found.availability,
    } == modelled(outages, gaps, since, until, now, created)
    if found.availability is not None and found.availability_hi is not None:
        assert 0 <= found.availability <= found.availability_hi <= 1
