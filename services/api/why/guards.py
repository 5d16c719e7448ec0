"""What keeps the detector from deciding or telling just now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from services.api.why.judge import calm_at, confirmed_at, held_until, settles_at
from services.api.why.model import Guard, WhyGuard
from services.api.why.scene import Scene
from svitlo.maintenance import occurrences

MOMENT = timedelta(microseconds=1)


def guards_of(scene: Scene) -> list[WhyGuard]:
    """The guards that are active, those that keep it from deciding first."""
    found = (_blind, _settling, _pending, _area, _maintenance, _unstable, _held)
    return [guard for find in found for guard in find(scene)]


def _blind(scene: Scene) -> Iterator[WhyGuard]:
    if scene.watch.blind:
        yield _guard(
            Guard.BLIND, "The detector hears nothing through the broker: nothing is decided until it sees again."
        )


def _settling(scene: Scene) -> Iterator[WhyGuard]:
    since, until = scene.watch.seeing, settles_at(scene.facts.boards, scene.policy, scene.watch)
    if since is None or until is None or until <= scene.clock.now:
        return
    told = (
        f"The detector was blind and sees again since {scene.clock.at(since)}: until {scene.clock.at(until)} neither "
        "the silence of boards not heard since counts, nor the last will of an earlier connection."
    )
    yield WhyGuard(guard=Guard.SETTLING, words=told, until=until)


def _pending(scene: Scene) -> Iterator[WhyGuard]:
    memory, until = scene.site.memory, confirmed_at(scene.site, scene.policy)
    if memory.pending is None:
        return
    if until is None or memory.pending_at is None:
        yield _guard(Guard.PENDING, f"The boards say {memory.pending}; to confirm that waits until we see again.")
        return
    told = (
        f"The boards say {memory.pending} since {scene.clock.at(memory.pending_at)}; "
        f"it is confirmed at {scene.clock.at(until)} if it stays so."
    )
    yield WhyGuard(guard=Guard.PENDING, words=told, until=until)


def _area(scene: Scene) -> Iterator[WhyGuard]:
    own, now = held_until(scene.site, scene.policy, scene.watch), scene.clock.now
    everywhere = scene.facts.tick.details.holding_alerts_until if scene.facts.tick is not None else None
    if own is not None and own > now:
        told = f"Many boards vanished together: alerts of this site wait until {scene.clock.at(own)}."
        yield WhyGuard(guard=Guard.AREA, words=told, until=own)
    elif everywhere is not None and everywhere > now:
        told = f"Many boards vanished together: of an outage found now people are told at {scene.clock.at(everywhere)}."
        yield WhyGuard(guard=Guard.AREA, words=told, until=everywhere)


def _maintenance(scene: Scene) -> Iterator[WhyGuard]:
    if scene.planned is None:
        return
    now, until = scene.clock.now, scene.planned.ends_at
    going_on = [window for window in scene.facts.windows if occurrences(window, now, now + MOMENT)]
    reasons = [window.reason for window in going_on if window.reason is not None]
    why = f" ({', '.join(dict.fromkeys(reasons))})" if reasons else ""
    told = f"Maintenance until {scene.clock.at(until)}{why}: outages are recorded, and nobody is told of them."
    yield WhyGuard(guard=Guard.MAINTENANCE, words=told, until=until)


def _unstable(scene: Scene) -> Iterator[WhyGuard]:
    unstable, until = scene.site.memory.unstable, calm_at(scene.site, scene.policy, scene.watch)
    if unstable is None or until is None:
        return
    told = (
        f"The power came or went {unstable.changes} times since {scene.clock.at(unstable.since)}: single changes are "
        f"told no more until it stayed as it is up to {scene.clock.at(until)}."
    )
    yield WhyGuard(guard=Guard.UNSTABLE, words=told, until=until)


def _held(scene: Scene) -> Iterator[WhyGuard]:
    memory = scene.site.memory
    if memory.owed:
        count, kinds = len(memory.owed), ", ".join(event.kind for event in memory.owed)
        yield _guard(Guard.HELD, f"{count} event{'s wait' if count > 1 else ' waits'} to be told: {kinds}.")
    if memory.outage is not None and memory.outage.untold:
        yield _guard(Guard.HELD, "Nobody was told of the outage that is on; people are, if it outlasts what is above.")


def _guard(guard: Guard, told: str) -> WhyGuard:
    return WhyGuard(guard=guard, words=told, until=None)
