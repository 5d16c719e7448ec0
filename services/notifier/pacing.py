"""When the next message may go out: rates, the shared flood wait, retries. Times are monotonic seconds."""

from __future__ import annotations

import math
import random
from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Rate:
    """At most `limit` messages in any `period_s`."""

    limit: int
    period_s: float

    def shared(self, count: int) -> Rate:
        """The part of one of `count` senders who together keep within this rate, in any second too."""
        if count <= 1:
            return self
        each = self.limit / self.period_s / count
        return Rate(int(each), 1.0) if each >= 1 else Rate(1, 1 / each)


@dataclass(frozen=True)
class Rates:
    """Rates of a channel as a whole, of one chat, and of one group."""

    overall: Rate
    chat: Rate
    group: Rate


TELEGRAM = Rates(overall=Rate(29, 1.0), chat=Rate(3, 3.0), group=Rate(20, 60.0))
"""Telegram takes about 30 messages a second from a bot, 1 a second in a chat, 20 a minute in a group
(core.telegram.org/bots/faq)."""

APPRISE = Rates(overall=Rate(10, 1.0), chat=Rate(3, 3.0), group=Rate(20, 60.0))
"""Each address has limits of its own, which nobody knows; this is what a mail server or a small host bears."""

UNLIMITED = Rates(overall=Rate(1000, 1.0), chat=Rate(1000, 1.0), group=Rate(1000, 1.0))


def telegram_rates(per_second: int) -> Rates:
    """Telegram's rates with another number of messages a second for the bot as a whole."""
    return replace(TELEGRAM, overall=Rate(per_second, 1.0))


