"""Rates, the flood wait and retries, on a made-up clock."""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from services.notifier.pacing import TELEGRAM, Line, Pace, Rate, Retries, Sending, telegram_rates


def send_all(
    pace: Pace, chats: Iterable[int], there_s: Callable[[], float] = lambda: 0.0
) -> tuple[list[float], list[float]]:
    """Send one message after another as early as allowed; returns when each went, and when it arrived.

    Each is on its way for `there_s()`, and its answer as long as the quickest.
    """
    now, sent, arrived = 100.0, [], []
    under_way: list[tuple[float, int, Sending]] = []
    for number, chat in enumerate(chats):
        while True:
            while under_way and under_way[0][0] <= now:
                ended, _, sending = heapq.heappop(under_way)
                sending.end(ended)
            if pace.room(now) and chat not in pace.full_chats(now):
                break
            waits = [wait for wait in (pace.next_change(now),) if wait is not None]
            now += min([*waits, *(ended - now for ended, _, _ in under_way[:1])]) + 1e-6
        sent.append(now)
        arrived.append(now + there_s())
        heapq.heappush(under_way, (arrived[-1] + 0.01, number, pace.begin(chat, now=now)))
    return sent, arrived


def most_within(moments: list[float], period_s: float) -> int:
    ordered = sorted(moments)
    return max(sum(at <= other < at + period_s for other in ordered) for at in ordered)


def test_no_second_sees_more_than_29_messages() -> None:
    sent, _ = send_all(Pace(TELEGRAM), range(300))
    assert most_within(sent, 1.0) == 29
    assert sent[-1] - sent[0] == pytest.approx(300 / 29, rel=0.05)


def test_they_go_in_even_portions() -> None:
    sent, _ = send_all(Pace(TELEGRAM), range(300))
    assert most_within(sent, 0.1) <= 6


def test_on_an_uneven_line_no_second_of_theirs_sees_more() -> None:
    """They count a message as it arrives; the way there takes from 10 to 400 ms, the way back 10."""
    dice = random.Random(7)
    for _ in range(20):
        spread_s = dice.uniform(0.0, 0.4)
        sent, arrived = send_all(Pace(TELEGRAM), range(400), partial(dice.uniform, 0.01, 0.01 + spread_s))
        assert most_within(arrived, 1.0) <= 29
        assert sent[-1] - sent[0] < 400 / 29 * (1 + spread_s) + 1


def test_an_even_line_costs_half_of_its_length() -> None:
    sent, _ = send_all(Pace(TELEGRAM), range(300), lambda: 0.05)  # and 0.01 for the answer
    assert sent[-1] - sent[0] == pytest.approx(300 / 29 * 1.03, rel=0.03)


def test_a_line_that_grew_slower_is_known_after_ten_seconds() -> None:
    line = Line()
    assert line.delay(100.0, 0.1) == 0.1  # how much of it is the line's nobody knows yet
    assert line.delay(100.9, 0.2) == 0.2
    assert line.delay(101.0, 0.5) == pytest.approx(0.45)
    assert line.delay(105.0, 0.6) == pytest.approx(0.55)
    assert line.delay(110.5, 0.7) == pytest.approx(0.6)  # half of the 0.2 of 9.6 s ago
    assert line.delay(110.95, 0.7) == pytest.approx(0.45)  # half of the 0.5
    assert line.delay(111.0, 0.2) == pytest.approx(0.1)
    assert line.delay(130.0, 0.2) == 0.2  # after a pause it is as new


def test_a_line_that_is_faster_once_its_connections_are_made_brings_none_too_early() -> None:
    """The first of a burst wait for connections and get there late; those of the next second are there at once."""
    pace = Pace(TELEGRAM)
    there: list[float] = []
    now, under_way = 100.0, list[tuple[float, Sending]]()
    for _ in range(4000):
        for _, sending in (pair for pair in under_way if pair[0] <= now):
            sending.end(now)
        under_way = [pair for pair in under_way if pair[0] > now]
        if pace.room(now):
            there_s, answered_s = (0.28, 0.3) if now < 100.5 else (0.005, 0.02)
            there.append(now + there_s)
            under_way.append((now + answered_s, pace.begin(1 + len(there), now=now)))
        now += 0.001
    there.sort()
    assert len(there) > 80
    assert max(bisect_left(there, at + 1.0) - number for number, at in enumerate(there)) <= 29


