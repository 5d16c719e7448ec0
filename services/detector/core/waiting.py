"""What time alone does to a device: a word that waits is confirmed, silence becomes a loss."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from services.detector.core.dark import JOURNAL_WAIT, ended_by_birth, without_journal
from services.detector.core.device import ALIVE, DeviceState, Liveness, Watch, lost, observed, proven
from services.detector.core.policy import Policy
from svitlo.contracts import EvidenceKind


def tick_device(state: DeviceState, now: datetime, policy: Policy, watch: Watch) -> DeviceState:
    """The device once `now` has come; the same object when no deadline of its own has passed.

    Neither a will nor silence counts before an echo sent after it is back: a broker that stops publishes every will
    first and may hold our socket open for seconds; one that stands still lets every board fall silent.
    """
    if state.birth_at is not None and now >= state.birth_at + policy.birth_hold:
        dark = ended_by_birth(state.dark, state.birth_at) if state.dark is not None else None
        return proven(replace(state, dark=dark), state.birth_at, state.birth_at, EvidenceKind.BIRTH)
    if (waits := _journal_until(state)) is not None and state.dark is not None and now >= waits:
        return replace(state, dark=without_journal(state.dark))
    if watch.since is None:
        return state
    proven_at = watch.proven_at or watch.since
    matures = _will_matures(state, policy, watch)
    if state.will_at is not None and matures is not None and now >= matures and proven_at > state.will_at:
        return lost(state, state.will_at, EvidenceKind.LWT, watch)
    deadline = _silence_deadline(state, policy, watch)
    if deadline is not None and now >= deadline and proven_at >= deadline:
        return lost(state, deadline, EvidenceKind.TIMEOUT, watch)
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


def _journal_until(state: DeviceState) -> datetime | None:
    """When a journal is waited for no longer; None while it may be on its way for longer than any time says.

    A board sends it between two heartbeats of a connection: only the second one shows that there was none.
    """
    waits = state.dark.journal_until if state.dark is not None else None
    if waits is None or state.will_at is not None or state.last_proof_at is None:
        return None
    return waits if state.last_proof_at > waits - JOURNAL_WAIT else None


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
    if state.liveness not in ALIVE or state.last_proof_at is None:
        return None
    if state.last_proof_at >= watch.since:
        return state.last_proof_at + policy.timeout(state.interval_s)
    return watch.since + max(policy.settle(state.interval_s) - state.quiet, policy.late_after(state.interval_s))


def _late_at(state: DeviceState, policy: Policy, watch: Watch) -> datetime | None:
    if not observed(state, watch) or state.last_proof_at is None:
        return None
    return state.last_proof_at + policy.late_after(state.interval_s)
