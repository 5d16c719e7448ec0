"""Is this device alive? `never_seen -> online -> late -> lost`, and `paused` after a goodbye.

A device's session is its boot id and its connection count. Only the current session can end a life: the will of an
older one arrives late (take-over by the same client id, a slow network) and says nothing about the board that talks
now.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, StrEnum

from msgspec import Struct
from msgspec.structs import replace

from services.detector.core.observation import Observation, ObservationKind
from services.detector.core.policy import Policy
from svitlo.contracts import EvidenceKind


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


class DeviceState(Struct, frozen=True):
    """Everything remembered of a device. Times are arrival times here (UTC).

    `last_proof_at` is the last proof of power; `lost_at` and `lost_by` the first evidence of its loss; `began_at` when
    the current boot began by the device's own uptime; `session_at` when we saw the current session begin;
    `will_at` and `birth_at` hold a word that waits to be confirmed.
    """

    liveness: Liveness = Liveness.NEVER_SEEN
    boot: str | None = None
    previous_boot: str | None = None
    conn: int = 0
    seq: int | None = None
    interval_s: int = 10
    last_proof_at: datetime | None = None
    lost_at: datetime | None = None
    lost_by: EvidenceKind | None = None
    lost_boot: str | None = None
    paused_at: datetime | None = None
    began_at: datetime | None = None
    session_at: datetime | None = None
    will_at: datetime | None = None
    birth_at: datetime | None = None
    returned_by: EvidenceKind | None = None


class Watch(Struct, frozen=True):
    """Since when we see without a break (None while we are blind), and how far that is proven.

    `proven_at` is when the newest echo was sent that came back through the broker: up to then our link carried.
    """

    since: datetime | None
    proven_at: datetime | None = None


_LIFE = (ObservationKind.BEAT, ObservationKind.BIRTH)
"""Words only a living board says. Heard live they are never old: what knew of a newer boot was wrong."""


def session_of(state: DeviceState, observation: Observation) -> Session:
    """Compare a message's session with the current one."""
    if observation.boot == state.boot:
        if observation.conn == state.conn:
            return Session.SAME
        return Session.NEWER if observation.conn > state.conn else Session.OLDER
    if observation.boot == state.previous_boot and observation.kind not in _LIFE:
        return Session.OLDER
    return Session.NEWER


def observe_device(state: DeviceState, observation: Observation) -> DeviceState:
    """The device after a message; the same object when the message changes nothing."""
    session = Session.NEWER if state.boot is None else session_of(state, observation)
    if session is Session.OLDER:
        return state
    if observation.retained:
        return _remember(state, observation, session)
    match observation.kind:
        case ObservationKind.BEAT:
            return _beat(state, observation, session)
        case ObservationKind.BIRTH:
            return _birth(state, observation, session)
        case ObservationKind.WILL:
            return _will(state, observation, session)
        case ObservationKind.GOODBYE:
            return _goodbye(state, observation, session)
        case ObservationKind.MAINS_LOST:
            return _mains_lost(_adopt(state, observation, session), observation.at)


def tick_device(state: DeviceState, now: datetime, policy: Policy, watch: Watch) -> DeviceState:
    """The device once `now` has come; the same object when no deadline of its own has passed.

    Neither a will nor silence counts before an echo sent after it is back: a broker that stops publishes every will
    first and may hold our socket open for seconds; one that stands still lets every board fall silent.
    """
    if state.birth_at is not None and now >= state.birth_at + policy.birth_hold:
        return _proven(state, state.birth_at, EvidenceKind.BIRTH)
    if watch.since is None:
        return state
    proven_at = watch.proven_at or watch.since
    matures = _will_matures(state, policy, watch)
    if state.will_at is not None and matures is not None and now >= matures and proven_at > state.will_at:
        return _lost(state, state.will_at, EvidenceKind.LWT)
    deadline = _silence_deadline(state, policy, watch)
    if deadline is not None and now >= deadline and proven_at >= deadline:
        return _lost(state, deadline, EvidenceKind.TIMEOUT)
    if state.liveness is Liveness.ONLINE and (late := _late_at(state, policy, watch)) and now >= late:
        return replace(state, liveness=Liveness.LATE)
    return state


