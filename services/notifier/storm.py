"""What several pending alerts of one chat become: one message that tells them all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
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
    `never`: its outage was taken back meanwhile.
    """

    id: int
    site_id: int
    outage_id: UUID
    alert: Alert
    parent: str | None = None
    area: UUID | None = None
    held: Held | None = None
    never: bool = False


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
    """Without outages that never were. Of those told before, the retraction stays."""
    losses = [item for item in items if item.alert.kind is _LOST]
    never = {item.outage_id for item in items if item.alert.kind is _REVISED and item.alert.cause in RETRACTED}
    # Not everybody is owed the retraction.
    never |= {item.outage_id for item in losses if item.never}
    unsaid = {item.outage_id for item in losses} & never
    return [
        item
        for item in items
        if item.outage_id not in never or (item.alert.kind is _REVISED and item.outage_id not in unsaid)
    ]


def _stale_out(items: list[Queued]) -> list[Queued]:
    """Without losses that were kept back and of which the end was told meanwhile."""
    ended = {item.outage_id for item in items if item.alert.kind is _RESTORED}
    return [
        item
        for item in items
        if not (
            item.held
            and item.alert.kind is _LOST
            and item.alert.outage_ended is not None
            and item.outage_id not in ended
        )
    ]


def _nothing_new(items: Sequence[Queued]) -> bool:
    """Whether the site stands after a mute as it did when the mute began: on before, off and on meanwhile."""
    kinds = [item.alert.kind for item in items if item.alert.kind in (_LOST, _RESTORED)]
    return (
        all(item.held is Held.MUTE for item in items)
        and len(kinds) == len(items)
        and kinds[0] is _LOST
        and kinds[-1] is _RESTORED
    )


def _entry(items: Sequence[Queued]) -> Entry:
    """What one site's alerts come down to: the last that says how it stands, and the outages that are over."""
    # A refinement needs no words of its own beside the alert it refines, which reads the outage as it is known now.
    spoken = {item.outage_id for item in items if item.alert.kind is not _REVISED}
    standing = [item for item in items if item.alert.kind is not _REVISED or item.outage_id not in spoken]
    last = standing[-1]
    lost = {item.outage_id: item for item in items if item.alert.kind is _LOST}
    over = [item for item in items if item.alert.kind is _RESTORED and item.outage_id in lost]
    off = sum((_length(lost[item.outage_id].alert, item.alert) for item in over), timedelta(0))
    alert = last.alert
    ends, ended = last in over, alert.outage_ended
    if ends and alert.outage_started is None:
        alert = replace(alert, outage_started=lost[last.outage_id].alert.occurred_lo)
    elif alert.kind is _LOST and ended is not None:
        # It waited for so long that it is over, and of its end the chat is told nothing or later.
        alert = replace(alert, kind=_RESTORED, occurred_hi=ended)
        return Entry(alert=alert, parent=last.parent, outages=len(over) + 1, off=off + _length(alert, alert), ends=True)
    return Entry(alert=alert, parent=last.parent, area=last.area, outages=len(over), off=off, ends=ends)


def _length(lost: Alert, restored: Alert) -> timedelta:
    return max(timedelta(0), restored.occurred_hi - (restored.outage_started or lost.occurred_lo))
