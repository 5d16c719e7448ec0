"""Has this place power? From the votes of its devices, with honest bounds on when it went and came back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from services.detector.core.device import DeviceState, Liveness, Watch, observed
from services.detector.core.policy import Policy
from svitlo.contracts import Evidence, EvidenceKind, PowerState, SiteStateWord

BOOT_TIME = timedelta(seconds=5)
"""How long a board may need from power to the start of its own uptime counter, with the counter's rounding."""


class Vote(StrEnum):
    """What one device says about its site's power."""

    ALIVE = "alive"
    DEAD = "dead"
    UNSEEN = "unseen"
    """Last known alive, but not heard since we began to watch: it may still be either."""
    ABSTAINS = "abstains"


class Verdict(StrEnum):
    """What the rule makes of the votes; `hold` means: too early to change anything."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"
    HOLD = "hold"


class Outage(Struct, frozen=True):
    """An open outage: between `started_lo` (last proof) and `started_hi` (first evidence of loss) it began."""

    id: UUID
    started_lo: datetime
    started_hi: datetime


class SiteState(Struct, frozen=True):
    """Everything remembered of a site. `since` is when the shown state began; `pending*` a verdict being confirmed."""

    power: PowerState = PowerState.UNKNOWN
    state: SiteStateWord = SiteStateWord.UNKNOWN
    since: datetime | None = None
    outage: Outage | None = None
    pending: Verdict | None = None
    pending_at: datetime | None = None


class Lost(Struct, frozen=True):
    """Power went: bounds and evidence."""

    lo: datetime
    hi: datetime
    evidence: list[Evidence]


class Returned(Struct, frozen=True):
    """Power came back: bounds and evidence."""

    lo: datetime
    hi: datetime
    evidence: list[Evidence]


Devices = Sequence[tuple[str, DeviceState]]


def vote(device: DeviceState, watch: Watch) -> Vote:
    """One device's vote."""
    if device.liveness is Liveness.LOST:
        return Vote.DEAD
    if device.liveness in (Liveness.ONLINE, Liveness.LATE):
        return Vote.ALIVE if observed(device, watch) else Vote.UNSEEN
    return Vote.ABSTAINS


def any_rule(votes: Sequence[Vote]) -> Verdict:
    """One living device proves power; only when none is left that might live is it off.

    A device not yet heard since we began to watch holds the verdict: taking it for dead would report our own
    restart as an outage of every site that has one dead board.
    """
    if Vote.ALIVE in votes:
        return Verdict.ON
    if Vote.UNSEEN in votes:
        return Verdict.HOLD
    return Verdict.OFF if Vote.DEAD in votes else Verdict.UNKNOWN


def judge(site: SiteState, devices: Devices, now: datetime, policy: Policy, watch: Watch) -> SiteState:
    """The site with its pending verdict brought up to date; `due` says whether it is confirmed."""
    verdict = any_rule([vote(device, watch) for _, device in devices])
    if watch.since is None or (verdict is Verdict.OFF and _old_news(site, devices)):
        verdict = Verdict.HOLD
    if verdict is Verdict.HOLD or verdict.value == site.power.value:
        return site if site.pending is None else replace(site, pending=None, pending_at=None)
    if verdict is site.pending:
        return site
    return replace(site, pending=verdict, pending_at=now)


def _old_news(site: SiteState, devices: Devices) -> bool:
    """Whether all that speaks for a loss was known before the site became unknown.

    A site that gets, or is left with, devices that were dead all along has not lost its power now.
    """
    if site.power is not PowerState.UNKNOWN or site.outage is not None:
        return False
    losses = [device.lost_at for _, device in devices if device.liveness is Liveness.LOST and device.lost_at]
    return site.since is None or all(lost < site.since for lost in losses)


def due_at(site: SiteState, policy: Policy) -> datetime | None:
    """When the pending verdict takes effect; None without one."""
    if site.pending is None or site.pending_at is None:
        return None
    if site.power is PowerState.UNKNOWN or site.pending is Verdict.UNKNOWN:
        return site.pending_at  # nothing to debounce: we come from, or go to, knowing nothing
    return site.pending_at + (policy.confirm_off if site.pending is Verdict.OFF else policy.confirm_on)


def loss(devices: Devices) -> Lost:
    """Bounds of a loss: after the last proof of any device, before the first evidence that came later."""
    dead = [(name, device) for name, device in devices if device.liveness is Liveness.LOST and device.lost_at]
    evidence = [
        Evidence(device=name, kind=device.lost_by or EvidenceKind.TIMEOUT, at=device.lost_at)
        for name, device in dead
        if device.lost_at is not None
    ]
    evidence.sort(key=lambda item: (item.at, item.device))
    proofs = [device.last_proof_at for _, device in dead if device.last_proof_at is not None]
    lo = max(proofs, default=evidence[0].at)
    hi = min((item.at for item in evidence if item.at >= lo), default=lo)
    return Lost(lo, hi, evidence)


def restoration(outage: Outage, devices: Devices, watch: Watch) -> Returned:
    """Bounds of a return, after the first evidence of loss.

    A board that rebooted knows since when it runs; power was there by then (`hi`), and a boot takes a few seconds
    (`lo`). A board that never rebooted says only that there is power now.
    """
    alive = [(name, device) for name, device in devices if vote(device, watch) is Vote.ALIVE and device.last_proof_at]
    evidence = [
        Evidence(device=name, kind=device.returned_by or EvidenceKind.HEARTBEAT, at=device.last_proof_at)
        for name, device in alive
        if device.last_proof_at is not None
    ]
    evidence.sort(key=lambda item: (item.at, item.device))
    arrival = evidence[0].at
    rebooted = [
        device.began_at
        for _, device in alive
        if device.began_at is not None and device.boot != device.lost_boot and device.began_at > outage.started_lo
    ]
    if not rebooted:
        return Returned(outage.started_hi, max(arrival, outage.started_hi), evidence)
    began = min(rebooted)
    lo = max(outage.started_lo, began - BOOT_TIME)
    return Returned(min(lo, arrival), min(max(began, outage.started_lo), arrival), evidence)


def shown_state(power: PowerState, devices: Devices, watch: Watch) -> SiteStateWord:
    """The word people see: power, or `late` while every living device of a site with power is overdue."""
    if power is PowerState.ON:
        alive = [device for _, device in devices if vote(device, watch) is Vote.ALIVE]
        if alive and all(device.liveness is Liveness.LATE for device in alive):
            return SiteStateWord.LATE
    return SiteStateWord(power.value)
