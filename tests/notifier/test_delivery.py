"""From the event log to what a chat sees."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from services.notifier import chats, store
from services.notifier.channels.telegram import TelegramChannel
from services.notifier.pacing import Rate, Rates, Retries
from services.notifier.planner import CONSUMER, Planner
from services.notifier.sender import Patience
from svitlo.contracts import EventKind
from svitlo.db import log
from svitlo.errors import DatabaseUnavailableError
from tests.notifier.conftest import QUICK, World, all_sent, notifying, sending, until
from tests.support.telegram import FEW, FakeTelegram

LOST, RESTORED, REVISED = EventKind.POWER_LOST, EventKind.POWER_RESTORED, EventKind.OUTAGE_REVISED
EAGER = Rates(overall=Rate(1000, 1.0), chat=Rate(1000, 1.0), group=Rate(1000, 1.0))


async def test_each_follower_gets_one_message_and_nobody_else_any(world: World, telegram: FakeTelegram) -> None:
    house, other = await world.site("house"), await world.site("other")
    await world.chat(1, house)
    await world.chat(2, house, other)
    await world.chat(3, other)
    async with notifying(world, telegram):
        await world.event(house)
        await telegram.wait_for(1, "House — світла немає")
        await telegram.wait_for(2, "House — світла немає")
        await until(lambda: all_sent(world, 1, 2))
    assert (len(telegram.messages(1)), len(telegram.messages(2)), len(telegram.messages(3))) == (1, 1, 0)


async def test_planning_the_same_events_again_makes_no_second_row(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    seq = await world.event(house)
    await world.plan()
    await world.run("UPDATE consumer_offsets SET seq = :seq WHERE consumer = 'notifier'", seq=seq - 1)
    await world.plan()
    assert await world.states(1) == ["pending"]


async def test_rows_and_position_stand_or_fall_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house)

    async def dies(*_: object) -> None:
        raise DatabaseUnavailableError("gone before the position was stored")

    with monkeypatch.context() as patch:
        patch.setattr(log, "advance", dies)
        with pytest.raises(DatabaseUnavailableError):
            await Planner(world.database, lambda: None).plan_batch()
    assert await world.states(1) == []

    await world.plan()
    assert await world.states(1) == ["pending"]


async def test_the_first_start_tells_no_old_news_and_a_restart_misses_none(
    world: World, telegram: FakeTelegram
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.run("DELETE FROM consumer_offsets WHERE consumer = :consumer", consumer=CONSUMER)
    await world.event(house)
    await world.begin()

    await world.event(house, RESTORED)
    async with notifying(world, telegram):
        await telegram.wait_for(1, "світло є")
    await world.event(house, LOST)
    await world.event(house, RESTORED)
    async with notifying(world, telegram):
        await telegram.wait_until(lambda: len(telegram.messages(1)) == 2)
        await until(lambda: all_sent(world, 1))
    assert "світло є; не було" in telegram.texts(1)[1]


async def test_a_chat_that_stopped_following_gets_nothing_more(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.chat(2, house)
    await world.run("DELETE FROM subscriptions WHERE chat = (SELECT id FROM chats WHERE chat_id = 1)")
    async with notifying(world, telegram):
        await world.event(house)
        await telegram.wait_for(2, "світла немає")
    assert await world.deliveries(1) == []


async def test_messages_of_a_chat_keep_their_order_while_one_is_retried(world: World, telegram: FakeTelegram) -> None:
    await world.chat(1)
    telegram.fail(502, times=2, chat_id=1)
    telegram.drop(chat_id=1)
    await notes(world, 1, 4)
    async with notifying(world, telegram, rates=EAGER):
        await until(lambda: all_sent(world, 1))
    assert telegram.texts(1) == ["note 1", "note 2", "note 3", "note 4"]
    assert len(telegram.calls_to("sendMessage")) == 7


async def notes(world: World, chat_id: int, count: int) -> None:
    """Owe a chat messages that are never told together."""
    await world.run(
        "INSERT INTO deliveries (kind, chat, payload, state, attempts) "
        "SELECT 'note', c.id, jsonb_build_object('text', 'note ' || n), 'pending', 0 "
        "FROM chats c, generate_series(1, :count) AS n WHERE c.chat_id = :chat ORDER BY n",
        chat=chat_id,
        count=count,
    )


async def test_network_errors_garbled_answers_and_silence_are_tried_again(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    for chat in (1, 2, 3, 4):
        await world.chat(chat, house)
    telegram.drop(chat_id=1)
    telegram.garble(chat_id=2)
    telegram.hang(chat_id=3)
    telegram.fail(500, "Internal Server Error", chat_id=4)
    async with notifying(world, telegram):
        await world.event(house)
        await until(lambda: all_sent(world, 1, 2, 3, 4))
    assert [len(telegram.messages(chat)) for chat in (1, 2, 3, 4)] == [1, 1, 1, 1]


async def test_an_alert_that_fails_for_a_day_is_given_up_with_the_reason(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    telegram.fail(502, "Bad Gateway", times=2, chat_id=1)
    await world.event(house)
    await world.plan()
    await world.run("UPDATE deliveries SET created_at = now() - interval '61 s'")
    await world.event(house, RESTORED)
    async with notifying(world, telegram):
        await telegram.wait_for(1, "світло є")
    assert (await world.deliveries(1))[0] == ("failed", "Bad Gateway")


async def test_a_message_telegram_will_never_take_does_not_hold_up_the_next(
    world: World, telegram: FakeTelegram
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    telegram.fail(400, "Bad Request: message is too long", chat_id=1)
    await world.event(house, LOST)
    await world.event(house, RESTORED)
    async with notifying(world, telegram):
        await telegram.wait_for(1, "світло є")
    assert (await world.deliveries(1))[0] == ("failed", "Bad Request: message is too long")


async def test_after_a_429_nobody_is_written_to_until_the_wait_is_over(world: World, telegram: FakeTelegram) -> None:
    house, other = await world.site("house"), await world.site("other")
    await world.chat(1, house)
    await world.chat(2, other)
    telegram.flood(retry_after=1, chat_id=1)
    async with notifying(world, telegram) as planner:
        await world.event(house)
        planner.wake()
        refused = (await telegram.wait_until(lambda: telegram.calls_to("sendMessage", 1)))[0]
        await world.event(other)
        planner.wake()
        seen = [await telegram.wait_for(chat, "світла немає") for chat in (1, 2)]
    assert refused.status == 429
    assert min(message.at for message in seen) >= refused.at + 1.0


async def test_a_blocked_chat_is_left_alone_until_it_speaks_again(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    telegram.block(1)
    await world.event(house, LOST)
    await world.event(house, RESTORED)
    await world.plan()
    async with notifying(world, telegram) as planner:
        await until(lambda: world.rows("SELECT 1 FROM chats WHERE NOT active"))
        await world.event(house, LOST)
        await until(lambda: caught_up(world))
        assert await world.states(1) == ["dropped", "dropped"]
        assert len(telegram.calls_to("sendMessage")) == 1
        [row] = await world.rows("SELECT inactive_reason FROM chats")
        assert row.inactive_reason == "Forbidden: bot was blocked by the user"

        telegram.unblock(1)
        await world.chat(1)
        await world.event(house, RESTORED)
        planner.wake()
        await telegram.wait_for(1, "світло є")
    assert len(telegram.messages(1)) == 1


async def caught_up(world: World) -> bool:
    rows = await world.rows(
        "SELECT 1 FROM consumer_offsets WHERE consumer = 'notifier' AND seq = (SELECT max(seq) FROM power_events)"
    )
    return bool(rows)


@pytest.mark.parametrize(
    "description", ["Bad Request: chat not found", "Bad Request: not enough rights to send text messages to the chat"]
)
async def test_a_400_that_means_the_chat_is_gone_closes_it(
    world: World, telegram: FakeTelegram, description: str
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    telegram.block(1, description)
    await world.event(house)
    async with notifying(world, telegram):
        await until(lambda: world.rows("SELECT 1 FROM chats WHERE NOT active"))
    assert await world.deliveries(1) == [("dropped", description)]


async def test_a_group_that_became_a_supergroup_is_followed_there(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(-5, house)
    telegram.migrate(-5, -1005)
    await world.event(house)
    async with notifying(world, telegram):
        await telegram.wait_for(-1005, "світла немає")
        await until(lambda: all_sent(world, -1005))
    assert [row.chat_id for row in await world.rows("SELECT chat_id FROM chats")] == [-1005]


async def test_a_group_moved_onto_a_known_chat_brings_what_it_follows_and_is_owed(
    world: World, telegram: FakeTelegram
) -> None:
    house, other = await world.site("house"), await world.site("other")
    await world.chat(-5, house, other)
    await world.chat(-1005, house)
    telegram.migrate(-5, -1005)
    await world.event(house)
    await world.event(other)
    async with notifying(world, telegram, rates=EAGER, patience=replace(QUICK, gather_s=0.2)):
        await telegram.wait_for(-1005, "Other")
        await until(lambda: all_sent(world, -1005))
    assert "House" in "".join(telegram.texts(-1005))
    assert await world.states(-5) == []
    followed = await world.rows("SELECT site_id FROM subscriptions ORDER BY site_id")
    assert [row.site_id for row in followed] == [house.id, other.id]


async def test_an_alert_two_minutes_after_detection_says_that_it_is_late(world: World, telegram: FakeTelegram) -> None:
    house, other = await world.site("house"), await world.site("other")
    await world.chat(1, house, language="en")
    await world.chat(2, other, language="en")
    await world.event(house, ago=timedelta(seconds=125))
    await world.event(other, ago=timedelta(seconds=100))
    async with notifying(world, telegram):
        late = await telegram.wait_for(1, "House")
        timely = await telegram.wait_for(2, "Other")
    assert late.text.splitlines()[0].endswith("(late)")
    assert "late" not in timely.text


async def test_a_chat_that_hangs_holds_up_no_other(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    for chat in range(1, 9):
        await world.chat(chat, house)
    telegram.hang(times=1000, chat_id=1)
    telegram.hang(times=1000, chat_id=2)
    # As many calls at once as there are hung chats: the others must wait for a time-out, and no longer.
    patience = Patience(call_s=0.5, poll_s=0.2, at_once=2, retries=QUICK.retries)
    began = time.monotonic()
    await world.event(house)
    async with notifying(world, telegram, rates=EAGER, patience=patience):
        await until(lambda: all_sent(world, *range(3, 9)))
    assert max(telegram.messages(chat)[0].at for chat in range(3, 9)) - began < 6.0


async def test_a_burst_keeps_within_what_telegram_takes(world: World) -> None:
    house = await world.site("house")
    chats = range(1, 61)
    for chat in chats:
        await world.chat(chat, house)
    await world.event(house)
    async with FakeTelegram(per_second=30) as telegram, notifying(world, telegram):
        await until(lambda: all_sent(world, *chats), 30)
        assert telegram.refused() <= FEW
        at = sorted(call.at for call in telegram.calls if call.status == 200)
    assert at[-1] - at[0] > 1.5
    assert max(sum(moment <= other < moment + 1 for other in at) for moment in at) > 20  # not at half of the rate


async def test_one_chat_gets_a_short_burst_and_then_one_a_second(world: World, telegram: FakeTelegram) -> None:
    await world.chat(1)
    await notes(world, 1, 4)
    rates = Rates(overall=EAGER.overall, chat=Rate(3, 3.0), group=EAGER.group)
    async with notifying(world, telegram, rates=rates):
        await until(lambda: all_sent(world, 1))
    at = [seen.at for seen in telegram.messages(1)]
    assert at[2] - at[0] < 2.9
    assert at[3] - at[0] >= 3.0


async def test_a_dead_senders_claim_runs_out_and_another_takes_over(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house)
    await world.plan()
    began = time.monotonic()
    await world.run("UPDATE deliveries SET claimed_until = now() + interval '0.7 s', attempts = 1")
    async with notifying(world, telegram):
        seen = await telegram.wait_for(1, "світла немає")
    assert 0.7 < seen.at - began < 10.0  # a claim is for twenty


async def test_two_senders_side_by_side_double_nothing(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    for chat in range(1, 21):
        await world.chat(chat, house)
    for kind in (LOST, RESTORED):
        await world.event(house, kind)
    async with notifying(world, telegram, rates=EAGER), notifying(world, telegram, rates=EAGER):
        await until(lambda: all_sent(world, *range(1, 21)))
    for chat in range(1, 21):
        # Two messages, or one that tells of both.
        *before, last = telegram.texts(chat)
        assert "світло є" in last
        assert ["немає" in text for text in before] in ([], [True])
        assert len(before) == ("merged" not in await world.states(chat))


async def test_a_stop_lets_the_message_in_flight_be_written_down(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house)
    await world.plan()
    telegram.slow(0.3, chat_id=1)
    channel = TelegramChannel(telegram.token, telegram.url)
    async with sending(world, channel):
        await telegram.wait_for(1, "світла немає")
    await channel.close()
    assert await world.states(1) == ["sent"]


async def test_a_wrong_token_is_told_once_and_keeps_alerts(
    world: World, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house)
    await world.plan()
    wrong = TelegramChannel("123:wrong-and-secret", telegram.url)
    async with sending(world, wrong):
        await until(lambda: world.rows("SELECT 1 FROM deliveries WHERE attempts >= 3"))
    await wrong.close()
    assert await world.states(1) == ["pending"]
    told = [record.getMessage() for record in caplog.records if "SVITLO_TELEGRAM_TOKEN" in record.getMessage()]
    assert len(told) == 1
    assert "wrong-and-secret" not in caplog.text

    async with notifying(world, telegram):
        await telegram.wait_for(1, "світла немає")


async def test_what_was_said_is_kept_with_its_message(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house)
    async with notifying(world, telegram):
        seen = await telegram.wait_for(1, "світла немає")
        await until(lambda: all_sent(world, 1))
    [row] = await world.rows("SELECT text, message_id, sent_at, attempts FROM deliveries")
    assert (row.text, row.message_id, row.attempts) == (seen.text, seen.message_id, 1)
    assert row.sent_at is not None


async def test_names_are_escaped(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house", "Дім <b> & Co")
    await world.chat(1, house)
    async with notifying(world, telegram):
        await world.event(house)
        seen = await telegram.wait_for(1, "світла немає")
    assert seen.text.startswith("🔌 Дім <b> & Co — ")


async def test_the_first_attempt_follows_the_wake_up_at_once(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    delays: list[float] = []
    async with notifying(world, telegram, rates=EAGER) as planner:
        for number in range(1, 26):
            await world.event(house, LOST if number % 2 else RESTORED)
            at = time.monotonic()
            planner.wake()
            await telegram.wait_until(partial(saw, telegram, number))
            delays.append(telegram.messages(1)[-1].at - at)
            if number % 5 == 0 and sorted(delays[-5:])[2] < 0.3:
                break  # else the machine had no time for it
    assert sorted(delays[-5:])[2] < 0.3, delays


def saw(telegram: FakeTelegram, number: int) -> bool:
    return len(telegram.messages(1)) == number


async def test_a_wake_up_that_outruns_its_commit_is_not_lost(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    planned = asyncio.Event()
    planner = Planner(world.database, planned.set, poll_s=60.0, recheck_s=0.02)
    task = asyncio.create_task(planner.run())
    try:
        planner.wake()
        await asyncio.sleep(0.1)  # long enough, as a rule, for the wake-up to have found nothing
        await world.event(house)
        async with asyncio.timeout(20):
            await planned.wait()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_what_one_sender_is_claiming_another_passes_over(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house, LOST)
    await world.event(house, RESTORED)
    await world.plan()
    async with world.database.transaction() as first:
        assert len(await store.claim(first, store.Reach(chats.TELEGRAM), 5, 20)) == 1
        async with asyncio.timeout(20), world.database.transaction() as second:
            assert await store.claim(second, store.Reach(chats.TELEGRAM), 5, 20) == []


async def test_what_was_owed_to_an_unreachable_chat_stays_unsaid_when_it_comes_back(world: World) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    await world.event(house)
    await world.plan()
    await world.run("UPDATE chats SET active = false")
    await world.chat(1)
    assert await world.deliveries(1) == [("dropped", "the chat was inactive")]
    await world.event(house, RESTORED)
    await world.plan()
    assert await world.states(1) == ["dropped", "pending"]


async def test_the_first_answer_after_an_absence_lets_everything_go_at_once(
    world: World, telegram: FakeTelegram
) -> None:
    """After hours of silence the next attempts would be a minute apart."""
    house = await world.site("house")
    chats = range(1, 9)
    for chat in chats:
        await world.chat(chat, house)
    await world.event(house)
    await world.plan()
    await world.run("UPDATE deliveries SET next_attempt_at = now() + interval '60 s' WHERE chat > 3")
    await world.run("UPDATE deliveries SET attempts = 12")
    telegram.fail(502, "Bad Gateway", times=3)
    soon = Patience(retries=Retries(first_s=0.1, longest_s=0.2))
    async with notifying(world, telegram, patience=soon):
        await until(lambda: all_sent(world, *chats), 20)


async def test_one_chats_trouble_hurries_nobody(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    for chat in (1, 2):
        await world.chat(chat, house)
    await world.event(house)
    await world.plan()
    await world.run("UPDATE deliveries SET next_attempt_at = now() + interval '60 s', attempts = 12 WHERE chat > 1")
    telegram.fail(502, "Bad Gateway", times=2, chat_id=1)
    async with notifying(world, telegram, patience=Patience(retries=Retries(first_s=0.1, longest_s=0.2))):
        await telegram.wait_for(1, "світла немає")
        await asyncio.sleep(1.0)
    assert not telegram.messages(2)


async def test_a_groups_own_flood_wait_holds_that_group_alone(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    for chat in (-77, 1):
        await world.chat(chat, house)
    telegram.flood(40, chat_id=-77)
    async with notifying(world, telegram):
        await world.event(house)
        await telegram.wait_until(lambda: telegram.calls_to("sendMessage", -77))
        await world.event(house, RESTORED)
        await telegram.wait_for(1, "світло є")
    assert not telegram.messages(-77)
    assert len(telegram.calls_to("sendMessage", -77)) == 1


async def test_two_groups_refused_together_are_the_whole_bots_wait(world: World, telegram: FakeTelegram) -> None:
    house = await world.site("house")
    for chat in (-77, -78, 1):
        await world.chat(chat, house)
    for chat in (-77, -78):
        telegram.flood(40, chat_id=chat)
    async with notifying(world, telegram):
        await world.event(house)
        await telegram.wait_until(lambda: telegram.calls_to("sendMessage", -78))
        await telegram.wait_until(lambda: telegram.calls_to("sendMessage", -77))
        await telegram.wait_for(1, "світла немає")
        await world.event(house, RESTORED)
        await asyncio.sleep(1.0)
    assert len(telegram.messages(1)) == 1


async def test_a_message_that_arrived_but_cannot_be_read_back_is_not_repeated(
    world: World, telegram: FakeTelegram
) -> None:
    house = await world.site("house")
    await world.chat(1, house)
    telegram.garnish(1, forward_origin={"type": "brand_new", "date": 1})
    async with notifying(world, telegram):
        await world.event(house)
        await until(lambda: all_sent(world, 1))
    assert len(telegram.calls_to("sendMessage", 1)) == 1
