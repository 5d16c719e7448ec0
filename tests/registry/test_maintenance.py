"""Maintenance windows keep the wall clock of their zone, through both nights when it changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svitlo.errors import UserError
from svitlo.maintenance import Window, check, next_occurrence, occurrences, parse_rrule, spans

KYIV = ZoneInfo("Europe/Kyiv")
"""From EET to EEST on 2027-03-28 at 03:00 (then 04:00), back on 2026-10-25 at 04:00 (then 03:00)."""
FOREVER = datetime(2100, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def window(
    local: str, rrule: str | None = None, *, hours: float = 2, zone: str = "Europe/Kyiv", fold: int = 0
) -> Window:
    start = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)
    rule = parse_rrule(rrule) if rrule else None
    return Window(1, "home", True, start, int(hours * 3600), zone, rule)


def kyiv(local: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=KYIV, fold=fold).astimezone(UTC)


def starts(planned: Window, since: str, until: str) -> list[str]:
    found = occurrences(planned, kyiv(since), kyiv(until))
    return [start.astimezone(KYIV).isoformat(" ", "minutes") for start, _ in found]


def test_a_window_without_a_rule_happens_once() -> None:
    planned = window("2026-11-24 09:00")
    span = (kyiv("2026-11-24 09:00"), kyiv("2026-11-24 11:00"))
    assert occurrences(planned, kyiv("2026-01-01"), FOREVER) == [span]
    assert span[0].tzinfo is UTC


def test_an_occurrence_counts_from_its_start_to_just_before_its_end() -> None:
    planned = window("2026-11-24 09:00")
    start, end = kyiv("2026-11-24 09:00"), kyiv("2026-11-24 11:00")
    second = timedelta(seconds=1)
    assert occurrences(planned, end - second, FOREVER)
    assert not occurrences(planned, end, FOREVER)
    assert occurrences(planned, start - HOUR, start + second)
    assert not occurrences(planned, start - HOUR, start)


def test_a_weekly_window_stays_at_nine_when_summer_time_begins() -> None:
    planned = window("2027-03-22 09:00", "weekly")
    assert starts(planned, "2027-03-20", "2027-04-06") == [
        "2027-03-22 09:00+02:00",
        "2027-03-29 09:00+03:00",
        "2027-04-05 09:00+03:00",
    ]


def test_a_weekly_window_stays_at_nine_when_summer_time_ends() -> None:
    planned = window("2026-10-19 09:00", "weekly")
    assert starts(planned, "2026-10-18", "2026-10-27") == ["2026-10-19 09:00+03:00", "2026-10-26 09:00+02:00"]


def test_a_local_time_that_the_spring_night_leaves_out_takes_the_offset_before() -> None:
    planned = window("2027-03-26 03:30", "daily")
    assert starts(planned, "2027-03-27", "2027-03-30") == [
        "2027-03-27 03:30+02:00",
        "2027-03-28 04:30+03:00",
        "2027-03-29 03:30+03:00",
    ]


def test_a_local_time_that_comes_twice_is_the_first_one() -> None:
    planned = window("2026-10-24 03:30", "daily")
    assert starts(planned, "2026-10-25", "2026-10-26") == ["2026-10-25 03:30+03:00"]


def test_a_first_occurrence_in_the_repeated_hour_stays_where_it_was_put() -> None:
    planned = window("2026-10-25 03:30", "daily", fold=1)
    assert starts(planned, "2026-10-25", "2026-10-27") == ["2026-10-25 03:30+02:00", "2026-10-26 03:30+02:00"]
    check(planned)


def test_a_window_over_midnight_is_found_the_morning_after() -> None:
    planned = window("2026-11-24 23:00", "weekly", hours=4)
    assert starts(planned, "2026-12-02 01:00", "2026-12-02 02:00") == ["2026-12-01 23:00+02:00"]


@pytest.mark.parametrize("night", ["2026-10-24", "2027-03-27"])
def test_a_window_over_a_night_of_change_lasts_as_long_as_any(night: str) -> None:
    ((start, end),) = occurrences(window(f"{night} 23:00", hours=8), kyiv(night), FOREVER)
    assert end - start == timedelta(hours=8)


def test_the_date_in_utc_may_be_another_than_the_local_one() -> None:
    planned = window("2026-11-24 01:00", "FREQ=WEEKLY;BYDAY=TU")
    assert starts(planned, "2026-11-24", "2026-12-05") == ["2026-11-24 01:00+02:00", "2026-12-01 01:00+02:00"]
    check(planned)


def test_another_zone_keeps_a_clock_of_its_own() -> None:
    planned = window("2026-10-26 09:00", "weekly", zone="America/New_York")
    assert [start.hour for start, _ in occurrences(planned, kyiv("2026-10-20"), kyiv("2026-11-05"))] == [13, 14]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20261126", "2026-11-26 09:00+02:00"),
        ("20261126T090000", "2026-11-26 09:00+02:00"),
        ("20261126T070000Z", "2026-11-26 09:00+02:00"),
        ("20261126T065959Z", "2026-11-25 09:00+02:00"),
    ],
)
def test_a_rule_ends_with_its_last_day_or_moment(until: str, last: str) -> None:
    planned = window("2026-11-24 09:00", f"FREQ=DAILY;UNTIL={until}")
    assert starts(planned, "2026-11-01", "2027-01-01")[-1] == last


def test_a_rule_ends_after_its_count() -> None:
    planned = window("2026-11-24 09:00", "FREQ=DAILY;COUNT=2")
    assert len(occurrences(planned, kyiv("2026-01-01"), FOREVER)) == 2
    assert next_occurrence(planned, kyiv("2026-11-26")) is None


def test_the_next_occurrence_is_the_one_that_goes_on_or_else_the_one_to_come() -> None:
    planned = window("2026-11-24 09:00", "daily")
    monday, tuesday = kyiv("2026-11-24 09:00"), kyiv("2026-11-25 09:00")
    assert next_occurrence(planned, kyiv("2026-11-01")) == (monday, monday + 2 * HOUR)
    assert next_occurrence(planned, monday + HOUR) == (monday, monday + 2 * HOUR)
    assert next_occurrence(planned, monday + 2 * HOUR) == (tuesday, tuesday + 2 * HOUR)
    assert next_occurrence(window("2026-11-24 09:00"), tuesday) is None


def test_spans_join_what_overlaps_or_touches() -> None:
    windows = [
        window("2026-11-24 12:00"),
        window("2026-11-24 09:00"),
        window("2026-11-24 11:00", hours=0.5),
        window("2026-11-24 09:30", hours=1),
    ]
    assert spans(windows, kyiv("2026-11-24"), FOREVER) == (
        (kyiv("2026-11-24 09:00"), kyiv("2026-11-24 11:30")),
        (kyiv("2026-11-24 12:00"), kyiv("2026-11-24 14:00")),
    )


def test_an_old_daily_rule_is_still_expanded_at_once() -> None:
    planned = window("1990-01-01 09:00", "daily")
    assert len(occurrences(planned, kyiv("2026-11-01"), kyiv("2026-12-01"))) == 30


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("daily", "FREQ=DAILY"),
        ("Weekly", "FREQ=WEEKLY"),
        ("monthly", "FREQ=MONTHLY"),
        ("yearly", "FREQ=YEARLY"),
        (" rrule:freq=weekly;byday=mo,we ", "FREQ=WEEKLY;BYDAY=MO,WE"),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=12", "FREQ=MONTHLY;BYDAY=-1FR;COUNT=12"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
    ],
)
def test_a_recurrence_is_kept_as_a_rule(given_: str, kept: str) -> None:
    assert parse_rrule(given_) == kept


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ("", "write daily, weekly, monthly or a rule"),
        ("hourly", "write daily, weekly, monthly or a rule"),
        ("FREQ=SECONDLY", "write DAILY, WEEKLY, MONTHLY, YEARLY"),
        ("FREQ=HOURLY", "write DAILY, WEEKLY, MONTHLY, YEARLY"),
        ("FREQ=DAILY;BYHOUR=1,2", "BYHOUR cannot stand"),
        ("FREQ=DAILY;BYSECOND=1", "BYSECOND cannot stand"),
        ("FREQ=DAILY;INTERVAL=0", "1 to 1000"),
        ("FREQ=DAILY;COUNT=0", "1 to 10000"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "leave one of them out"),
        ("FREQ=DAILY;UNTIL=20271301", "not a recurrence rule"),
        ("FREQ=DAILY;FREQ=DAILY", "stands twice"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY=XX is not possible"),
        ("FREQ=WEEKLY;BYDAY=", "BYDAY= is not possible"),
        ("FREQ=YEARLY;BYMONTH=13", "1 to 12"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "1 to 31"),
        ("FREQ=DAILY\nEXDATE:20270101", "is not possible"),
        ("FREQ=DAILY;", "write daily, weekly, monthly or a rule"),
        ("FREQ=WEEKLY;BYDAY=" + ",".join(["MO"] * 70), "200 characters"),
    ],
)
def test_what_is_no_recurrence_is_refused_with_what_to_write(given_: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        parse_rrule(given_)


@pytest.mark.parametrize(
    ("planned", "says"),
    [
        (window("2026-11-24 09:00", hours=0), "from a second to 14 days"),
        (window("2026-11-24 09:00", hours=14 * 24 + 1), "from a second to 14 days"),
        (window("2026-11-24 09:00", "FREQ=WEEKLY;BYDAY=MO"), "2026-11-30 for example"),
        (window("2026-11-24 09:00", "FREQ=DAILY;UNTIL=20261123"), "never comes true"),
        (Window(1, "home", True, kyiv("2026-11-24"), 60, "Mars/Olympus"), "Europe/Kyiv"),
        (Window(1, "home", True, kyiv("2026-11-24"), 60, "../etc/passwd"), "Europe/Kyiv"),
    ],
)
def test_a_window_that_cannot_be_is_refused_with_what_to_write(planned: Window, says: str) -> None:
    with pytest.raises(UserError, match=says):
        check(planned)


RULES = st.sampled_from(["daily", "weekly", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;INTERVAL=2", "monthly"])
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(lambda at: at.replace(microsecond=0))


@given(MOMENTS, RULES, MOMENTS, st.integers(1, 14 * 86_400), st.timedeltas(HOUR, timedelta(days=40)))
def test_a_window_shows_the_same_however_it_is_looked_at(
    first: datetime, rule: str, since: datetime, duration_s: int, length: timedelta
) -> None:
    """Two halves of a span find together what the whole finds, and no moment of an occurrence is missed."""
    start, since = first.replace(tzinfo=UTC), since.replace(tzinfo=UTC)
    planned = Window(1, "home", True, start, duration_s, "Europe/Kyiv", parse_rrule(rule))
    middle, until = since + length / 2, since + length
    whole = occurrences(planned, since, until)
    assert whole == sorted(set(occurrences(planned, since, middle)) | set(occurrences(planned, middle, until)))
    assert whole == [span for span in occurrences(planned, start, until) if span[1] > since]
    for begin, end in whole:
        assert begin < until
        assert end > since
        assert end - begin == timedelta(seconds=duration_s)
