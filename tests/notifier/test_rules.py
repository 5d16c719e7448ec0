"""What a chat wants of an event, on made-up clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.rules import ALL_KINDS, Facts, Held, Quiet, Rule, Tell, decide
from svitlo.contracts import EventKind, PowerState

KYIV = ZoneInfo("Europe/Kyiv")
NOON = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)  # 12:00 in Kyiv
NIGHT = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # 01:30 in Kyiv
LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED
ZONES = [ZoneInfo(name) for name in ("Europe/Kyiv", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")]
minutes = st.integers(0, 1439)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


def facts(kind: EventKind, started: datetime, **known: object) -> Facts:
    return Facts(kind=kind, started=started, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "choice"),
    [
        (LOST, "lost"),
        (RESTORED, "restored"),
        (EventKind.UNSTABLE, "unstable"),
        (EventKind.STABLE, "unstable"),
    ],
)
def test_a_kind_is_told_to_those_who_chose_it(kind: EventKind, choice: str) -> None:
    assert decide(Rule(kinds=frozenset((choice,))), facts(kind, NOON), KYIV, NOON) == Tell()
    assert decide(Rule(kinds=ALL_KINDS - {choice}), facts(kind, NOON), KYIV, NOON) is None


def test_a_correction_goes_to_those_who_were_told_and_a_retraction_to_all_who_want_ends() -> None:
    refined, retracted = facts(REVISED, NOON, told=True), facts(REVISED, NOON, told=True, retracted=True)
    ends = Rule(kinds=frozenset(("lost", "restored")))
    assert decide(ends, refined, KYIV, NOON) is None
    assert decide(ends, retracted, KYIV, NOON) == Tell()
    assert decide(Rule(), facts(REVISED, NOON, retracted=True), KYIV, NOON) is None


OFF, ON = PowerState.OFF, PowerState.ON


@pytest.mark.parametrize(
    ("kinds", "power", "told", "said"),
    [
        ({"lost"}, OFF, False, True),
        ({"lost"}, OFF, True, True),
        ({"lost"}, ON, True, False),
        ({"restored"}, ON, False, True),
        ({"restored"}, OFF, False, False),
        ({"lost", "restored"}, ON, True, True),
        ({"lost", "restored"}, ON, False, False),
        ({"lost", "restored"}, PowerState.UNKNOWN, True, False),
        ({"unstable"}, PowerState.UNKNOWN, False, True),
    ],
)
def test_without_flicker_its_end_is_the_loss_or_the_return_it_left(
    kinds: set[str], power: PowerState, told: bool, said: bool
) -> None:
    known = facts(EventKind.STABLE, NOON, ended=NOON, power=power, told=told)
    assert (decide(Rule(kinds=frozenset(kinds)), known, KYIV, NOON) is not None) is said


def test_only_if_longer_keeps_a_loss_back_for_so_long() -> None:
    rule = Rule(min_minutes=10)
    started = NOON - timedelta(minutes=1)
    assert decide(rule, facts(LOST, started), KYIV, NOON) == Tell(False, started + timedelta(minutes=10), Held.LONG)
    assert decide(rule, facts(LOST, NOON - timedelta(minutes=10)), KYIV, NOON) == Tell()


def test_a_loss_that_did_not_last_is_not_told_however_late_it_is_found() -> None:
    rule, started = Rule(min_minutes=10), NOON - timedelta(hours=1)
    short, long = started + timedelta(minutes=9), started + timedelta(minutes=10)
    assert decide(rule, facts(LOST, started, ended=short), KYIV, NOON) is None
    assert decide(rule, facts(LOST, started, ended=long), KYIV, NOON) == Tell()
    assert decide(Rule(), facts(LOST, started, ended=short), KYIV, NOON) == Tell()


@pytest.mark.parametrize(("waits", "long"), [(True, True), (False, False)])
def test_a_refinement_waits_with_the_loss_that_waits_for_its_length(waits: bool, long: bool) -> None:
    until = NOON + timedelta(minutes=10)
    refined = facts(REVISED, NOON, told=True, waits=waits)
    assert decide(Rule(min_minutes=10), refined, KYIV, NOON) == (Tell(False, until, Held.LONG) if long else Tell())
    assert decide(Rule(min_minutes=10), replace(refined, retracted=True), KYIV, NOON) == Tell()


@pytest.mark.parametrize(("lasted", "told", "said"), [(9, False, False), (9, True, True), (10, False, True)])
def test_a_return_is_told_if_the_loss_was_or_if_it_lasted(lasted: int, told: bool, said: bool) -> None:
    known = facts(RESTORED, NOON, ended=NOON + timedelta(minutes=lasted), told=told)
    assert (decide(Rule(min_minutes=10), known, KYIV, NOON) is not None) is said


def test_quiet_hours_take_the_sound_or_hold() -> None:
    silent, hold = Quiet(23 * 60, 7 * 60), Quiet(23 * 60, 7 * 60, hold=True)
    morning = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
    assert decide(Rule(quiet=silent), facts(LOST, NIGHT), KYIV, NIGHT) == Tell(silent=True)
    assert decide(Rule(quiet=hold), facts(LOST, NIGHT), KYIV, NIGHT) == Tell(False, morning, Held.QUIET)
    assert decide(Rule(quiet=hold), facts(LOST, NOON), KYIV, NOON) == Tell()


def test_a_mute_holds_until_its_end_and_then_quiet_hours_hold_on() -> None:
    until = NOON + timedelta(hours=8)
    assert decide(Rule(muted_until=until), facts(LOST, NOON), KYIV, NOON) == Tell(False, until, Held.MUTE)
    assert decide(Rule(muted_until=NOON), facts(LOST, NOON), KYIV, NOON) == Tell()
    into_night = Rule(muted_until=NIGHT, quiet=Quiet(23 * 60, 7 * 60, hold=True))
    tell = decide(into_night, facts(LOST, NOON), KYIV, NOON)
    assert tell is not None
    assert tell.not_before == datetime(2026, 11, 21, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        # The clock leaps from 3:00 to 4:00: an end at 3:30 comes at 4:30.
        (datetime(2027, 3, 28, 0, 30, tzinfo=UTC), datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),
        # It goes back from 4:00 to 3:00: the later 3:30 ends the quiet.
        (datetime(2026, 10, 25, 0, 15, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 1, 15, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_the_nights_the_clock_is_set(moment: datetime, end: datetime) -> None:
    assert Quiet(23 * 60, 3 * 60 + 30).until(moment, KYIV) == end


@given(minutes, minutes, moments, st.sampled_from(ZONES))
def test_quiet_ends_within_a_day_and_then_it_is_not_quiet(start: int, end: int, now: datetime, zone: ZoneInfo) -> None:
    quiet = Quiet(start, end)
    until = quiet.until(now, zone)
    if until is not None:
        assert now < until <= now + timedelta(hours=25, minutes=30)
        if start != end:
            # Where the clock is set back over the start, quiet begins anew.
            later = quiet.until(until, zone)
            assert later is None or later > until
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    inside = start <= minute < end if start < end else minute >= start or minute < end
    set_today = local.utcoffset() != (local + timedelta(days=1)).utcoffset() or local.utcoffset() != (
        (now - timedelta(days=1)).astimezone(zone).utcoffset()
    )
    if not set_today:
        assert (until is not None) is inside


@given(
    st.sampled_from(list(EventKind)).filter(lambda kind: kind is not EventKind.MOMENTARY),
    st.sets(st.sampled_from(sorted(ALL_KINDS))),
    st.integers(0, 120),
    st.none() | st.builds(Quiet, minutes, minutes, st.booleans()),
    st.none() | moments,
    moments,
    st.integers(0, 10_000),
    st.booleans(),
    st.booleans(),
)
def test_what_is_kept_back_comes_later_and_has_a_reason(
    kind: EventKind,
    kinds: set[str],
    min_minutes: int,
    quiet: Quiet | None,
    muted: datetime | None,
    now: datetime,
    ago_s: int,
    retracted: bool,
    told: bool,
) -> None:
    rule = Rule(kinds=frozenset(kinds), min_minutes=min_minutes, quiet=quiet, muted_until=muted)
    known = Facts(kind=kind, started=now - timedelta(seconds=ago_s), ended=now, retracted=retracted, told=told)
    tell = decide(rule, known, KYIV, now)
    if tell is None:
        assert kinds != ALL_KINDS or min_minutes or kind is REVISED
        return
    assert (tell.not_before is None) is (tell.held is None)
    assert tell.not_before is None or tell.not_before > now
    assert not (tell.silent and quiet is None)
    if muted is not None and muted > now:
        assert tell.not_before is not None
        assert tell.not_before >= muted
