"""What several pending alerts of one chat become: one message that tells them all. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.notifier.rules import Held
from services.notifier.views.alerts import RETRACTED, Alert
from services.notifier.views.storms import Entry
from svitlo.contracts import EventKind

_LOST, _RESTORED, _REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED


@dataclass(frozen=True, kw_only=True)
class Queued:
    """A pending alert of a chat, oldest first in its queue: the delivery's key, its site and outage, and its words.

    `parent` is the name of the place the site belongs to; `area` names the happening in which many boards vanished.
    `maybe_told`: it may have arrived although nobody answered. `never`: its outage was taken back meanwhile;
    `end_told`: the chat was told of its end.
    """

    id: int
    site_id: int
    outage_id: UUID
    alert: Alert
    parent: str | None = None
    area: UUID | None = None
    held: Held | None = None
    maybe_told: bool = False
    never: bool = False
    end_told: bool = False


@dataclass(frozen=True)
class Bundle:
    """One message: an entry a site, the deliveries it tells, and those of which nothing is left to tell.

    `site_id`: the site, if it is of one alone. `held`: all of it waited for a time to come.
    """

    entries: tuple[Entry, ...]
    told: tuple[int, ...]
    vanished: tuple[int, ...]
    site_id: int | None
    held: Held | None = None

    @property
    def kind(self) -> EventKind | None:
        """Of the newest entry; None if nothing is told."""
        return self.entries[-1].alert.kind if self.entries else None


def gather(queue: Sequence[Queued]) -> Bundle:
    """One message of the whole queue: of each site what it comes down to, so that the last word is the truth."""
    told: list[tuple[list[Queued], Entry]] = []
    for site in dict.fromkeys(item.site_id for item in queue):
        left = _stale_out(_retracted_out([item for item in queue if item.site_id == site]))
        if left and not _nothing_new(left):
            told.append((left, _entry(left)))
    told.sort(key=lambda pair: pair[0][-1].id)
    spoken = [item for items, _ in told for item in items]
    ids = {item.id for item in spoken}
    reasons = {item.held for item in spoken}
    return Bundle(
        entries=tuple(entry for _, entry in told),
        told=tuple(sorted(ids)),
        vanished=tuple(item.id for item in queue if item.id not in ids),
        site_id=spoken[0].site_id if len(told) == 1 else None,
        held=reasons.pop() if len(reasons) == 1 else None,
    )


def _retracted_out(items: list[Queued]) -> list[Queued]:
    """Without outages that never were. Of those that were told before, or may have been, the retraction stays."""
    losses = [item for item in items if item.alert.kind is _LOST]
    never = {item.outage_id for item in items if item.alert.kind is _REVISED and item.alert.cause in RETRACTED}
    # Not everybody is owed the retraction.
    never |= {item.outage_id for item in losses if item.never}
    unsaid = {item.outage_id for item in losses if not item.maybe_told} & never
    return [
        item
        for item in items
        if item.outage_id not in never or (item.alert.kind is _REVISED and item.outage_id not in unsaid)
    ]


def _stale_out(items: list[Queued]) -> list[Queued]:
    """Without losses that were kept back until they need not be told, and what only refines an outage never told."""
    ended = {item.outage_id for item in items if item.alert.kind is _RESTORED}
    stale = [item for item in items if item.outage_id not in ended and _needless(item)]
    unsaid = {item.outage_id for item in stale if not (item.end_told or item.maybe_told)}
    return [
        item
        for item in items
        if item not in stale
        and (item.alert.kind is not _REVISED or item.alert.retracted or item.outage_id not in unsaid)
    ]


def _needless(item: Queued) -> bool:
    """Whether it is a loss that was kept back, is over, and its end was told meanwhile; or it all fell into a mute, or
    did not last. After quiet hours it is told by its end, to those too who are owed no return."""
    ended, until = item.alert.outage_ended, item.alert.held_until
    if item.alert.kind is not _LOST or item.held is None or ended is None:
        return False
    return item.end_told or item.held is Held.MUTE or (item.held is Held.LONG and (until is None or ended < until))


def _nothing_new(items: Sequence[Queued]) -> bool:
    """Whether the site stands after a mute as it did when the mute began: on before, off and on meanwhile."""
    lost = {item.outage_id for item in items if item.alert.kind is _LOST}
    news = [item for item in items if item.alert.kind is not _REVISED or item.outage_id not in lost]
    kinds = [item.alert.kind for item in news]
    return (
        all(item.held is Held.MUTE and item.alert.kind in (_LOST, _RESTORED) for item in news)
        and kinds[0] is _LOST
        and kinds[-1] is _RESTORED
    )


def _entry(queue: Sequence[Queued]) -> Entry:
    """What one site's alerts come down to: the last that says how it stands, the outages that are over, corrections."""
    # A refinement needs no words of its own beside the alert it refines: that tells the times as they are known now.
    refined = {item.outage_id for item in queue if item.alert.kind is _REVISED and not item.alert.retracted}
    items = [_known_now(item) if item.outage_id in refined else item for item in queue]
    ended = {item.outage_id for item in items if item.alert.kind is _RESTORED}
    lost = {item.outage_id: item for item in items if item.alert.kind is _LOST}
    events = [item if item.outage_id in ended else _over(item) for item in items if item.alert.kind is not _REVISED]
    spoken = {item.outage_id for item in events}
    # Of an outage told before, the latest of its corrections.
    revised = {item.outage_id: item for item in items if item.alert.kind is _REVISED and item.outage_id not in spoken}
    last = events[-1] if events else [*revised.values()][-1]
    over = [item for item in events if item.alert.kind is _RESTORED and _began(item, lost) is not None]
    if len(events) == 1 and last.outage_id not in lost:
        over = []  # the plain end of what was told
    off, count = sum((_length(item, lost) for item in over), timedelta(0)), len(over)
    alert = last.alert
    ends = last in over
    if ends and alert.outage_started is None:
        alert = replace(alert, outage_started=lost[last.outage_id].alert.occurred_lo)
    return Entry(
        alert=alert,
        parent=last.parent,
        area=last.area if alert is last.alert else None,
        outages=count,
        off=off,
        ends=ends,
        corrections=tuple(item.alert for item in revised.values() if item is not last),
    )


def _over(item: Queued) -> Queued:
    """A loss that waited for so long that it is over, by its end: of that the chat is told nothing, or later."""
    alert = item.alert
    if alert.kind is not _LOST or alert.outage_ended is None:
        return item
    return replace(item, alert=replace(alert, kind=_RESTORED, occurred_hi=alert.outage_ended), area=None)


def _known_now(item: Queued) -> Queued:
    """A loss or a return with the time that its outage has by now."""
    alert = item.alert
    if alert.kind is _LOST and alert.outage_started is not None:
        alert = replace(alert, occurred_lo=alert.outage_started)
    elif alert.kind is _RESTORED and alert.outage_ended is not None:
        alert = replace(alert, occurred_hi=alert.outage_ended)
    return replace(item, alert=alert)


def _began(end: Queued, lost: Mapping[UUID, Queued]) -> datetime | None:
    """When the outage began that ends here, as far as it is known."""
    loss = lost.get(end.outage_id)
    return end.alert.outage_started or (loss.alert.occurred_lo if loss else None)


def _length(end: Queued, lost: Mapping[UUID, Queued]) -> timedelta:
    began = _began(end, lost)
    return max(timedelta(0), end.alert.occurred_hi - began) if began else timedelta(0)
