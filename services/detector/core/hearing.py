"""What a message does to a device.

A device's session is its boot id and its connection count. Only the current session can end a life: the will of an
older one arrives late (take-over by the same client id, a slow network) and says nothing about the board that talks
now.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from functools import cache

from msgspec.structs import replace

from services.detector.core.dark import JOURNAL_WAIT, SLACK, Dark, ended_by_beat, ended_by_birth, noted
from services.detector.core.device import ALIVE, DeviceState, Liveness, Watch, begun, lost, proven
from services.detector.core.observation import Observation, ObservationKind
from svitlo.contracts import Cause, EvidenceKind, JournalKind

DRIFT = 10_000
"""One part in so many a board's clock may be off (100 ppm; crystals are better)."""

USUAL_DELAY = timedelta(seconds=1.5)
"""A heartbeat is later than others of its boot by less than this: its uptime is rounded to seconds."""

MOST_DELAY = timedelta(seconds=60)
"""A heartbeat that seems later than this comes from a board whose uptime is not what we took it for."""


NOTES = 64
"""So much is kept of the journals that came before the heartbeat they explain: what the longest one holds."""


class Session(Enum):
    """How a message's session stands to the current one."""

    SAME = "same"
    NEWER = "newer"
    OLDER = "older"


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


def _adopt(state: DeviceState, observation: Observation, session: Session) -> DeviceState:
    """Take over the session and interval a message speaks of."""
    if session is Session.SAME:
        return (
            state if state.interval_s == observation.interval_s else replace(state, interval_s=observation.interval_s)
        )
    new_boot = observation.boot != state.boot
    return replace(
        state,
        dark=_waiting_anew(state.dark, observation),
        boot=observation.boot,
        previous_boot=state.boot if new_boot else state.previous_boot,
        conn=observation.conn,
        session_at=None if observation.retained else observation.at,
        seq=None if new_boot else state.seq,
        began_at=None if new_boot else state.began_at,
        interval_s=observation.interval_s,
    )


def _waiting_anew(dark: Dark | None, observation: Observation) -> Dark | None:
    """On a new connection a journal that did not come on the last one may still come."""
    if dark is None or dark.journal_until is None or observation.retained:
        return dark
    return replace(dark, journal_until=observation.at + SLACK + JOURNAL_WAIT)  # its first heartbeat follows its birth


def _remember(state: DeviceState, observation: Observation, session: Session) -> DeviceState:
    """A retained message: restores a session nobody knows, never life. A kept goodbye still excuses silence.

    What we know ourselves is not given up for what the broker kept: that may be older (a lost save, an old volume).
    """
    if state.boot is None:
        state = _adopt(state, observation, session)
        if observation.kind is ObservationKind.BEAT:
            state = replace(state, seq=observation.seq, boots=observation.boots)
    if observation.kind is ObservationKind.GOODBYE and state.liveness in ALIVE:
        return replace(state, liveness=Liveness.PAUSED, paused_at=observation.at)
    if observation.kind is ObservationKind.BEAT and observation.boot == state.boot and observation.mains is not False:
        return _sent_meanwhile(state, observation)
    return state


