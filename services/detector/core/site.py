"""Has this place power? What is remembered of a site, and what its devices say now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from services.detector.core.dark import Dark, clamped, earlier
from services.detector.core.dark import rewound as dark_rewound
from services.detector.core.device import DeviceState, Liveness, Watch, observed
from services.detector.core.outage import Outage
from services.detector.core.place import Place, Verdict, Vote, decide
from services.detector.core.policy import Policy
from svitlo.contracts import Cause, ChildTally, EvidenceKind, PowerEvent, PowerState, SiteStateWord


class Turn(Struct, frozen=True):
    """The power went or came: when we knew; on its return also how long it was off, and why."""

    at: datetime
    off: timedelta = timedelta(0)
    cause: Cause | None = None


class Unstable(Struct, frozen=True):
    """A time in which the power came and went: since when, how often, how long it was off, the last change and the
    outage it belongs to. `wrongly`: so far it was always boards that had lost their connection or restarted."""

    since: datetime
    changes: int
    off: timedelta
    last_at: datetime
    outage: UUID
    wrongly: bool = False


class Dip(Struct, frozen=True):
    """A dark span of a device that ended and belongs to no outage of the site yet."""

    device: str
    dark: Dark


class SiteState(Struct, frozen=True, omit_defaults=True):
    """Everything remembered of a site. Times are UTC.

    `since` is when the power became what it is; `pending` a verdict being confirmed since `pending_at`, or, while we
    are blind, for `pending_for` before. `outage` goes on; those of the `past` are over but may still be revised.
    `owed` are events held back: until `hold_until` when many boards vanished together (`area` names that), for
    maintenance, or while the power is unstable. `turns` are the last times it came or went. `calmed` is an unstable
    time that is over and has still to be summed up. `accounted` numbers the newest dark span of each device that has
    been made something of; `dips` wait to be judged, at `dips_at` at the latest. `cast` stands for the devices and the
    rule it was last judged by, `recast` says that they changed since.
    """

    power: PowerState = PowerState.UNKNOWN
    state: SiteStateWord = SiteStateWord.UNKNOWN
    since: datetime | None = None
    pending: Verdict | None = None
    pending_at: datetime | None = None
    pending_for: timedelta | None = None
    outage: Outage | None = None
    past: tuple[Outage, ...] = ()
    owed: tuple[PowerEvent, ...] = ()
    hold_until: datetime | None = None
    area: UUID | None = None
    turns: tuple[Turn, ...] = ()
    unstable: Unstable | None = None
    calmed: Unstable | None = None
    accounted: dict[str, int] = {}
    dips: tuple[Dip, ...] = ()
    dips_at: datetime | None = None
    children: ChildTally | None = None
    cast: int | None = None
    recast: bool = False


Devices = Mapping[str, DeviceState]


def vote(device: DeviceState, watch: Watch) -> Vote:
    """One device's vote."""
    if device.liveness is Liveness.LOST:
        return Vote.DEAD
    if device.liveness in (Liveness.ONLINE, Liveness.LATE):
        return Vote.ALIVE if observed(device, watch) else Vote.UNSEEN
    return Vote.ABSTAINS


def judge(site: SiteState, place: Place, devices: Devices, now: datetime, watch: Watch) -> SiteState:
    """The site with its pending verdict brought up to date; `due_at` says when it takes effect.

    While we are blind nothing is decided, and a verdict that was being confirmed stands still; so it does until the
    devices that may change it were heard again.
    """
    if watch.since is None:
        return site
    verdict = decide(place, {name: vote(device, watch) for name, device in devices.items()})
    if verdict is Verdict.OFF and _old_news(site, devices):
        verdict = Verdict.HOLD
    if verdict is Verdict.HOLD:
        return _standing_still(site, now)
    if verdict.value == site.power.value:
        return site if site.pending is None else replace(site, pending=None, pending_at=None, pending_for=None)
    if verdict is not site.pending:
        return replace(site, pending=verdict, pending_at=now, pending_for=None)
    if site.pending_for is not None:
        return replace(site, pending_at=now - site.pending_for, pending_for=None)
    return site


def frozen(site: SiteState, at: datetime) -> SiteState:
    """The site when we went blind: its debounce stands still, and what waits for other devices waits anew."""
    return _standing_still(site if site.dips_at is None else replace(site, dips_at=None), at)


def _standing_still(site: SiteState, at: datetime) -> SiteState:
    """The site with its debounce where it stood at that moment."""
    if site.pending is None or site.pending_at is None:
        return site
    return replace(site, pending_at=None, pending_for=max(at - site.pending_at, timedelta(0)))


