"""What admins read: people, the state of operation, a board's first beat, broadcasts, corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.notifier.people import Grant
from services.notifier.views.reader import Reader, short_name

MOST_LINES = 25


@dataclass(frozen=True, kw_only=True)
class Silence:
    """A board and when it last beat; None: never. `late`: longer ago than three of its intervals."""

    device: str
    place: str
    last_seen_at: datetime | None
    late: bool


@dataclass(frozen=True, kw_only=True)
class Operation:
    """How the bot's work stands: chats, queue, failures of the last day by reason, boards (silent ones first)."""

    chats: int
    blocked: int
    queued: int
    oldest_s: float | None
    failures: tuple[tuple[str, int], ...]
    boards: tuple[Silence, ...]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a broadcast has come."""

    state: str
    total: int
    sent: int
    failed: int
    dropped: int

    @property
    def left(self) -> int:
        """Deliveries still to be made."""
        return self.total - self.sent - self.failed - self.dropped


@dataclass(frozen=True, kw_only=True)
class Fix:
    """A correction before it is made: the outage as it stands, and what it becomes (`cause`: it was none)."""

    place: str
    started: datetime
    ended: datetime
    cause: str | None = None
    new_started: datetime | None = None
    new_ended: datetime | None = None
    reason: str = ""


def people_text(grants: Sequence[Grant], reader: Reader, me: int = 0) -> str:
    """Who may do what, one line each; people are numbers here, so `me`, who reads, is pointed out."""
    say = reader.words.say
    lines = [say("people-title")]
    for grant in grants[:MOST_LINES]:
        lines.append(f"• {grant_line(grant, reader)}{' ' + say('people-you') if grant.user_id == me else ''}")
    if len(grants) > MOST_LINES:
        lines.append(say("admin-more", count=len(grants) - MOST_LINES))
    return "\n".join(lines)


def grant_line(grant: Grant, reader: Reader) -> str:
    """A role: whose, which, where."""
    where = reader.escape(grant.place) if grant.place else reader.words.say("everywhere")
    return f"{grant.user_id} — {reader.words.say(f'role-{grant.role.value}')}, {where}"


def withdrawn_text(places: Sequence[str], reader: Reader, *, taken: bool) -> str:
    """To somebody whose role was `taken`, or reaches less than it did: which places they are told of no longer."""
    say = reader.words.say
    lines = [
        say("role-withdrawn" if taken else "role-unreached"),
        *(f"• {reader.escape(place)}" for place in places[:MOST_LINES]),
    ]
    if len(places) > MOST_LINES:
        lines.append(say("admin-more", count=len(places) - MOST_LINES))
    return "\n".join([*lines, say("role-withdrawn-then")])


def operation_text(found: Operation, reader: Reader) -> str:
    """The state of operation."""
    words = reader.words
    lines = [words.say("ops-chats", chats=found.chats, blocked=found.blocked)]
    if found.oldest_s is None:
        lines.append(words.say("ops-queue-empty"))
    else:
        age = words.duration(timedelta(seconds=found.oldest_s))
        lines.append(words.say("ops-queue", count=found.queued, age=age))
    if found.failures:
        lines += ["", words.say("ops-failures")]
        lines += [f"• {count} × {reader.escape(reason)}" for reason, count in found.failures]
    else:
        lines.append(words.say("ops-no-failures"))
    lines += ["", words.say("ops-boards" if found.boards else "ops-no-boards")]
    for board in found.boards[:MOST_LINES]:
        mark = "🔇" if board.late else "💓"
        lines.append(f"{mark} {_board(board, reader)}")
    if len(found.boards) > MOST_LINES:
        lines.append(words.say("admin-more", count=len(found.boards) - MOST_LINES))
    return "\n".join(lines)


def beat_text(device: str, waited: timedelta, seen: datetime | None, rssi: int | None, reader: Reader) -> str:
    """A new board's first beat: still waited for, or here."""
    words, name = reader.words, reader.escape(device)
    if seen is None:
        return words.say("beat-waiting", device=name, waited=words.duration(waited))
    ago = words.duration(max(timedelta(0), reader.now - seen))
    line = words.say("beat-received", device=name, ago=ago)
    return line if rssi is None else f"{line}, {words.say('beat-signal', dbm=f'{rssi}'.replace('-', '−'))}"


def broadcast_text(text: str, reader: Reader) -> str:
    """A broadcast as its readers see it."""
    return f"📣 {reader.escape(text)}"


def progress_text(found: Progress, reader: Reader) -> str:
    """How far a broadcast has come, or what came of it."""
    say = reader.words.say
    done = found.sent + found.failed + found.dropped
    if found.state == "sending" and found.left:
        lines = [say("cast-sending", done=done, total=found.total)]
    elif found.state == "cancelled":
        lines = [say("cast-cancelled", count=found.sent)]
    else:
        lines = [say("cast-done", count=found.sent)]
    if found.failed:
        lines.append(say("cast-failed", count=found.failed))
    if found.dropped:
        lines.append(say("cast-dropped", count=found.dropped))
    return "\n".join(lines)


def fix_text(fix: Fix, reader: Reader) -> str:
    """A correction, to be looked at before it is made."""
    say = reader.words.say
    lines = [say("fix-preview", place=reader.escape(fix.place)), say("fix-before", span=span(fix, reader))]
    if fix.cause is not None:
        lines.append(say(f"fix-after-{fix.cause}"))
    else:
        start, end = fix.new_started or fix.started, fix.new_ended or fix.ended
        lines.append(say("fix-after", span=_span(start, end, reader)))
    if fix.reason:
        lines.append(say("fix-why", reason=reader.escape(fix.reason)))
    return "\n".join(lines)


def span(fix: Fix, reader: Reader) -> str:
    """From when to when it was off, as it stands."""
    return _span(fix.started, fix.ended, reader)


def outage_label(started: datetime, ended: datetime | None, reader: Reader) -> str:
    """An outage on a button."""
    if ended is None:
        return reader.words.say("fix-open", time=reader.time(started))
    return _span(started, ended, reader)


def _span(start: datetime, end: datetime, reader: Reader) -> str:
    """From when to when: the end's date stands there if it is not that of the start."""
    till = reader.words.time(end, reader.zone, start)
    return f"{reader.time(start)} – {till} ({reader.words.duration(end - start)})"


def _board(board: Silence, reader: Reader) -> str:
    words, place = reader.words, reader.escape(short_name(board.place))
    name = reader.escape(board.device)
    if board.last_seen_at is None:
        return words.say("ops-board-never", place=place, device=name)
    ago = words.duration(max(timedelta(0), reader.now - board.last_seen_at))
    return words.say("ops-board", place=place, device=name, ago=ago)