def test_a_chat_takes_three_at_once_and_then_one_a_second() -> None:
    sent, _ = send_all(Pace(TELEGRAM), [1] * 12)
    assert sent[2] - sent[0] < 0.01
    assert sent[11] - sent[0] == pytest.approx(9, abs=0.1)


def test_a_group_takes_20_a_minute() -> None:
    sent, _ = send_all(Pace(TELEGRAM), [-1] * 41)
    assert most_within(sent, 60.0) == 20


def test_one_full_chat_leaves_the_others_free() -> None:
    pace = Pace(TELEGRAM)
    for _ in range(3):
        pace.begin(1, now=10.0).end(10.0)
    pace.begin(2, now=10.0).end(10.0)
    assert pace.full_chats(10.1) == {1}
    assert pace.full_chats(13.1) == set()


def test_what_is_not_answered_counts_on() -> None:
    pace = Pace(TELEGRAM)
    one = [pace.begin(1, now=10.0) for _ in range(3)]
    assert pace.full_chats(1000.0) == {1}
    one[0].end(1000.0)
    one[0].end(1001.0)  # ends once only
    assert pace.full_chats(1002.9) == {1}
    assert pace.full_chats(1003.1) == set()


def test_a_flood_wait_stops_everything_and_a_shorter_one_does_not_cut_it() -> None:
    pace = Pace(TELEGRAM)
    pace.flood(10.0, 5.0)
    pace.flood(11.0, 1.0)
    assert pace.room(14.9) == pace.room(14.9, first=True) == 0
    assert pace.next_change(14.0) == pytest.approx(1.0)
    assert pace.room(15.1) > 0
    assert pace.next_change(15.1) is None


def test_somebody_who_waits_goes_first() -> None:
    pace = Pace(TELEGRAM)
    for chat in range(5):
        pace.begin(chat, now=10.0)
    with pace.going_first():
        assert pace.room(10.0) == 0
        assert pace.room(10.0, first=True) == 1
    assert pace.room(10.0) == 1


def test_a_share_that_was_not_renewed_is_nobodys() -> None:
    pace = Pace(TELEGRAM)
    pace.share(2, until=16.0)
    assert pace.room(15.9) == 3
    assert pace.room(16.1) == 0
    assert pace.room(16.1, first=True) == 3  # people who ask are few, and are answered all the same
    assert not pace.spare(16.1)
    pace.share(2, until=22.0)
    assert pace.room(16.1) == 3


def test_retries_double_with_jitter_up_to_the_longest() -> None:
    retries = Retries(first_s=0.5, longest_s=300.0, random=random.Random(7))
    for attempts, full in ((1, 0.5), (2, 1.0), (3, 2.0), (10, 256.0), (11, 300.0), (5000, 300.0)):
        delays = [retries.delay(attempts) for _ in range(50)]
        assert full / 2 <= min(delays) < max(delays) <= full


def test_another_rate_leaves_that_of_a_chat() -> None:
    assert telegram_rates(29) == TELEGRAM
    assert telegram_rates(400).overall == Rate(400, 1.0)
    assert telegram_rates(400).chat == TELEGRAM.chat


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 10, 29, 40])
def test_shares_together_keep_within_the_rate(count: int) -> None:
    share = TELEGRAM.overall.shared(count)
    assert count * share.limit / share.period_s <= 29.0001
    assert share.limit >= 1


def test_several_senders_share_a_groups_rate() -> None:
    pace = Pace(TELEGRAM)
    for number in range(9):
        pace.begin(-1, now=10.0 + number).end(10.0 + number)
    assert pace.full_chats(20.0) == set()
    pace.share(2)
    pace.begin(-1, now=20.0).end(20.0)
    assert pace.full_chats(20.0) == {-1}
    pace.begin(1, now=20.0).end(20.0)
    assert pace.full_chats(20.0) == {-1}
    pace.share(1)
    assert pace.full_chats(20.0) == set()


def test_a_smaller_share_counts_what_was_sent_before() -> None:
    pace = Pace(TELEGRAM)
    for _ in range(2):
        pace.begin(1, now=10.0).end(10.0)
    pace.share(29)
    assert pace.room(10.5) == 0
    assert pace.next_change(10.5) == pytest.approx(0.5)
    pace.share(1)
    assert pace.room(10.5) == 6
