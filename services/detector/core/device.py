"""Is this device alive? `never_seen -> online -> late -> lost`, and `paused` after a goodbye.

A device's session is its boot id and its connection count. Only the current session can end a life: the will of an
older one arrives late (take-over by the same client id, a slow network) and says nothing about the board that talks
now.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, StrEnum
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from services.detector.core.dark import Dark, clamped, ended_by_beat, ended_by_birth, noted
from services.detector.core.dark import rewound as dark_rewound
from services.detector.core.observation import Note, Observation, ObservationKind
from services.detector.core.policy import Policy
from svitlo.contracts import Cause, EvidenceKind, JournalKind

NOTHING = timedelta(0)

DRIFT = 10_000
"""One part in so many a board's clock may be off (100 ppm; crystals are better)."""

USUAL_DELAY = timedelta(seconds=1.5)
"""A heartbeat is later than others of its boot by less than this: its uptime is rounded to seconds."""

MOST_DELAY = timedelta(seconds=60)
"""A heartbeat that seems later than this comes from a board whose uptime is not what we took it for."""


class Liveness(StrEnum):
    """What we hold of a device."""

    NEVER_SEEN = "never_seen"
    ONLINE = "online"
    LATE = "late"
    LOST = "lost"
    PAUSED = "paused"


class Session(Enum):
    """How a message's session stands to the current one."""

    SAME = "same"
    NEWER = "newer"
    OLDER = "older"


class DeviceState(Struct, frozen=True, omit_defaults=True):
    """Everything remembered of a device. Times are UTC by our clock.

    `sensor` says that it tells of its mains. `last_proof_at` is when the last proof of power arrived, `powered_at`
    when it was sent as far as that can be told;
    `began_at` when the current boot began by the device's own uptime; `session_at` when we saw the current session
    begin. `lost_at` and `lost_by` are the first evidence of the last loss; `unpowered_at` is when the device last
    said that its mains is gone. `will_at` and `birth_at` hold a word that waits to be confirmed. `quiet` is silence
    we watched before we were last interrupted. `dark` is the newest span in which the device was not heard; `notes`
    is a journal that came before the heartbeat it explains.
    """

    liveness: Liveness = Liveness.NEVER_SEEN
    boot: str | None = None
    previous_boot: str | None = None
    conn: int = 0
    seq: int | None = None
    boots: int = 0
    sensor: bool = False
    interval_s: int = 10
    last_proof_at: datetime | None = None
    powered_at: datetime | None = None
    lost_at: datetime | None = None
    lost_by: EvidenceKind | None = None
    unpowered_at: datetime | None = None
    paused_at: datetime | None = None
    began_at: datetime | None = None
    session_at: datetime | None = None
    will_at: datetime | None = None
    birth_at: datetime | None = None
    returned_by: EvidenceKind | None = None
    quiet: timedelta = NOTHING
    dark: Dark | None = None
    notes: tuple[Note, ...] = ()


class Watch(Struct, frozen=True):
    """Since when we see without a break (None while we are blind), and how far that is proven.

    `proven_at` is when the newest echo was sent that came back through the broker: up to then our link carried.
    """

    since: datetime | None
    proven_at: datetime | None = None


_LIFE = (ObservationKind.BEAT, ObservationKind.BIRTH)
"""Words only a living board says. Heard live they are never old: what knew of a newer boot was wrong."""

_ALIVE = (Liveness.ONLINE, Liveness.LATE)


def session_of(state: DeviceState, observation: Observation) -> Session:
    """Compare a message's session with the current one."""
    if observation.boot == state.boot:
        if observation.conn == state.conn:
            return Session.SAME
        return Session.NEWER if observation.conn > state.conn else Session.OLDER
    if observation.boot == state.previous_boot and observation.kind not in _LIFE:
        return Session.OLDER
    return Session.NEWER


def observe_device(state: DeviceState, observation: Observation, watch: Watch) -> DeviceState:
    """The device after a message; the same object when the message changes nothing."""
    if observation.kind is ObservationKind.JOURNAL:
        return state if observation.retained else _journal(state, observation, watch)
    session = Session.NEWER if state.boot is None else session_of(state, observation)
    if session is Session.OLDER:
        return state
    if observation.retained:
        return _remember(state, observation, session)
    match observation.kind:
        case ObservationKind.BEAT:
            return _beat(state, observation, session, watch)
        case ObservationKind.BIRTH:
            return _birth(state, observation, session, watch)
        case ObservationKind.WILL:
            return _will(state, observation, session)
        case ObservationKind.GOODBYE:
            return _goodbye(state, observation, session)
        case _:
            return _mains_lost(_adopt(state, observation, session), observation.at, watch)


