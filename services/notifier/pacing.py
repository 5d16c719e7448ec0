"""When the next message may go out: rates, the shared flood wait, retries. Times are monotonic seconds."""

from __future__ import annotations

import random
from collections import deque
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


TELEGRAM = Rates(overall=Rate(7, 0.25), chat=Rate(3, 3.0), group=Rate(20, 60.0))
"""Telegram takes about 30 messages a second from a bot, 1 a second in a chat, 20 a minute in a group
(core.telegram.org/bots/faq). 28 a second in even portions, so that no second ever sees more."""

APPRISE = Rates(overall=Rate(10, 1.0), chat=Rate(3, 3.0), group=Rate(20, 60.0))
"""Each address has limits of its own, which nobody knows; this is what a mail server or a small host bears."""

UNLIMITED = Rates(overall=Rate(1000, 1.0), chat=Rate(1000, 1.0), group=Rate(1000, 1.0))


def telegram_rates(per_second: int) -> Rates:
    """Telegram's rates with another number of messages a second for the bot as a whole."""
    overall = Rate(per_second, 1.0) if per_second % 4 else Rate(per_second // 4, 0.25)
    return replace(TELEGRAM, overall=overall)


class Window:
    """The moments of the latest messages, as many as a rate allows in its period."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._taken: deque[float] = deque()

    def room(self, now: float) -> int:
        """How many messages may go out now."""
        while self._taken and self._taken[0] <= now - self.rate.period_s:
            self._taken.popleft()
        return self.rate.limit - len(self._taken)

    def wait(self, now: float) -> float:
        """Seconds until there is room; 0 if there is."""
        if (room := self.room(now)) > 0:
            return 0.0
        return self._taken[-room] + self.rate.period_s - now

    def take(self, now: float) -> None:
        """Note a message."""
        self._taken.append(now)

    def unused(self, now: float) -> bool:
        """Whether nothing was sent within the period."""
        return self.room(now) == self.rate.limit


class Pace:
    """Keeps the rates of one channel; a flood wait stops all of it."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._overall = Window(rates.overall)
        self._count = 1
        self._chats: dict[int, Window] = {}
        self._flood_until = 0.0

    def share(self, count: int) -> None:
        """From now on this is one of `count` senders."""
        if count != self._count:
            self._count = count
            self._overall.rate = self._rates.overall.shared(count)

    def flood(self, now: float, wait_s: float) -> None:
        """Send nothing at all for `wait_s`."""
        self._flood_until = max(self._flood_until, now + wait_s)

    def flooded(self, now: float) -> float:
        """Seconds of flood wait that are left."""
        return max(0.0, self._flood_until - now)

    def room(self, now: float) -> int:
        """How many messages the channel as a whole may send now."""
        return 0 if self.flooded(now) else max(0, self._overall.room(now))

    def spare(self, now: float) -> bool:
        """Whether more than half of that is free: only then goes out what can wait for the alerts."""
        return 2 * self.room(now) > self._overall.rate.limit

    def full_chats(self, now: float) -> set[int]:
        """The chats that must wait."""
        for chat in [chat for chat, window in self._chats.items() if window.unused(now)]:
            del self._chats[chat]
        return {chat for chat, window in self._chats.items() if window.wait(now) > 0}

    def take(self, chat: int, *, group: bool, now: float) -> None:
        """Note a message to a chat."""
        self._overall.take(now)
        rate = self._rates.group if group else self._rates.chat
        self._chats.setdefault(chat, Window(rate)).take(now)

    def next_change(self, now: float) -> float | None:
        """Seconds until something that must wait now may go out; None if nothing waits."""
        waits = [self.flooded(now), self._overall.wait(now), *(window.wait(now) for window in self._chats.values())]
        return min((wait for wait in waits if wait > 0), default=None)


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
