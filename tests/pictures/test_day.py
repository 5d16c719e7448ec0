"""A day on the scale of 24 hours, nights of changing clocks too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from svitlo.pictures.day import bounds, on_scale, stretches

KYIV = ZoneInfo("Europe/Kyiv")
PLAIN, LONG, SHORT = date(2026, 11, 18), date(2026, 10, 25), date(2026, 3, 29)


def utc(day: date, hour: float) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def shown(day: date, start: float, end: float, zone: ZoneInfo = KYIV) -> list[tuple[float, float]]:
    """Where hours of a day, counted in UTC, lie."""
    span = utc(day, start), utc(day, end)
    return [(round(since, 6), round(until, 6)) for since, until in on_scale(span, stretches(day, zone))]


@pytest.mark.parametrize(("day", "hours"), [(PLAIN, 24), (LONG, 25), (SHORT, 23)])
def test_a_day_is_as_long_as_its_clock_says_and_fills_the_scale(day: date, hours: int) -> None:
    since, until = bounds(day, KYIV)
    assert until - since == timedelta(hours=hours)
    parts = stretches(day, KYIV)
    assert (parts[0].since, parts[-1].until, parts[0].start, parts[-1].end) == (since, until, 0.0, 24.0)
    assert all(one.until == other.since for one, other in pairwise(parts))


def test_an_ordinary_hour_stands_where_the_clock_shows_it() -> None:
    assert shown(PLAIN, 10.25, 12.5) == [(12.25, 14.5)]  # Kyiv is two hours ahead


def test_spans_are_cut_at_midnight_and_those_of_other_days_left_out() -> None:
    assert shown(PLAIN, 20, 30) == [(22.0, 24.0)]
    assert shown(PLAIN, -10, -2) == []


def test_the_hour_that_comes_twice_shares_its_room() -> None:
    # The clock goes from 04:00 back to 03:00 at 01:00 UTC.
    assert shown(LONG, 0, 1) == [(3.0, 3.5)]
    assert shown(LONG, 1, 2) == [(3.5, 4.0)]
    assert shown(LONG, -1, 3) == [(2.0, 5.0)]
    assert shown(LONG, 10, 11) == [(12.0, 13.0)]


def test_the_hour_that_never_was_stays_empty() -> None:
    # The clock goes from 03:00 on to 04:00 at 01:00 UTC.
    assert shown(SHORT, 0, 2) == [(2.0, 3.0), (4.0, 5.0)]
    assert shown(SHORT, 10, 11) == [(13.0, 14.0)]


def test_a_change_by_half_an_hour_and_one_at_midnight_are_no_exceptions() -> None:
    half = stretches(date(2026, 4, 5), ZoneInfo("Australia/Lord_Howe"))  # 02:00 back to 01:30
    assert [(part.start, part.end) for part in half] == [(0.0, 1.5), (1.5, 1.75), (1.75, 2.0), (2.0, 24.0)]
    night = stretches(date(2026, 4, 24), ZoneInfo("Africa/Cairo"))  # 00:00 on to 01:00
    assert [(part.start, part.end) for part in night] == [(1.0, 24.0)]