def tick_device(state: DeviceState, now: datetime, policy: Policy, watch: Watch) -> DeviceState:
    """The device once `now` has come; the same object when no deadline of its own has passed.

    Neither a will nor silence counts before an echo sent after it is back: a broker that stops publishes every will
    first and may hold our socket open for seconds; one that stands still lets every board fall silent.
    """
    if state.birth_at is not None and now >= state.birth_at + policy.birth_hold:
        dark = ended_by_birth(state.dark, state.birth_at) if state.dark is not None else None
        return _proven(replace(state, dark=dark), state.birth_at, state.birth_at, EvidenceKind.BIRTH)
    if (waits := _journal_until(state)) is not None and state.dark is not None and now >= waits:
        return replace(state, dark=noted(state.dark, (), same_boot=True))
    if watch.since is None:
        return state
    proven_at = watch.proven_at or watch.since
    matures = _will_matures(state, policy, watch)
    if state.will_at is not None and matures is not None and now >= matures and proven_at > state.will_at:
        return _lost(state, state.will_at, EvidenceKind.LWT, watch)
    deadline = _silence_deadline(state, policy, watch)
    if deadline is not None and now >= deadline and proven_at >= deadline:
        return _lost(state, deadline, EvidenceKind.TIMEOUT, watch)
    if state.liveness is Liveness.ONLINE and (late := _late_at(state, policy, watch)) and now >= late:
        return replace(state, liveness=Liveness.LATE)
    return state


def next_deadline(state: DeviceState, policy: Policy, watch: Watch) -> datetime | None:
    """When `tick_device` would next change the device if nothing arrives; None if never."""
    candidates: list[datetime] = []
    if state.birth_at is not None:
        candidates.append(state.birth_at + policy.birth_hold)
    if (waits := _journal_until(state)) is not None:
        candidates.append(waits)
    if watch.since is not None:
        if (matures := _will_matures(state, policy, watch)) is not None:
            candidates.append(matures)
        if (deadline := _silence_deadline(state, policy, watch)) is not None:
            candidates.append(deadline)
        if state.liveness is Liveness.ONLINE and (late := _late_at(state, policy, watch)) is not None:
            candidates.append(late)
    return min(candidates, default=None)


def blinded(state: DeviceState) -> DeviceState:
    """The device when our link broke: a will that came with the break proves nothing (a broker told to stop
    publishes the will of every client before it closes), and boards need time to come back."""
    if state.will_at is None and not state.quiet:
        return state
    return replace(state, will_at=None, quiet=NOTHING)


def interrupted(state: DeviceState, since: datetime, until: datetime, policy: Policy) -> DeviceState:
    """The device when only we stopped, having watched from `since` to `until`: what silence we saw is kept.

    Else a detector that is restarted again and again would never find a dead board. A board that is well is silent
    for an interval at most, so only what is beyond that is counted.
    """
    state = state if state.will_at is None else replace(state, will_at=None)
    if state.liveness not in _ALIVE or state.last_proof_at is None:
        return state
    silent = until - max(since, state.last_proof_at) - policy.late_after(state.interval_s)
    return replace(state, quiet=state.quiet + silent) if silent > NOTHING else state


def observed(state: DeviceState, watch: Watch) -> bool:
    """Whether what we hold of the device was seen since we last began to watch."""
    return watch.since is not None and state.last_proof_at is not None and state.last_proof_at >= watch.since


def rewound(state: DeviceState, now: datetime) -> DeviceState:
    """The device after our clock was set back: nothing we hold can have happened later than `now`."""
    dark = dark_rewound(state.dark, now) if state.dark is not None else None
    return replace(clamped(state, now, _TIMES), will_at=None, birth_at=None, notes=(), dark=dark)


_TIMES = ("last_proof_at", "powered_at", "unpowered_at", "paused_at", "session_at", "began_at", "lost_at")