class Window:
    """The messages that count towards a rate: those under way, and those counted less than a period ago."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._under_way = 0
        self._counted: deque[float] = deque()

    def room(self, now: float) -> int:
        """How many messages may go out now; below 0 after the rate was lowered."""
        while self._counted and self._counted[0] <= now - self.rate.period_s:
            self._counted.popleft()
        return self.rate.limit - self._under_way - len(self._counted)

    def wait(self, now: float) -> float:
        """Seconds until there is room if nothing more ends; 0 if there is, a period if only an end can make it."""
        if (room := self.room(now)) > 0:
            return 0.0
        last = -room
        return self._counted[last] + self.rate.period_s - now if last < len(self._counted) else self.rate.period_s

    def begin(self) -> None:
        """A message goes out."""
        self._under_way += 1

    def end(self, counted: float) -> None:
        """It is no longer under way; the other side counted it at that moment at the latest."""
        self._under_way -= 1
        insort(self._counted, counted)

    def take(self, now: float) -> None:
        """A message that takes no time."""
        self.begin()
        self.end(now)

    def unused(self, now: float) -> bool:
        """Whether nothing counts."""
        return self.room(now) == self.rate.limit


class Sending:
    """A message under way; `end` must be called once it was answered or given up."""

    def __init__(self, now: float, line: Line, windows: Sequence[Window]) -> None:
        self._began = now
        self._line = line
        self._windows = windows
        for window in windows:
            window.begin()

    def end(self, now: float) -> None:
        """It was answered, or given up; a second call changes nothing."""
        windows, self._windows = self._windows, ()
        if windows:
            late_s = self._line.delay(now, now - self._began)
            for window in windows:
                window.end(self._began + late_s)


WARM_S = 1.0
"""How long a line has to be in use before anything is taken for granted of it."""


class Line:
    """By how much a message may have been later than others at the other side.

    That counts it somewhere between its start and its answer. Half of the fastest answer of late is what every message
    takes at least; what one took beyond that may have been on its way there. Counted that much after its start, no
    period of theirs holds more than the rate allows, however uneven the line; only one that suddenly grows faster can
    push two of them together. The first messages after a pause wait for connections to be made, and those after them
    do not: in the first second each counts from its answer.
    """

    def __init__(self, span_s: float = 10.0) -> None:
        self._span_s = span_s
        self._latest: deque[tuple[float, float]] = deque()
        self._warm_at = 0.0

    def delay(self, now: float, took_s: float) -> float:
        """Note how long a message took from start to answer; returns by how much it may have been late, in seconds.

        All of it, if the line was not in use lately.
        """
        while self._latest and self._latest[0][0] < now - self._span_s:
            self._latest.popleft()
        if not self._latest:
            self._warm_at = now + WARM_S
        fastest_s = self._latest[0][1] if self._latest and now >= self._warm_at else 0.0
        # Slower ones before it will never be the fastest again.
        while self._latest and self._latest[-1][1] >= took_s:
            self._latest.pop()
        self._latest.append((now, took_s))
        return took_s - min(fastest_s, took_s) / 2


class Pace:
    """Keeps the rates of one channel; a flood wait stops all of it."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._overall = Window(rates.overall)
        # In even portions, so that there is always a little room for what comes next.
        self._portion = Window(_portion(rates.overall))
        self._line = Line()
        self._count = 1
        self._share_until = math.inf
        self._first = 0
        self._chats: dict[int, Window] = {}
        self._flood_until = 0.0

    def share(self, count: int, until: float = math.inf) -> None:
        """From now on this is one of `count` senders; after `until` it may be one of more, and must not send."""
        self._share_until = until
        if count != self._count:
            self._count = count
            self._overall.rate = self._rates.overall.shared(count)
            self._portion.rate = _portion(self._overall.rate)
            for chat, window in self._chats.items():
                window.rate = self._rate_of(chat)

    def flood(self, now: float, wait_s: float) -> None:
        """Send nothing at all for `wait_s`."""
        self._flood_until = max(self._flood_until, now + wait_s)

    def flooded(self, now: float) -> float:
        """Seconds of flood wait that are left."""
        return max(0.0, self._flood_until - now)

    def room(self, now: float, *, first: bool = False) -> int:
        """How many messages the channel as a whole may send now, but for those who go first."""
        if self.flooded(now) or (now > self._share_until and not first):
            return 0
        room = min(self._overall.room(now), self._portion.room(now))
        return max(0, room if first else room - self._first)

    @contextmanager
    def going_first(self) -> Iterator[None]:
        """Within the block somebody waits for room who comes before the others: `room(now, first=True)`."""
        self._first += 1
        try:
            yield
        finally:
            self._first -= 1

    def spare(self, now: float) -> bool:
        """Whether more than half of the rate is free: only then goes out what can wait for the alerts."""
        return self.room(now) > 0 and 2 * self._overall.room(now) > self._overall.rate.limit

    def full_chats(self, now: float) -> set[int]:
        """The chats that must wait."""
        for chat in [chat for chat, window in self._chats.items() if window.unused(now)]:
            del self._chats[chat]
        return {chat for chat, window in self._chats.items() if window.wait(now) > 0}

    def begin(self, chat: int, *, now: float) -> Sending:
        """A message to a chat goes out; a number below 0 is a group's or a channel's."""
        self._portion.take(now)
        return Sending(now, self._line, (self._overall, self._chats.setdefault(chat, Window(self._rate_of(chat)))))

    def _rate_of(self, chat: int) -> Rate:
        """A group's messages may go out by any sender; in a private chat there are too few for that to matter."""
        group = self._rates.group
        return replace(group, limit=max(1, group.limit // self._count)) if chat < 0 else self._rates.chat

    def next_change(self, now: float) -> float | None:
        """Seconds until something that must wait now may go out; None if nothing waits."""
        windows = (self._overall, self._portion, *self._chats.values())
        waits = [self.flooded(now), *(window.wait(now) for window in windows)]
        return min((wait for wait in waits if wait > 0), default=None)


def _portion(rate: Rate) -> Rate:
    """A fifth of what a rate allows, in a tenth of its time."""
    return Rate(-(-rate.limit // 5), rate.period_s / 10)


@dataclass(frozen=True)
class Retries:
    """Exponential retries: 0.5, 1, 2 .. `longest_s` with jitter, for `give_up_s` after the alert was owed."""

    first_s: float = 0.5
    longest_s: float = 60.0
    give_up_s: float = 86_400.0
    random: random.Random = field(default_factory=random.Random)

    def delay(self, attempts: int) -> float:
        """Seconds to wait after that many failed attempts (1 or more)."""
        full = min(self.longest_s, self.first_s * 2.0 ** min(attempts - 1, 30))
        return full * self.random.uniform(0.5, 1.0)
