"""How an explanation is told: calm English sentences, for whoever looks after the installation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.api.schemas import Planned
from services.api.why.facts import Board, Dark, Site
from services.api.why.judge import CHILDREN, Standing, Watch, vote_of
from services.api.why.model import Verdict, Vote, WhyDark
from svitlo.contracts import ChildTally, SiteStateWord


@dataclass(frozen=True)
class Clock:
    """Tells moments by the clock on the wall of `zone`."""

    zone: ZoneInfo
    now: datetime

    def at(self, moment: datetime) -> str:
        """The time, with the day where it is another one."""
        there = moment.astimezone(self.zone)
        day = "" if there.date() == self.now.astimezone(self.zone).date() else f"{there:%Y-%m-%d} "
        return f"{day}{there:%H:%M:%S}"

    def ago(self, moment: datetime) -> str:
        """How long ago, and the time."""
        return f"{tell_length(self.now - moment)} ago, at {self.at(moment)}"


def tell_length(length: timedelta) -> str:
    """A duration in its two largest units."""
    whole = max(int(length.total_seconds()), 0)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


# The sentence

_HEADS = {
    SiteStateWord.ON: "On",
    SiteStateWord.OFF: "Off",
    SiteStateWord.UNKNOWN: "Unknown",
    SiteStateWord.LATE: "Late, but on as far as is known",
    SiteStateWord.PARTIAL: "Partly on",
    SiteStateWord.BACKUP: "On backup",
}


def summary(
    site: Site, boards: Sequence[Board], standing: Standing, watch: Watch, planned: Planned | None, clock: Clock
) -> str:
    """State, since when, because of what; then what is unusual about it."""
    told = f"{_head(site, planned, clock)}: {_because(site, boards, standing, watch)}."
    if not watch.fresh:
        told = f"When last known, {told[0].lower()}{told[1:]}"
    if site.state is SiteStateWord.PARTIAL and site.memory.children is not None and boards:
        told += f" {_some_off(site.memory.children)}."
    return " ".join([told, *_unusual(site, standing, watch)])


def _head(site: Site, planned: Planned | None, clock: Clock) -> str:
    since = f" since {clock.at(site.since)}" if site.since is not None else ""
    if site.state is not SiteStateWord.MAINTENANCE:
        return _HEADS[site.state] + since
    until = f" until {clock.at(planned.ends_at)}" if planned is not None else ""
    return f"In maintenance{until}, {site.power.value}{since}"


def _because(site: Site, boards: Sequence[Board], standing: Standing, watch: Watch) -> str:
    if standing.rule == CHILDREN and site.memory.children is not None:
        return f"it has no boards of its own; {_children(site.memory.children)}"
    if not boards:
        return "no board stands for it"
    if standing.needs is None:
        return f"{_boards(boards, watch)}, so nobody has a vote"
    return f"{_boards(boards, watch)}; {rule_words(site, boards, standing)}"


_PHRASES = {
    "alive": ("is alive", "are alive"),
    "overdue": ("is overdue", "are overdue"),
    "silent": ("is silent", "are silent"),
    "unpowered": ("says itself that it has no mains", "say themselves that they have no mains"),
    "unseen": ("is not heard yet since we see again", "are not heard yet since we see again"),
    "last": ("was alive when last heard", "were alive when last heard"),
    "paused": ("said goodbye", "said goodbye"),
    "never": ("was never heard", "were never heard"),
}
"""What can be said of one board, and of several; in the order in which it is told."""


def _phrase(board: Board, watch: Watch) -> str:
    match vote_of(board, watch):
        case Vote.ALIVE:
            return "overdue" if board.liveness == "late" else "alive"
        case Vote.DEAD:
            return "unpowered" if board.lost_by == "mains" else "silent"
        case Vote.UNSEEN:
            return "unseen" if watch.seeing is not None else "last"
        case Vote.ABSTAINS:
            return "paused" if board.liveness == "paused" else "never"


def _boards(boards: Sequence[Board], watch: Watch) -> str:
    found = [_phrase(board, watch) for board in boards]
    counts = [(found.count(phrase), *_PHRASES[phrase]) for phrase in _PHRASES if phrase in found]
    total = len(boards)
    if len(counts) == 1:
        _, one, several = counts[0]
        return f"its board {one}" if total == 1 else f"{'both' if total == 2 else f'all {total}'} boards {several}"
    (first, one, several), *rest = counts
    told = [f"{first} of {total} boards {one if first == 1 else several}"]
    return ", ".join(told + [f"{count} {one if count == 1 else several}" for count, one, several in rest])


def rule_words(site: Site, boards: Iterable[Board], standing: Standing) -> str:
    """What the rule asks for."""
    if standing.rule == CHILDREN:
        return "one site under it with power is enough"
    needs = standing.needs or site.k or 1
    weighted = any(board.weight != 1 for board in boards)
    match site.rule:
        case "all":
            asked = "every one alive"
        case "majority" if weighted:
            asked = f"more than half of the weight alive, {needs} of {standing.voters}"
        case "majority":
            asked = f"more than half alive, {needs} of {standing.voters}"
        case "k" if weighted:
            asked = f"a weight of {needs} alive"
        case "k":
            asked = f"{needs} alive"
        case _:
            asked = "one alive"
    if standing.verdict is Verdict.UNKNOWN and standing.needs is not None:
        having = f"a weight of {standing.voters} has" if weighted else f"{standing.voters} have"
        return f"the rule `{site.rule}` needs {asked}, and only {having} a vote"
    counted = f"; {standing.weight[Vote.ALIVE]} is" if weighted and site.rule in ("majority", "k") else ""
    return f"the rule `{site.rule}` needs {asked}{counted}"


def _children(children: ChildTally) -> str:
    if children.on or children.partial:
        having = children.on + children.partial
        return f"{having} of the {children.total} sites under it {'has' if having == 1 else 'have'} power"
    if children.off:
        return f"none of the {children.total} sites under it has power"
    return f"nothing is known of the {children.total} sites under it"


def _some_off(children: ChildTally) -> str:
    return f"{children.off} of {children.total} sites under it {'is' if children.off == 1 else 'are'} without power"


def _unusual(site: Site, standing: Standing, watch: Watch) -> list[str]:
    """Why the state is another than the votes make it."""
    if watch.blind:
        return ["We are blind, so nothing is decided."]
    if site.memory.pending is not None:
        return [f"That says {standing.verdict.value}, which is not confirmed yet."]
    if standing.verdict is Verdict.HOLD:
        return ["While that may come out either way, the state stays."]
    if not watch.fresh or standing.verdict.value == site.power.value:
        return []
    if standing.verdict is Verdict.OFF:
        return ["That was so before the site became unknown, and is no new loss."]
    return [f"That says {standing.verdict.value}; the detector has not said so yet."]


# One board


def board_words(
    board: Board, watch: Watch, counts_at: datetime | None, will_until: datetime | None, clock: Clock
) -> str:
    """What is held of a board, and what that rests on; `counts_at` is when its silence is a loss."""
    heard = "never heard" if board.last_proof_at is None else f"last heard {clock.ago(board.last_proof_at)}"
    counts = "" if counts_at is None else f"; silence counts as a loss from {clock.at(counts_at)}"
    if board.memory.will_at is not None:
        held = " and is not believed yet" if will_until is None else f", which counts from {clock.at(will_until)}"
        return f"{heard}; its last will came at {clock.at(board.memory.will_at)}{held}"
    match vote_of(board, watch):
        case Vote.DEAD:
            lost = clock.at(board.lost_at) if board.lost_at is not None else "a time unknown"
            return f"{heard}; {_EVIDENCE.get(board.lost_by or '', 'lost at')} {lost}"
        case Vote.UNSEEN if watch.seeing is not None:
            return f"{heard}, before we began to see at {clock.at(watch.seeing)}{counts}"
        case Vote.ABSTAINS if board.liveness == "paused":
            until = "" if counts_at is None else f", which excuses it until {clock.at(counts_at)}"
            said = f" at {clock.at(board.paused_at)}" if board.paused_at is not None else ""
            return f"said goodbye{said}{until}"
        case _:
            return f"{'overdue: ' if board.liveness == 'late' else ''}{heard}{counts}"


_EVIDENCE = {
    "timeout": "its silence counted as a loss at",
    "lwt": "the broker told its last will at",
    "mains": "its own sensor told the loss of the mains at",
}


def dark_words(dark: Dark | WhyDark, clock: Clock) -> str:
    """A dark span as people are told of it."""
    start = clock.at(dark.start_lo)
    span = f"since {start}" if dark.end_hi is None else f"{start} to {clock.at(dark.end_hi)}"
    return f"{span}: {_CAUSES.get(dark.cause, dark.cause)}"


_CAUSES = {
    "power": "no power",
    "network": "no network, it had power",
    "device": "the board failed, it had power",
    "presumed": "cause not known",
}