def _journal_until(state: DeviceState) -> datetime | None:
    return state.dark.journal_until if state.dark is not None else None


def _will_matures(state: DeviceState, policy: Policy, watch: Watch) -> datetime | None:
    """When the hold of a will ends; None for one that is not believed.

    A broker that stood still finds on waking the boards that gave it up meanwhile, and publishes their wills while
    they are on their way back: for as long as boards may need to return, only the will of a session that began under
    our eyes counts, and silence decides about the others.
    """
    if state.will_at is None or watch.since is None:
        return None
    fresh = state.session_at is not None and state.session_at >= watch.since
    if not fresh and state.will_at < watch.since + policy.settle(state.interval_s):
        return None
    return state.will_at + policy.will_hold


def _silence_deadline(state: DeviceState, policy: Policy, watch: Watch) -> datetime | None:
    if watch.since is None:
        return None
    if state.liveness is Liveness.PAUSED and state.paused_at is not None:
        return max(state.paused_at + policy.pause_limit, watch.since + policy.settle(state.interval_s))
    if state.liveness not in _ALIVE or state.last_proof_at is None:
        return None
    if state.last_proof_at >= watch.since:
        return state.last_proof_at + policy.timeout(state.interval_s)
    return watch.since + max(policy.settle(state.interval_s) - state.quiet, policy.late_after(state.interval_s))


def _late_at(state: DeviceState, policy: Policy, watch: Watch) -> datetime | None:
    if not observed(state, watch) or state.last_proof_at is None:
        return None
    return state.last_proof_at + policy.late_after(state.interval_s)


def _adopt(state: DeviceState, observation: Observation, session: Session) -> DeviceState:
    """Take over the session and interval a message speaks of."""
    if session is Session.SAME:
        return (
            state if state.interval_s == observation.interval_s else replace(state, interval_s=observation.interval_s)
        )
    new_boot = observation.boot != state.boot
    return replace(
        state,
        boot=observation.boot,
        previous_boot=state.boot if new_boot else state.previous_boot,
        conn=observation.conn,
        session_at=None if observation.retained else observation.at,
        seq=None if new_boot else state.seq,
        began_at=None if new_boot else state.began_at,
        interval_s=observation.interval_s,
    )


def _remember(state: DeviceState, observation: Observation, session: Session) -> DeviceState:
    """A retained message: restores a session nobody knows, never life. A kept goodbye still excuses silence.

    What we know ourselves is not given up for what the broker kept: that may be older (a lost save, an old volume).
    """
    if state.boot is None:
        state = _adopt(state, observation, session)
        if observation.kind is ObservationKind.BEAT:
            state = replace(state, seq=observation.seq, boots=observation.boots)
    if observation.kind is ObservationKind.GOODBYE and state.liveness in _ALIVE:
        return replace(state, liveness=Liveness.PAUSED, paused_at=observation.at)
    if observation.kind is ObservationKind.BEAT and observation.boot == state.boot and observation.mains is not False:
        return _sent_meanwhile(state, observation)
    return state


def _sent_meanwhile(state: DeviceState, beat: Observation) -> DeviceState:
    """A kept heartbeat of the boot we know: by its uptime it was sent later than the last one we heard.

    So the device had power until then, though nobody listened; whether it has power now it does not say.
    """
    if beat.uptime_s is None or state.began_at is None or state.liveness not in _ALIVE:
        return state
    sent = min(state.began_at + timedelta(0, beat.uptime_s), beat.at)
    if (beat.seq or 0) <= (state.seq or 0) or (state.powered_at is not None and sent <= state.powered_at):
        return state
    return replace(state, powered_at=sent)


