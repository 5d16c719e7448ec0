"""Rates, the flood wait and retries, on a made-up clock."""

from __future__ import annotations

import math
import random

import pytest

from services.notifier.pacing import TELEGRAM, Pace, Rate, Retries, telegram_rates


def send_all(pace: Pace, chats: list[int], *, group: bool = False) -> list[float]:
    """Send one message after another as early as allowed; returns when each went."""
    now, sent = 100.0, []
    for chat in chats:
        while pace.room(now) == 0 or chat in pace.full_chats(now):
            wait = pace.next_change(now)
            assert wait is not None
            now += wait + 1e-6
        pace.take(chat, group=group, now=now)
        sent.append(now)
    return sent


def test_no_second_sees_more_than_28_messages() -> None:
    sent = send_all(Pace(TELEGRAM), list(range(300)))
    assert max(sum(at <= other < at + 1.0 for other in sent) for at in sent) <= 28
    assert sent[-1] - sent[0] == pytest.approx(300 / 28, rel=0.05)


def test_a_chat_takes_three_at_once_and_then_one_a_second() -> None:
    sent = send_all(Pace(TELEGRAM), [1] * 12)
    assert sent[2] - sent[0] < 0.01
    assert sent[11] - sent[0] == pytest.approx(9, abs=0.1)


def test_a_group_takes_20_a_minute() -> None:
    sent = send_all(Pace(TELEGRAM), [-1] * 41, group=True)
    assert max(sum(at <= other < at + 60.0 for other in sent) for at in sent) == 20


def test_one_full_chat_leaves_the_others_free() -> None:
    pace = Pace(TELEGRAM)
    for _ in range(3):
        pace.take(1, group=False, now=10.0)
    pace.take(2, group=False, now=10.0)
    assert pace.full_chats(10.1) == {1}
    assert pace.full_chats(13.1) == set()


def test_a_flood_wait_stops_everything_and_a_shorter_one_does_not_cut_it() -> None:
    pace = Pace(TELEGRAM)
    pace.flood(10.0, 5.0)
    pace.flood(11.0, 1.0)
    assert pace.room(14.9) == 0
    assert pace.next_change(14.0) == pytest.approx(1.0)
    assert pace.room(15.1) > 0
    assert pace.next_change(15.1) is None


def test_retries_double_with_jitter_up_to_the_longest() -> None:
    retries = Retries(first_s=0.5, longest_s=300.0, random=random.Random(7))
    for attempts, full in ((1, 0.5), (2, 1.0), (3, 2.0), (10, 256.0), (11, 300.0), (5000, 300.0)):
        delays = [retries.delay(attempts) for _ in range(50)]
        assert full / 2 <= min(delays) < max(delays) <= full


def test_another_rate_leaves_that_of_a_chat() -> None:
    assert telegram_rates(28) == TELEGRAM
    assert telegram_rates(400).overall == Rate(100, 0.25)
    assert telegram_rates(3).overall == Rate(3, 1.0)
    assert telegram_rates(400).chat == TELEGRAM.chat


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 10, 28, 40])
def test_shares_together_keep_within_the_rate(count: int) -> None:
    share = TELEGRAM.overall.shared(count)
    assert count * share.limit * math.ceil(1 / share.period_s) <= 28 or share.period_s > 1
    assert count * share.limit / share.period_s <= 28.0001


def test_a_smaller_share_counts_what_was_sent_before() -> None:
    pace = Pace(TELEGRAM)
    pace.share(28)
    pace.take(1, group=False, now=10.0)
    assert pace.room(10.5) == 0
    pace.share(1)
    assert pace.room(10.5) == 7