def _sent_meanwhile(state: DeviceState, beat: Observation) -> DeviceState:
    """A kept heartbeat of the boot we know: by its uptime it was sent later than the last one we heard.

    So the device had power until then, though nobody listened; whether it has power now it does not say.
    """
    if beat.uptime_s is None or state.began_at is None or state.liveness not in ALIVE:
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
        return _mains_lost(adopted, sent, watch)
    dark = state.dark
    if (
        session is Session.SAME
        and state.liveness is Liveness.ONLINE
        and state.will_at is None
        and not state.quiet
        and (dark is None or not (dark.unheard or _dates_anew(state, beat, began)))
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
    if explained is state.dark:
        explained = adopted.dark
    if explained is not None and explained.journal_until is not None and not _heard_whole(state, session, watch):
        explained = replace(explained, journal_until=None)  # it may have come before we listened
    if explained is not None and state.notes:
        explained = noted(explained, state.notes, same_boot=explained.boot == beat.boot)
    adopted = replace(adopted, sensor=beat.mains is not None, dark=explained, notes=())
    return proven(adopted, beat.at, sent, EvidenceKind.HEARTBEAT)


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


def _dates_anew(state: DeviceState, beat: Observation, began: datetime | None) -> bool:
    """Whether a heartbeat shows that the first one after a dark span was slow, and with it the end we took from it."""
    dark = state.dark
    return (
        dark is not None
        and dark.end_hi is not None
        and dark.boot != beat.boot == state.boot
        and not dark.by_sensor
        and began is not None
        and state.began_at is not None
        and began + SLACK < state.began_at
        and began < dark.end_hi
    )


def _heard_whole(state: DeviceState, session: Session, watch: Watch) -> bool:
    """Whether we have heard the present session from its birth on."""
    begun_at = state.session_at if session is Session.SAME else None
    return begun_at is not None and watch.since is not None and begun_at >= watch.since


def _explained(state: DeviceState, beat: Observation, began: datetime | None, watch: Watch) -> Dark | None:
    """The device's newest dark span once this heartbeat has spoken."""
    dark = state.dark
    if dark is not None and (state.liveness is Liveness.LOST or dark.unheard or _dates_anew(state, beat, began)):
        return ended_by_beat(dark, beat, began, state.unpowered_at)
    if state.boot is not None and beat.boot != state.boot and state.liveness in ALIVE:
        return ended_by_beat(begun(state, beat.at, watch), beat, began, None)
    return dark


def _birth(state: DeviceState, observation: Observation, session: Session, watch: Watch) -> DeviceState:
    adopted = _adopt(state, observation, session)
    if state.liveness is Liveness.LOST and (state.sensor or state.lost_by is EvidenceKind.MAINS):
        return adopted  # a board on its battery may reconnect; only its heartbeat says whether there is mains
    if state.liveness is Liveness.LOST:
        # Its first heartbeat follows at once and knows since when there is power: wait for it a moment.
        return replace(adopted, birth_at=observation.at)
    if state.boot is not None and observation.boot != state.boot and state.liveness in ALIVE:
        adopted = replace(adopted, dark=ended_by_birth(begun(state, observation.at, watch), observation.at))
    # Of a board with a sensor it proves life, but not power; said again in the same session it may have come twice.
    dated = not state.sensor and session is not Session.SAME
    sent = observation.at if dated or state.powered_at is None else state.powered_at
    return proven(adopted, observation.at, sent, EvidenceKind.BIRTH)


def _will(state: DeviceState, observation: Observation, session: Session) -> DeviceState:
    if session is not Session.SAME or state.liveness not in ALIVE:
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
        return replace(lost(state, at, EvidenceKind.MAINS, watch), unpowered_at=at)
    dark = state.dark
    if dark is not None and not dark.by_sensor:
        dark = replace(dark, cause=Cause.POWER, by_sensor=True)
    return replace(state, birth_at=None, lost_by=EvidenceKind.MAINS, unpowered_at=at, dark=dark)


def _journal(state: DeviceState, journal: Observation, watch: Watch) -> DeviceState:
    if journal.boot != state.boot:
        return state
    dark = state.dark
    if state.liveness is Liveness.LOST or (dark is not None and dark.unheard):
        return replace(state, notes=(*state.notes, *journal.notes)[-NOTES:])
    if dark is not None:
        told = noted(dark, journal.notes, same_boot=journal.boot == dark.boot)
        if told is not dark:
            return replace(state, dark=told)
    if state.liveness not in ALIVE:
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
    cut = begun(state, found[0], watch, EvidenceKind.MAINS)
    slack = USUAL_DELAY
    return replace(
        cut,
        start_lo=found[0] - slack,
        start_hi=min(found[0] + slack, found[1] + slack),
        end_lo=max(found[1] - slack, found[0] - slack),
        end_hi=min(found[1] + slack, journal.at),
        noticed_at=journal.at,
        blind=watch.since is None or found[0] < watch.since,
    )