def _beat(state: DeviceState, beat: Observation, session: Session, watch: Watch) -> DeviceState:
    if session is Session.SAME and state.seq is not None and (beat.seq or 0) <= state.seq:
        return state  # a duplicate, or one overtaken by a later beat
    began, sent = _dated(state, beat)
    if beat.mains is False:
        adopted = _adopt(state, beat, session)
        adopted = replace(adopted, seq=beat.seq, boots=beat.boots, sensor=True, began_at=began)
        return _mains_lost(adopted, beat.at, watch)
    dark = state.dark
    if (
        session is Session.SAME
        and state.liveness is Liveness.ONLINE
        and state.will_at is None
        and not state.quiet
        and (dark is None or not dark.unheard)
    ):
        # The common case, kept short: ten thousand boards come through here.
        return replace(
            state,
            seq=beat.seq,
            boots=beat.boots,
            sensor=beat.mains is not None,
            last_proof_at=beat.at,
            powered_at=sent,
            began_at=began,
            interval_s=beat.interval_s,
            birth_at=None,
        )
    if session is Session.SAME and _stale(state, beat, sent):
        # Sent before the evidence of its loss, it was only slow: it dates the loss and restores nothing.
        known = replace(dark, start_lo=max(dark.start_lo, sent)) if dark is not None else None
        return replace(state, seq=beat.seq, powered_at=sent, dark=known)
    adopted = replace(_adopt(state, beat, session), seq=beat.seq, boots=beat.boots, began_at=began)
    explained = _explained(state, beat, began, watch)
    if explained is not None and state.notes:
        explained = noted(explained, state.notes, same_boot=explained.boot == beat.boot)
    adopted = replace(adopted, sensor=beat.mains is not None, dark=explained, notes=())
    return _proven(adopted, beat.at, sent, EvidenceKind.HEARTBEAT)