def rewound(site: SiteState, now: datetime) -> SiteState:
    """The site after our clock was set back: nothing happened later than `now`, and nothing waits for long.

    A debounce that stands still goes on where it stood: a length of time knows of no clock.
    """
    site = frozen(site, now)
    return replace(
        site,
        since=earlier(site.since, now),
        outage=_outage_rewound(site.outage, now) if site.outage is not None else None,
        past=tuple(_outage_rewound(outage, now) for outage in site.past),
        hold_until=earlier(site.hold_until, now),
        turns=tuple(turn for turn in site.turns if turn.at <= now),
        unstable=clamped(site.unstable, now, _UNSTABLE_TIMES) if site.unstable is not None else None,
        calmed=clamped(site.calmed, now, _UNSTABLE_TIMES) if site.calmed is not None else None,
        dips=tuple(Dip(dip.device, dark_rewound(dip.dark, now)) for dip in site.dips),
        dips_at=None,
        owed=tuple(clamped(event, now, ("occurred_lo", "occurred_hi", "detected_at")) for event in site.owed),
    )


def changed_outages(before: SiteState, after: SiteState) -> list[Outage]:
    """The outages that are not as they were."""

    def held(site: SiteState) -> tuple[Outage, ...]:
        return site.past if site.outage is None else (*site.past, site.outage)

    return [new for old, new in zip(held(before), held(after), strict=True) if new != old]


def _outage_rewound(outage: Outage, now: datetime) -> Outage:
    members = {name: dark_rewound(dark, now) for name, dark in outage.members.items()}
    return replace(clamped(outage, now, _OUTAGE_TIMES), members=members)


_UNSTABLE_TIMES = ("since", "last_at")
_OUTAGE_TIMES = (
    "started_lo",
    "started_hi",
    "detected_at",
    "ended_lo",
    "ended_hi",
    "end_detected_at",
    "retracted_at",
    "on_since",
)


def _old_news(site: SiteState, devices: Devices) -> bool:
    """Whether all that speaks for a loss was known before the site became unknown.

    A site that gets, or is left with, devices that were dead all along has not lost its power now.
    """
    if site.power is not PowerState.UNKNOWN or site.outage is not None:
        return False
    losses = [device.lost_at for device in devices.values() if device.liveness is Liveness.LOST and device.lost_at]
    return site.since is None or all(lost < site.since for lost in losses)


def due_at(site: SiteState, place: Place, policy: Policy) -> datetime | None:
    """When the pending verdict takes effect; None without one, and while we are blind."""
    if site.pending is None or site.pending_at is None:
        return None
    if site.power is PowerState.UNKNOWN or site.pending is Verdict.UNKNOWN:
        return site.pending_at  # nothing to debounce: we come from, or go to, knowing nothing
    if site.pending is Verdict.OFF:
        return site.pending_at + (policy.confirm_off if place.confirm_off is None else place.confirm_off)
    return site.pending_at + (policy.confirm_on if place.confirm_on is None else place.confirm_on)


def maintained(place: Place, now: datetime) -> tuple[datetime, datetime] | None:
    """The maintenance window that is open now."""
    return next(((start, end) for start, end in place.maintenance if start <= now < end), None)


def next_boundary(place: Place, now: datetime) -> datetime | None:
    """When the next maintenance window opens or closes."""
    return min((moment for window in place.maintenance for moment in window if moment > now), default=None)


def shown_state(site: SiteState, place: Place, devices: Devices, watch: Watch, now: datetime) -> SiteStateWord:
    """The word people see, by what matters most.

    Maintenance is what was announced. A site with power is on `backup` where a board's own sensor says that the mains
    is gone, `partial` where sites below it are without power, and `late` while every living board is overdue.
    """
    if maintained(place, now) is not None:
        return SiteStateWord.MAINTENANCE
    if site.power is not PowerState.ON:
        return SiteStateWord(site.power.value)
    lost = [device for device in devices.values() if device.liveness is Liveness.LOST]
    if any(device.lost_by is EvidenceKind.MAINS for device in lost):
        return SiteStateWord.BACKUP
    if site.children is not None and (site.children.off or site.children.partial):
        return SiteStateWord.PARTIAL
    alive = [device for device in devices.values() if vote(device, watch) is Vote.ALIVE]
    if alive and all(device.liveness is Liveness.LATE for device in alive):
        return SiteStateWord.LATE
    return SiteStateWord.ON
