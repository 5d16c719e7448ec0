"""What the detector makes of a site's boards, worked out again from what it wrote down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.api.tick import Tick
from services.api.why.facts import Board, Policy, Site
from services.api.why.model import Verdict, Vote
from svitlo.contracts import ChildTally

ALIVE = ("online", "late")
CHILDREN = "children"
"""The rule of a site without boards of its own: it has power as long as a site under it has."""


@dataclass(frozen=True)
class Watch:
    """Whether a detector is there, and since when it sees without a break (UTC; None while it is blind)."""

    fresh: bool
    since: datetime | None

    @property
    def blind(self) -> bool:
        """Whether a detector is there and sees nothing."""
        return self.fresh and self.since is None

    @property
    def seeing(self) -> datetime | None:
        """Since when a detector has been seeing; None if it is blind or gone, so that no deadline counts."""
        return self.since if self.fresh else None


@dataclass(frozen=True)
class Standing:
    """The rule, the weights of the votes, how much of it must live, and what comes of that."""

    rule: str
    weight: Mapping[Vote, int]
    needs: int | None
    verdict: Verdict

    @property
    def voters(self) -> int:
        """The weight of all that have a vote."""
        return sum(self.weight.values()) - self.weight[Vote.ABSTAINS]


def watch_of(tick: Tick | None, now: datetime) -> Watch:
    """How the detector watches."""
    return Watch(False, None) if tick is None else Watch(tick.fresh(now), tick.since)


def vote_of(board: Board, watch: Watch) -> Vote:
    """One board's vote."""
    if board.liveness == "lost":
        return Vote.DEAD
    if board.liveness in ALIVE:
        return Vote.ALIVE if _heard(board, watch.since) else Vote.UNSEEN
    return Vote.ABSTAINS


def standing_of(site: Site, boards: Sequence[Board], watch: Watch) -> Standing:
    """The site's rule over its boards' votes, or over the sites under it."""
    if not boards and site.memory.children is not None:
        return _by_children(site.memory.children)
    weight = dict.fromkeys(Vote, 0)
    for board in boards:
        weight[vote_of(board, watch)] += board.weight
    alive, unseen = weight[Vote.ALIVE], weight[Vote.UNSEEN]
    voters = alive + unseen + weight[Vote.DEAD]
    k = site.k or 1
    if voters == 0:
        return Standing(site.rule, weight, None, Verdict.UNKNOWN)
    needs = {"all": voters, "majority": voters // 2 + 1, "k": k}.get(site.rule, 1)
    if needs > voters:
        verdict = Verdict.UNKNOWN
    elif alive >= needs:
        verdict = Verdict.ON
    else:
        verdict = Verdict.HOLD if alive + unseen >= needs else Verdict.OFF
    return Standing(site.rule, weight, needs, verdict)


def silence_counts_at(board: Board, policy: Policy, watch: Watch) -> datetime | None:
    """When a board's silence counts as a loss, or no longer is excused; None while it cannot."""
    since = watch.seeing
    if since is None:
        return None
    settled = since + policy.settle(board.interval_s)
    if board.liveness == "paused" and board.paused_at is not None:
        return max(board.paused_at + timedelta(seconds=policy.pause_limit_s), settled)
    if board.liveness not in ALIVE or board.last_proof_at is None:
        return None
    if _heard(board, since):
        return board.last_proof_at + policy.timeout(board.interval_s)
    return max(settled - board.memory.quiet, since + policy.late_after(board.interval_s))


def will_counts_at(board: Board, policy: Policy, watch: Watch) -> datetime | None:
    """When the last will of a board counts if nothing contradicts it; None without one, and if it is not believed.

    Soon after a blind span only the will of a connection that began since is.
    """
    since, will_at, session_at = watch.seeing, board.memory.will_at, board.memory.session_at
    if since is None or will_at is None:
        return None
    if (session_at is None or session_at < since) and will_at < since + policy.settle(board.interval_s):
        return None
    return will_at + timedelta(seconds=policy.will_hold_s)


def looked_at(board: Board, watch: Watch) -> datetime | None:
    """When the detector looks at a board next, if it wrote that down since it sees."""
    since = watch.seeing
    if since is None or board.updated_at is None or board.updated_at < since:
        return None
    return board.deadline_at


def settles_at(boards: Sequence[Board], policy: Policy, watch: Watch) -> datetime | None:
    """Until when silence proves nothing after a blind span."""
    if watch.seeing is None or not boards:
        return None
    return watch.seeing + max(policy.settle(board.interval_s) for board in boards)


def confirmed_at(site: Site, policy: Policy) -> datetime | None:
    """When the pending verdict takes effect; None without one, and while it stands still because we are blind."""
    memory = site.memory
    if memory.pending is None or memory.pending_at is None:
        return None
    if site.power.value == Verdict.UNKNOWN or memory.pending == Verdict.UNKNOWN:
        return memory.pending_at
    own, common = (
        (site.confirm_off_s, policy.confirm_off_s)
        if memory.pending == Verdict.OFF
        else (site.confirm_on_s, policy.confirm_on_s)
    )
    return memory.pending_at + timedelta(seconds=common if own is None else own)


def held_until(site: Site, policy: Policy, watch: Watch) -> datetime | None:
    """Until when the site's alerts wait because many boards vanished; longer if our link broke too."""
    memory, since = site.memory, watch.since
    if memory.hold_until is None or since is None or memory.outage is None or memory.outage.detected_at >= since:
        return memory.hold_until
    return max(memory.hold_until, since + timedelta(seconds=policy.reconnect_s))


def calm_at(site: Site, policy: Policy, watch: Watch) -> datetime | None:
    """When power that comes and goes counts as calm again, if it stays as it is."""
    unstable = site.memory.unstable
    if unstable is None:
        return None
    return max(unstable.last_at, watch.since or unstable.last_at) + timedelta(seconds=policy.flap_calm_s)


def _heard(board: Board, since: datetime | None) -> bool:
    return since is not None and board.last_proof_at is not None and board.last_proof_at >= since


def _by_children(children: ChildTally) -> Standing:
    on = children.on + children.partial
    weight = {Vote.ALIVE: on, Vote.DEAD: children.off, Vote.UNSEEN: 0, Vote.ABSTAINS: children.unknown}
    verdict = Verdict.ON if on else Verdict.OFF if children.off else Verdict.UNKNOWN
    return Standing(CHILDREN, weight, 1 if on or children.off else None, verdict)