def next_deadline(state: DeviceState, policy: Policy, watch: Watch) -> datetime | None:
    """When `tick_device` would next change the device if nothing arrives; None if never."""
    candidates: list[datetime] = []
    if state.birth_at is not None:
        candidates.append(state.birth_at + policy.birth_hold)
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
    publishes the will of every client before it closes)."""
    return state if state.will_at is None else replace(state, will_at=None)


def observed(state: DeviceState, watch: Watch) -> bool:
    """Whether what we hold of the device was seen since we last began to watch."""
    return watch.since is not None and state.last_proof_at is not None and state.last_proof_at >= watch.since


def rewound(state: DeviceState, now: datetime) -> DeviceState:
    """The device after our clock was set back: nothing we hold can have happened later than `now`."""
    times = {name: getattr(state, name) for name in ("last_proof_at", "paused_at", "session_at", "began_at", "lost_at")}
    return replace(
        state,
        will_at=None,
        birth_at=None,
        **{name: min(moment, now) for name, moment in times.items() if moment is not None},
    )


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
    if state.liveness not in (Liveness.ONLINE, Liveness.LATE) or state.last_proof_at is None:
        return None
    if state.last_proof_at >= watch.since:
        return state.last_proof_at + policy.timeout(state.interval_s)
    return watch.since + policy.settle(state.interval_s)


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
            state = replace(state, seq=observation.seq)
    if observation.kind is ObservationKind.GOODBYE and state.liveness in (Liveness.ONLINE, Liveness.LATE):
        return replace(state, liveness=Liveness.PAUSED, paused_at=observation.at)
    return state


def _beat(state: DeviceState, observation: Observation, session: Session) -> DeviceState:
    if session is Session.SAME and state.seq is not None and (observation.seq or 0) <= state.seq:
        return state  # a duplicate, or one overtaken by a later beat
    began = state.began_at
    if observation.uptime_s is not None:
        began = observation.at - timedelta(seconds=observation.uptime_s)
    if observation.mains is False:
        adopted = replace(_adopt(state, observation, session), seq=observation.seq, began_at=began)
        return _mains_lost(adopted, observation.at)
    if session is Session.SAME and state.liveness is Liveness.ONLINE and state.will_at is None:
        # The common case, kept short: ten thousand boards come through here.
        return replace(
            state,
            seq=observation.seq,
            last_proof_at=observation.at,
            began_at=began,
            interval_s=observation.interval_s,
            birth_at=None,
        )
    adopted = replace(_adopt(state, observation, session), seq=observation.seq, began_at=began)
    return _proven(adopted, observation.at, EvidenceKind.HEARTBEAT)


def _birth(state: DeviceState, observation: Observation, session: Session) -> DeviceState:
    adopted = _adopt(state, observation, session)
    if state.liveness is Liveness.LOST and state.lost_by is EvidenceKind.MAINS:
        return adopted  # a board on its battery may reconnect; only its heartbeat says whether there is mains
    if state.liveness is Liveness.LOST:
        # Its first heartbeat follows at once and knows since when there is power: wait for it a moment.
        return replace(adopted, birth_at=observation.at)
    return _proven(adopted, observation.at, EvidenceKind.BIRTH)


def _will(state: DeviceState, observation: Observation, session: Session) -> DeviceState:
    if session is not Session.SAME or state.liveness not in (Liveness.ONLINE, Liveness.LATE):
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
        will_at=None,
        birth_at=None,
    )


def _mains_lost(state: DeviceState, at: datetime) -> DeviceState:
    if state.liveness is Liveness.LOST:
        return replace(state, birth_at=None)
    return _lost(state, at, EvidenceKind.MAINS)


def _proven(state: DeviceState, at: datetime, by: EvidenceKind) -> DeviceState:
    returned = state.liveness is Liveness.LOST
    return replace(
        state,
        liveness=Liveness.ONLINE,
        last_proof_at=at,
        will_at=None,
        birth_at=None,
        paused_at=None,
        returned_by=by if returned else state.returned_by,
    )


def _lost(state: DeviceState, at: datetime, by: EvidenceKind) -> DeviceState:
    return replace(
        state,
        liveness=Liveness.LOST,
        lost_at=at,
        lost_by=by,
        lost_boot=state.boot,
        will_at=None,
        birth_at=None,
        paused_at=None,
    )
