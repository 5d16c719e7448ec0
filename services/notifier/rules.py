"""What a chat wants of an event: at once, without a sound, later, or not at all. Pure; times are aware, UTC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from svitlo.contracts import EventKind, PowerState

LOST, RESTORED, REVISED, UNSTABLE = "lost", "restored", "revised", "unstable"
ALL_KINDS = frozenset((LOST, RESTORED, REVISED, UNSTABLE))
"""The kinds of alert a subscription chooses among."""

WANTED_BY = {
    EventKind.POWER_LOST: frozenset((LOST,)),
    EventKind.POWER_RESTORED: frozenset((RESTORED,)),
    EventKind.OUTAGE_REVISED: frozenset((REVISED,)),
    EventKind.UNSTABLE: frozenset((UNSTABLE,)),
    EventKind.STABLE: frozenset((UNSTABLE,)),
}
"""Which choice lets an event through."""

ENDS = frozenset((REVISED, RESTORED))
"""What lets a retraction through: whoever was told of the loss learns of its end one way or the other."""


class Held(StrEnum):
    """Why something is kept back."""

    QUIET = "quiet"
    MUTE = "mute"
    LONG = "long"


@dataclass(frozen=True)
class Quiet:
    """Hours of the chat's own clock, from and to as minutes of the day; `hold`: kept back, else only without a sound.

    Equal ends mean the whole day.
    """

    start: int
    end: int
    hold: bool = False

    def until(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours end in which `moment` lies; None if it lies in none.

        By the wall clock: a night in which the clock is set is an hour longer or shorter. An end that the clock leaps
        over comes as far behind the leap.
        """
        local = moment.astimezone(zone)
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            inside, days = self.start <= minute < self.end, 0
        else:
            inside, days = minute >= self.start or minute < self.end, int(minute >= self.start)
        if not inside:
            return None
        clock = time(self.end // 60 % 24, self.end % 60)
        day = local.date() + timedelta(days=days + self.end // 1440)
        # Where a clock time comes twice the later one ends the quiet.
        end = max(datetime.combine(day, clock, tzinfo=zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        return end if end > moment else None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a subscription asks for; `muted_until` is the later of its own and its chat's."""

    kinds: frozenset[str] = ALL_KINDS
    min_minutes: int = 0
    quiet: Quiet | None = None
    muted_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the rules look at in an event.

    `started` and `ended`: of its outage, as far as known; `retracted`: the outage never was; `told`: the chat was told
    of this outage already, or will be; `waits`: it will be, for all that told of it is kept back. After flicker `power`
    is how it was left, and `told`: nothing tells the chat yet that the power is on.
    """

    kind: EventKind
    started: datetime
    ended: datetime | None = None
    retracted: bool = False
    told: bool = False
    waits: bool = False
    power: PowerState = PowerState.UNKNOWN


@dataclass(frozen=True)
class Tell:
    """How to tell: at once, or not before a moment and for which reason."""

    silent: bool = False
    not_before: datetime | None = None
    held: Held | None = None


def decide(rule: Rule, facts: Facts, zone: ZoneInfo, now: datetime) -> Tell | None:
    """How a chat with this rule is told; None if it is not.

    A loss that must last some minutes waits for them, and with it what refines it; its end is told if the loss was, or
    if it lasted. What falls into a mute waits for its end, what falls into quiet hours that hold, for theirs.
    """
    facts = _after_flicker(rule, facts)
    if not _wanted(rule, facts):
        return None
    tell = Tell()
    long_at = facts.started + timedelta(minutes=rule.min_minutes)
    if rule.min_minutes and _must_last(facts) and long_at > now:
        tell = Tell(not_before=long_at, held=Held.LONG)
    if rule.muted_until is not None and rule.muted_until > (tell.not_before or now):
        tell = Tell(not_before=rule.muted_until, held=Held.MUTE)
    if rule.quiet is None or (end := rule.quiet.until(tell.not_before or now, zone)) is None:
        return tell
    if not rule.quiet.hold:
        return Tell(True, tell.not_before, tell.held)
    return Tell(False, end, Held.QUIET)


def remind(rule: Rule, zone: ZoneInfo, now: datetime) -> bool | None:
    """Whether a reminder is to make no sound now; None if none is wanted: in a mute, in quiet hours that hold."""
    if rule.muted_until is not None and rule.muted_until > now:
        return None
    if rule.quiet is None or rule.quiet.until(now, zone) is None:
        return False
    return None if rule.quiet.hold else True


def _after_flicker(rule: Rule, facts: Facts) -> Facts:
    """The end of flicker, to whoever is told of none: the loss or the return it comes down to.

    Single events were told to nobody, so else such a chat would go on believing what it was told before.
    """
    if facts.kind is not EventKind.STABLE or UNSTABLE in rule.kinds:
        return facts
    if facts.power is PowerState.OFF:
        return replace(facts, kind=EventKind.POWER_LOST)
    if facts.power is PowerState.ON and (facts.told or LOST not in rule.kinds):
        return replace(facts, kind=EventKind.POWER_RESTORED)
    return facts


def _must_last(facts: Facts) -> bool:
    """Whether it is told only of an outage that is long enough; not, once the chat was told of it."""
    if facts.kind is EventKind.OUTAGE_REVISED:
        return facts.waits and not facts.retracted
    return facts.kind is EventKind.POWER_LOST and not facts.told


def _wanted(rule: Rule, facts: Facts) -> bool:
    if facts.kind is EventKind.OUTAGE_REVISED:
        return facts.told and bool(rule.kinds & (ENDS if facts.retracted else WANTED_BY[facts.kind]))
    if not rule.kinds & WANTED_BY[facts.kind]:
        return False
    if rule.min_minutes and facts.kind is EventKind.POWER_LOST:
        return facts.ended is None or _lasted(rule, facts.started, facts.ended)
    if rule.min_minutes and facts.kind is EventKind.POWER_RESTORED and not facts.told:
        return facts.ended is not None and _lasted(rule, facts.started, facts.ended)
    return True


def _lasted(rule: Rule, started: datetime, ended: datetime) -> bool:
    return ended - started >= timedelta(minutes=rule.min_minutes)
