"""An explanation works out again what the detector made of it: both must come to the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.api.why import Board, remembered_of_device, remembered_of_site
from services.api.why.facts import BoardMemory
from services.api.why.judge import Watch, confirmed_at, silence_counts_at, standing_of, vote_of, will_counts_at
from services.api.why.model import Vote
from services.detector.core import device as core_device
from services.detector.core import place as core_place
from services.detector.core import site as core_site
from services.detector.core import waiting
from services.detector.core.dark import Dark
from services.detector.core.device import DeviceState, Liveness
from services.detector.core.policy import Policy as CorePolicy
from svitlo.contracts import Cause, ChildTally, EvidenceKind, PowerState
from tests.api.explained import POLICY, ago, board, site

CHILDREN = ChildTally(total=12, on=8, partial=1, off=3, unknown=0)
CORE = CorePolicy(
    misses=2,
    grace=timedelta(seconds=3),
    will_hold=timedelta(seconds=2),
    birth_hold=timedelta(seconds=1),
    reconnect=timedelta(seconds=45),
    confirm_off=timedelta(0),
    confirm_on=timedelta(0),
    pause_limit=timedelta(hours=1),
)


moments = st.none() | st.integers(0, 200).map(ago)
livenesses = st.sampled_from([liveness.value for liveness in Liveness])
boards_ = st.lists(
    st.builds(
        lambda liveness, heard, weight: board("x", liveness, heard, weight=weight),
        livenesses,
        st.none() | st.integers(0, 200),
        st.integers(1, 5),
    ),
    max_size=5,
)


def core_of(one: Board) -> DeviceState:
    return DeviceState(
        liveness=Liveness(one.liveness),
        boot="9f3c01ab",
        conn=3,
        interval_s=one.interval_s,
        last_proof_at=one.last_proof_at,
        paused_at=one.paused_at,
        session_at=one.memory.session_at,
        will_at=one.memory.will_at,
        quiet=one.memory.quiet,
    )


@given(boards=boards_, rule=st.sampled_from(core_place.Rule), k=st.integers(1, 8), since=moments)
def test_the_verdict_is_the_detectors(
    boards: list[Board], rule: core_place.Rule, k: int, since: datetime | None
) -> None:
    watch, core_watch = Watch(True, since), core_device.Watch(since)
    votes = {str(n): core_site.vote(core_of(one), core_watch) for n, one in enumerate(boards)}
    place = core_place.Place(devices={str(n): one.weight for n, one in enumerate(boards)}, rule=rule, k=k)
    standing = standing_of(site(rule=rule.value, k=k if rule is core_place.Rule.K else None), boards, watch)
    assert [vote_of(one, watch).value for one in boards] == [vote.value for vote in votes.values()]
    assert standing.verdict.value == core_place.decide(place, votes).value
    if standing.needs is not None and standing.needs <= standing.voters:
        assert (standing.weight[Vote.ALIVE] >= standing.needs) == (standing.verdict == "on")


@given(
    liveness=st.sampled_from(["late", "paused", "lost", "never_seen"]),
    heard=st.none() | st.integers(0, 200),
    quiet=st.integers(0, 60),
    since=moments,
    interval=st.integers(1, 40),
)
def test_silence_counts_when_the_detector_says(
    liveness: str, heard: int | None, quiet: int, since: datetime | None, interval: int
) -> None:
    memory = BoardMemory(quiet=timedelta(seconds=quiet))
    paused_at = ago(100) if liveness == "paused" else None
    one = board("x", liveness, heard, interval_s=interval, memory=memory, paused_at=paused_at)
    # Neither late nor anything else than silence is due for these.
    due = waiting.next_deadline(core_of(one), CORE, core_device.Watch(since))
    assert silence_counts_at(one, POLICY, Watch(True, since)) == due


@given(will=st.integers(0, 100), session=st.none() | st.integers(0, 300), since=moments)
def test_a_will_counts_when_the_detector_says(will: int, session: int | None, since: datetime | None) -> None:
    memory = BoardMemory(will_at=ago(will), session_at=None if session is None else ago(session))
    one = board("x", "lost", memory=memory)  # for which no silence is due
    due = waiting.next_deadline(core_of(one), CORE, core_device.Watch(since))
    assert will_counts_at(one, POLICY, Watch(True, since)) == due


@given(
    power=st.sampled_from(PowerState),
    pending=st.sampled_from([None, "on", "off", "unknown"]),
    pending_at=moments,
    confirm=st.none() | st.integers(0, 90),
)
def test_a_verdict_is_confirmed_when_the_detector_says(
    power: PowerState, pending: str | None, pending_at: datetime | None, confirm: int | None
) -> None:
    wait = None if confirm is None else timedelta(seconds=confirm)
    state = core_site.SiteState(
        power=power, pending=core_place.Verdict(pending) if pending else None, pending_at=pending_at
    )
    mine = site(
        "on",
        power.value,
        confirm_off_s=confirm,
        confirm_on_s=confirm,
        memory=remembered_of_site(msgspec.json.encode(state).decode()),
    )
    place = core_place.Place(confirm_off=wait, confirm_on=wait)
    assert confirmed_at(mine, POLICY) == core_site.due_at(state, place, CORE)


def test_what_the_detector_remembers_is_read() -> None:
    dark = Dark(2, ago(109), ago(86), boot="a", cause=Cause.POWER, blind=True)
    device = DeviceState(
        liveness=Liveness.LOST,
        lost_by=EvidenceKind.LWT,
        session_at=ago(500),
        will_at=ago(3),
        quiet=timedelta(seconds=12.5),
        dark=dark,
    )
    memory = remembered_of_device(msgspec.json.encode(device).decode())
    assert (memory.session_at, memory.will_at, memory.quiet) == (ago(500), ago(3), timedelta(seconds=12.5))
    assert memory.dark is not None
    assert (memory.dark.start_lo, memory.dark.end_hi, memory.dark.cause, memory.dark.blind) == (
        ago(109),
        None,
        "power",
        True,
    )
    state = core_site.SiteState(
        pending=core_place.Verdict.OFF,
        pending_at=ago(3),
        pending_for=timedelta(seconds=3),
        hold_until=ago(1),
        unstable=core_site.Unstable(ago(900), 7, timedelta(seconds=60), ago(60), UUID(int=1)),
        children=CHILDREN,
    )
    known = remembered_of_site(msgspec.json.encode(state).decode())
    assert (known.pending, known.pending_at, known.pending_for) == ("off", ago(3), timedelta(seconds=3))
    assert known.unstable is not None
    assert (known.unstable.changes, known.hold_until, known.children) == (7, ago(1), CHILDREN)
