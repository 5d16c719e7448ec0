"""From the facts to the explanation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from services.api.schemas import ChildTally, OutageRef
from services.api.why import words
from services.api.why.facts import Board, Facts, Policy
from services.api.why.guards import guards_of
from services.api.why.judge import looked_at, silence_counts_at, standing_of, vote_of, will_counts_at
from services.api.why.model import (
    Guard,
    Vote,
    Why,
    WhyDark,
    WhyDeadline,
    WhyDetector,
    WhyDevice,
    WhyGuard,
    WhyRule,
    WhySession,
)
from services.api.why.scene import Scene, scene_of


def explain(facts: Facts, *, now: datetime, zone: ZoneInfo, policy: Policy, named: bool) -> Why:
    """Why the site is as it is, told by the clock of `zone`.

    `policy` stands in for what the detector did not tell of its own; without `named` boards are numbered.
    """
    scene = scene_of(facts, now, zone, policy, named=named)
    site, outage, children = facts.site, facts.site.outage, facts.site.memory.children
    standing = standing_of(site, facts.boards, scene.watch)
    guards = guards_of(scene)
    return Why(
        site=site.slug,
        name=site.name,
        summary=words.summary(site, facts.boards, standing, scene.watch, scene.planned, scene.clock),
        warnings=list(_warnings(scene)),
        state=site.state,
        power=site.power,
        since=site.since,
        cause=outage.cause if outage is not None else None,
        outage=OutageRef(id=outage.id, started_lo=outage.started_lo, started_hi=outage.started_hi)
        if outage is not None
        else None,
        planned=scene.planned,
        children=ChildTally(**msgspec.structs.asdict(children)) if children is not None else None,
        rule=WhyRule(
            rule=standing.rule,
            words=words.rule_words(site, facts.boards, standing),
            needs=standing.needs,
            verdict=standing.verdict,
            **{vote.value: standing.weight[vote] for vote in Vote},
        ),
        devices=[_device(scene, name, board) for name, board in scene.boards.items()],
        guards=guards,
        deadlines=sorted(_deadlines(scene, guards), key=lambda deadline: deadline.at),
        detector=_detector(scene),
        as_of=facts.tick.at if facts.tick is not None else None,
        asked_at=now,
    )


def _warnings(scene: Scene) -> Iterator[str]:
    tick, clock = scene.facts.tick, scene.clock
    if tick is None:
        yield "No detector ever ran here, so nothing is watched."
    elif not scene.watch.fresh:
        ago = words.tell_length(clock.now - tick.at)
        yield f"No detector has written anything for {ago}: this is what was known at {clock.at(tick.at)}."
    unread = ["the site"] if scene.site.memory.unread else []
    unread += [name for name, board in scene.boards.items() if board.memory.unread]
    if unread:
        yield f"What the detector remembers of {', '.join(unread)} cannot be read here, and is left out."


def _device(scene: Scene, name: str, board: Board) -> WhyDevice:
    policy, watch, dark = scene.policy, scene.watch, board.memory.dark
    counts_at = silence_counts_at(board, policy, watch)
    silent = scene.clock.now - board.last_proof_at if board.last_proof_at is not None else None
    return WhyDevice(
        device=name,
        words=words.board_words(board, watch, counts_at, will_counts_at(board, policy, watch), scene.clock),
        liveness=board.liveness,
        vote=vote_of(board, watch),
        weight=board.weight,
        interval_s=board.interval_s,
        timeout_s=policy.timeout(board.interval_s).total_seconds(),
        last_proof_at=board.last_proof_at,
        silent_s=max(round(silent.total_seconds(), 1), 0) if silent is not None else None,
        lost_at=board.lost_at if board.liveness == "lost" else None,
        lost_by=board.lost_by if board.liveness == "lost" else None,
        lost_if_silent_at=counts_at,
        deadline_at=looked_at(board, watch),
        session=WhySession(boot=board.boot, conn=board.conn, since=board.memory.session_at)
        if scene.named and board.boot is not None
        else None,
        dark=WhyDark(
            start_lo=dark.start_lo,
            start_hi=dark.start_hi,
            end_lo=dark.end_lo,
            end_hi=dark.end_hi,
            cause=dark.cause,
            blind=dark.blind,
        )
        if dark is not None
        else None,
    )


_THEN = {
    Guard.SETTLING: "silence counts again",
    Guard.PENDING: "what the boards say is confirmed",
    Guard.AREA: "what is held back is told",
    Guard.MAINTENANCE: "maintenance ends",
    Guard.UNSTABLE: "the power counts as calm again",
}


def _deadlines(scene: Scene, guards: list[WhyGuard]) -> Iterator[WhyDeadline]:
    """What happens next by itself. Of boards that beat as they should nothing is expected."""
    if not scene.watch.fresh:
        return
    for guard in guards:
        if guard.until is not None:
            yield WhyDeadline(at=guard.until, words=_THEN[guard.guard])
    for name, board in scene.boards.items():
        if (will := will_counts_at(board, scene.policy, scene.watch)) is not None:
            yield WhyDeadline(at=will, words=f"the last will of {name} counts if nothing contradicts it")
        counts_at = silence_counts_at(board, scene.policy, scene.watch)
        steady = board.liveness == "online" and vote_of(board, scene.watch) is Vote.ALIVE
        if counts_at is not None and not steady:
            yield WhyDeadline(at=counts_at, words=f"{name} counts as lost if it stays silent")


def _detector(scene: Scene) -> WhyDetector:
    tick = scene.facts.tick
    return WhyDetector(
        ticked_at=tick.at if tick is not None else None,
        fresh=scene.watch.fresh,
        watching_since=tick.since if tick is not None else None,
        proven_at=tick.details.proven_at if tick is not None else None,
        instance=tick.details.instance if tick is not None and scene.named else None,
    )