def _dated(state: DeviceState, beat: Observation) -> tuple[datetime | None, datetime]:
    """When the beat's boot began and when it was sent, as far as the board's uptime tells.

    The heartbeat of a boot that came here fastest fixes the boot's beginning; one that is clearly slower than that
    was sent earlier than it arrived, and proves power only up to then.
    """
    if beat.uptime_s is None:
        return (state.began_at if beat.boot == state.boot else None), beat.at
    uptime = timedelta(0, beat.uptime_s)
    began, known = beat.at - uptime, state.began_at
    if known is None or began <= known or beat.boot != state.boot:
        return began, beat.at
    late = began - known
    if late <= USUAL_DELAY:
        return known + _drift(beat.interval_s), beat.at
    if late > MOST_DELAY:
        return began, beat.at
    known += max(_drift(beat.interval_s), (beat.at - (state.last_proof_at or beat.at)) // DRIFT)
    return known, known + uptime


@cache
def _drift(interval_s: int) -> timedelta:
    """How far a board's clock may fall behind ours between two heartbeats."""
    return timedelta(seconds=interval_s) / DRIFT


def _stale(state: DeviceState, beat: Observation, sent: datetime) -> bool:
    return (
        state.liveness is Liveness.LOST
        and sent < beat.at
        and state.lost_at is not None
        and sent <= state.lost_at
        and state.lost_by is not EvidenceKind.MAINS
    )


def _explained(state: DeviceState, beat: Observation, began: datetime | None, watch: Watch) -> Dark | None:
    """The device's newest dark span once this heartbeat has spoken."""
    dark = state.dark
    if dark is not None and (state.liveness is Liveness.LOST or dark.unheard):
        return ended_by_beat(dark, beat, began, state.unpowered_at)
    if state.boot is not None and beat.boot != state.boot and state.liveness in _ALIVE:
        return ended_by_beat(_begun(state, beat.at, watch), beat, began, None)
    return dark


def _begun(state: DeviceState, at: datetime, watch: Watch, by: EvidenceKind | None = None) -> Dark:
    """A new dark span: after the last proof of power, before `at`."""
    lo = state.powered_at or state.last_proof_at or at
    return Dark(
        number=state.dark.number + 1 if state.dark is not None else 1,
        start_lo=min(lo, at),
        start_hi=at,
        boot=state.boot,
        boots=state.boots,
        cause=Cause.POWER if by is EvidenceKind.MAINS else Cause.PRESUMED,
        by_sensor=by is EvidenceKind.MAINS,
        blind=not observed(state, watch),
    )


def _birth(state: DeviceState, observation: Observation, session: Session, watch: Watch) -> DeviceState:
    adopted = _adopt(state, observation, session)
    if state.liveness is Liveness.LOST and (state.sensor or state.lost_by is EvidenceKind.MAINS):
        return adopted  # a board on its battery may reconnect; only its heartbeat says whether there is mains
    if state.liveness is Liveness.LOST:
        # Its first heartbeat follows at once and knows since when there is power: wait for it a moment.
        return replace(adopted, birth_at=observation.at)
    if state.boot is not None and observation.boot != state.boot and state.liveness in _ALIVE:
        adopted = replace(adopted, dark=ended_by_birth(_begun(state, observation.at, watch), observation.at))
    # Of a board with a sensor it proves life, but not power.
    sent = state.powered_at if state.sensor and state.powered_at is not None else observation.at
    return _proven(adopted, observation.at, sent, EvidenceKind.BIRTH)


def _will(state: DeviceState, observation: Observation, session: Session) -> DeviceState:
    if session is not Session.SAME or state.liveness not in _ALIVE:
        return replace(state, birth_at=None) if session is Session.SAME and state.birth_at else state
    return state if state.will_at is not None else replace(state, will_at=observation.at)


def _goodbye(state: DeviceState, observation: Observation, session: Session) -> DeviceState:
    adopted = _adopt(state, observation, session)
    if state.liveness is Liveness.LOST:
        return replace(adopted, birth_at=None)  # it had talked again only to say goodbye: no proof of power
    return replace(
        adopted,
        liveness=Liveness.PAUSED,
        paused_at=observation.at,
        last_proof_at=observation.at,
        powered_at=observation.at,
        will_at=None,
        birth_at=None,
    )


def _mains_lost(state: DeviceState, at: datetime, watch: Watch) -> DeviceState:
    if state.liveness is not Liveness.LOST:
        return replace(_lost(state, at, EvidenceKind.MAINS, watch), unpowered_at=at)
    dark = state.dark
    if dark is not None and not dark.by_sensor:
        dark = replace(dark, cause=Cause.POWER, by_sensor=True)
    return replace(state, birth_at=None, lost_by=EvidenceKind.MAINS, unpowered_at=at, dark=dark)


def _journal(state: DeviceState, journal: Observation, watch: Watch) -> DeviceState:
    if journal.boot != state.boot:
        return state
    dark = state.dark
    if state.liveness is Liveness.LOST or (dark is not None and dark.unheard):
        return replace(state, notes=journal.notes)
    if dark is not None:
        told = noted(dark, journal.notes, same_boot=journal.boot == dark.boot)
        if told is not dark:
            return replace(state, dark=told)
    if state.liveness not in _ALIVE:
        return state
    cut = _cut_between_beats(state, journal, watch)
    return state if cut is None else replace(state, dark=cut)


def _cut_between_beats(state: DeviceState, journal: Observation, watch: Watch) -> Dark | None:
    """An interruption that a board on a battery noted and no heartbeat told."""
    since = state.dark.end_hi if state.dark is not None else None
    lost: datetime | None = None
    found: tuple[datetime, datetime] | None = None
    for note in sorted(journal.notes):
        if note.kind is JournalKind.MAINS_LOST and (since is None or note.at > since + USUAL_DELAY):
            lost = note.at
        elif note.kind is JournalKind.MAINS_BACK and lost is not None and note.at <= journal.at:
            found, lost = (lost, note.at), None
    if found is None:
        return None
    begun = _begun(state, found[0], watch, EvidenceKind.MAINS)
    slack = USUAL_DELAY
    return replace(
        begun,
        start_lo=found[0] - slack,
        start_hi=min(found[0] + slack, found[1] + slack),
        end_lo=max(found[1] - slack, found[0] - slack),
        end_hi=min(found[1] + slack, journal.at),
        noticed_at=journal.at,
        blind=watch.since is None or found[0] < watch.since,
    )


def _proven(state: DeviceState, at: datetime, sent: datetime, by: EvidenceKind) -> DeviceState:
    returned = state.liveness is Liveness.LOST
    return replace(
        state,
        liveness=Liveness.ONLINE,
        last_proof_at=at,
        powered_at=sent,
        will_at=None,
        birth_at=None,
        paused_at=None,
        unpowered_at=None,
        quiet=NOTHING,
        returned_by=by if returned else state.returned_by,
    )


def _lost(state: DeviceState, at: datetime, by: EvidenceKind, watch: Watch) -> DeviceState:
    return replace(
        state,
        liveness=Liveness.LOST,
        lost_at=at,
        lost_by=by,
        dark=_begun(state, at, watch, by),
        notes=(),
        will_at=None,
        birth_at=None,
        paused_at=None,
        quiet=NOTHING,
    )
