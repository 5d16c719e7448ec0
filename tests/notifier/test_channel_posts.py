"""Channels: what is posted is for all who read there."""

from __future__ import annotations

from tests.notifier.conftest import World, notifying, until
from tests.notifier.conversation import talking
from tests.support.telegram import FakeTelegram

CHANNEL = -6


async def test_an_alert_in_a_channel_has_no_buttons_whose_answers_all_would_read(
    world: World, telegram: FakeTelegram
) -> None:
    home = await world.site("home", "Шевченка 12")
    telegram.channel(CHANNEL, admins=[7])
    await world.chat(CHANNEL, home)
    await world.run("UPDATE chats SET kind = 'channel' WHERE chat_id = :chat", chat=CHANNEL)
    await world.chat(1, home)
    async with notifying(world, telegram):
        await world.event(home)
        assert not (await telegram.wait_for(CHANNEL, "світла немає")).buttons
        assert (await telegram.wait_for(1, "світла немає")).buttons


async def test_a_channel_can_stop_its_weeks(world: World, telegram: FakeTelegram) -> None:
    home = await world.site("home", "Шевченка 12")
    telegram.channel(CHANNEL, admins=[7])
    await world.chat(CHANNEL, home)
    async with talking(world.database, telegram):
        telegram.post(CHANNEL, "/weekly off")
        await until(lambda: world.rows("SELECT 1 FROM chats WHERE chat_id = :chat AND NOT weekly", chat=CHANNEL))
