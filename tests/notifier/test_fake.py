"""The fake Bot API behaves as Telegram does, asked by the real client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramMigrateToChat, TelegramRetryAfter
from aiogram.types import (
    BufferedInputFile,
    ChatMemberAdministrator,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    KeyboardButton,
    KeyboardButtonRequestChat,
    MessageOriginHiddenUser,
    MessageOriginUser,
    ReplyKeyboardMarkup,
)

from services.notifier.channels.telegram import make_bot
from tests.support.telegram import BOT_ID, DELETE, EDIT, PIN, POST, STRICT, TOPICS, FakeTelegram

GROUP, CHANNEL, PERSON = -100, -200, 7


@pytest.fixture
async def bot(telegram: FakeTelegram) -> AsyncIterator[Bot]:
    made = make_bot(telegram.token, telegram.url)
    yield made
    await made.session.close()


def button(label: str, data: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text=label, callback_data=data)]])


async def test_a_message_is_kept_with_sound_topic_and_keyboard(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.group(GROUP, forum=True)
    topic = telegram.topic(GROUP, "Світло")
    sent = await bot.send_message(
        GROUP, "<b>світло</b> є", message_thread_id=topic, disable_notification=True, reply_markup=button("Так", "y")
    )
    assert (sent.message_thread_id, sent.is_topic_message, sent.text) == (topic, True, "світло є")
    [seen] = telegram.messages(GROUP)
    assert (seen.text, seen.html, seen.silent, seen.topic) == ("світло є", "<b>світло</b> є", True, topic)
    assert seen.markup["inline_keyboard"] == [[{"text": "Так", "callback_data": "y"}]]


async def test_edits_pins_and_deletions_stand_in_the_ledger_in_order(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.group(GROUP, bot=[PIN])
    sent = await bot.send_message(GROUP, "1")
    await bot.pin_chat_message(GROUP, sent.message_id, disable_notification=True)
    await bot.edit_message_text("2", chat_id=GROUP, message_id=sent.message_id)
    assert [seen.message_id for seen in telegram.pinned(GROUP)] == [sent.message_id]
    assert (await bot.get_chat(GROUP)).pinned_message is not None
    await bot.unpin_chat_message(GROUP, message_id=sent.message_id)
    await bot.delete_message(GROUP, sent.message_id)
    assert [(entry.what, entry.text) for entry in telegram.ledger(GROUP)] == [
        ("sent", "1"),
        ("pinned", "1"),
        ("edited", "2"),
        ("unpinned", "2"),
        ("deleted", "2"),
    ]
    assert telegram.messages(GROUP) == []


async def test_an_edit_that_changes_nothing_or_nothing_that_exists_is_refused(telegram: FakeTelegram, bot: Bot) -> None:
    sent = await bot.send_message(PERSON, "1")
    with pytest.raises(TelegramAPIError, match="message is not modified"):
        await bot.edit_message_text("1", chat_id=PERSON, message_id=sent.message_id)
    with pytest.raises(TelegramAPIError, match="there is no caption"):
        await bot.edit_message_caption(chat_id=PERSON, message_id=sent.message_id, caption="1")
    telegram.remove(PERSON, sent.message_id)
    with pytest.raises(TelegramAPIError, match="message to edit not found"):
        await bot.edit_message_text("2", chat_id=PERSON, message_id=sent.message_id)
    with pytest.raises(TelegramAPIError, match="message to delete not found"):
        await bot.delete_message(PERSON, sent.message_id)
    with pytest.raises(TelegramAPIError, match="message to pin not found"):
        await bot.pin_chat_message(PERSON, sent.message_id)


@pytest.mark.parametrize(("rights", "may"), [((), False), ((DELETE,), False), ((PIN,), True)])
async def test_pinning_in_a_group_takes_its_right(
    telegram: FakeTelegram, bot: Bot, rights: tuple[str, ...], may: bool
) -> None:
    telegram.group(GROUP, bot=rights)
    sent = await bot.send_message(GROUP, "1")
    if may:
        assert await bot.pin_chat_message(GROUP, sent.message_id)
        return
    with pytest.raises(TelegramAPIError, match="not enough rights to manage pinned messages in the chat"):
        await bot.pin_chat_message(GROUP, sent.message_id)


async def test_members_may_pin_where_the_group_lets_them(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.group(GROUP, members_may=[PIN])
    sent = await bot.send_message(GROUP, "1")
    assert await bot.pin_chat_message(GROUP, sent.message_id)
    assert (permissions := (await bot.get_chat(GROUP)).permissions) is not None
    assert permissions.can_pin_messages


async def test_a_channel_takes_posts_and_pins_by_their_rights(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.channel(CHANNEL, username="dim12", bot=[POST])
    sent = await bot.send_message("@dim12", "1")
    assert sent.from_user is None
    assert sent.sender_chat is not None
    with pytest.raises(TelegramAPIError, match="not enough rights to manage pinned messages"):
        await bot.pin_chat_message(CHANNEL, sent.message_id)
    telegram.rights(CHANNEL, POST, EDIT)
    assert await bot.pin_chat_message(CHANNEL, sent.message_id)
    telegram.rights(CHANNEL, EDIT)
    with pytest.raises(TelegramAPIError, match="need administrator rights in the channel chat"):
        await bot.send_message(CHANNEL, "2")
    with pytest.raises(TelegramAPIError, match="chat not found"):
        await bot.send_message("@elsewhere", "2")


async def test_topics_close_and_go(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.group(GROUP)
    topic = telegram.topic(GROUP, "Світло")
    sent = await bot.send_message(GROUP, "1", message_thread_id=topic)
    telegram.close_topic(GROUP, topic)
    with pytest.raises(TelegramAPIError, match="TOPIC_CLOSED"):
        await bot.send_message(GROUP, "2", message_thread_id=topic)
    telegram.rights(GROUP, TOPICS)
    await bot.send_message(GROUP, "2", message_thread_id=topic)
    telegram.delete_topic(GROUP, topic)
    with pytest.raises(TelegramAPIError, match="message thread not found"):
        await bot.send_message(GROUP, "3", message_thread_id=topic)
    with pytest.raises(TelegramAPIError, match="message to edit not found"):
        await bot.edit_message_text("3", chat_id=GROUP, message_id=sent.message_id)


async def test_admins_and_members_are_told_with_their_rights(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.group(GROUP, admins=[PERSON], bot=[PIN])
    me = await bot.get_me()
    mine = await bot.get_chat_member(GROUP, me.id)
    assert isinstance(mine, ChatMemberAdministrator)
    assert (mine.can_pin_messages, mine.can_delete_messages) == (True, False)
    assert {member.user.id for member in await bot.get_chat_administrators(GROUP)} == {BOT_ID, PERSON}
    assert (await bot.get_chat_member(GROUP, 8)).status == "left"
    telegram.group(GROUP, joined=False)
    with pytest.raises(TelegramAPIError, match="bot is not a member of the supergroup chat"):
        await bot.get_chat_member(GROUP, PERSON)


async def test_photos_are_kept_byte_by_byte_and_can_be_exchanged(telegram: FakeTelegram, bot: Bot) -> None:
    first, second = b"\x89PNG" + bytes(2_000_000), b"\x89PNG2"
    sent = await bot.send_photo(PERSON, BufferedInputFile(first, "week.png"), caption="<i>Тиждень</i>")
    assert sent.photo
    [seen] = telegram.messages(PERSON)
    assert (seen.kind, seen.text, seen.file, seen.file_name) == ("photo", "Тиждень", first, "week.png")
    with pytest.raises(TelegramAPIError, match="there is no text in the message to edit"):
        await bot.edit_message_text("2", chat_id=PERSON, message_id=sent.message_id)
    media = InputMediaPhoto(media=BufferedInputFile(second, "week.png"), caption="<b>2</b>", parse_mode="HTML")
    await bot.edit_message_media(media, chat_id=PERSON, message_id=sent.message_id)
    assert (seen.text, seen.file, seen.edits) == ("2", second, 1)


async def test_what_is_too_long_is_refused(telegram: FakeTelegram, bot: Bot) -> None:
    await bot.send_message(PERSON, "<b>" + "ж" * 4096 + "</b>", reply_markup=button("1", "x" * 64))
    await bot.send_photo(PERSON, BufferedInputFile(b"1", "1.png"), caption="ж" * 1024)
    with pytest.raises(TelegramAPIError, match="message is too long"):
        await bot.send_message(PERSON, "ж" * 4097)
    with pytest.raises(TelegramAPIError, match="caption is too long"):
        await bot.send_photo(PERSON, BufferedInputFile(b"1", "1.png"), caption="ж" * 1025)
    with pytest.raises(TelegramAPIError, match="caption is too long"):
        media = InputMediaPhoto(media=BufferedInputFile(b"2", "1.png"), caption="ж" * 1025)
        await bot.edit_message_media(media, chat_id=PERSON, message_id=telegram.messages(PERSON)[-1].message_id)
    with pytest.raises(TelegramAPIError, match="BUTTON_DATA_INVALID"):
        await bot.send_message(PERSON, "1", reply_markup=button("1", "x" * 65))
    with pytest.raises(TelegramAPIError, match="MESSAGE_TOO_LONG"):
        await bot.answer_callback_query("1", "ж" * 201)
    assert len(telegram.messages(PERSON)) == 2


async def test_telegrams_rates_are_kept_when_asked_for() -> None:
    async with FakeTelegram(**STRICT) as telegram:
        bot = make_bot(telegram.token, telegram.url)
        try:
            for _ in range(3):
                await bot.send_message(PERSON, "1")
            with pytest.raises(TelegramRetryAfter):
                await bot.send_message(PERSON, "1")
            telegram.per_chat = None
            for _ in range(20):
                await bot.send_message(GROUP, "1")
            with pytest.raises(TelegramRetryAfter) as flood:
                await bot.edit_message_text("2", chat_id=GROUP, message_id=telegram.messages(GROUP)[0].message_id)
            assert 1 < flood.value.retry_after <= 60
        finally:
            await bot.session.close()


async def test_a_chat_is_asked_for_in_private_only(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.channel(CHANNEL)
    wanted = KeyboardButtonRequestChat(request_id=3, chat_is_channel=True)
    keyboard = ReplyKeyboardMarkup(keyboard=[[KeyboardButton(text="Канал", request_chat=wanted)]])
    with pytest.raises(TelegramAPIError, match="in private chats only"):
        await bot.send_message(GROUP, "1", reply_markup=keyboard)
    await bot.send_message(PERSON, "1", reply_markup=keyboard)
    telegram.share(PERSON, "Канал", CHANNEL)
    [update] = await bot.get_updates()
    assert update.message is not None
    assert update.message.chat_shared is not None
    assert (update.message.chat_shared.request_id, update.message.chat_shared.chat_id) == (3, CHANNEL)


async def test_people_speak_in_topics_anonymously_and_in_channels(telegram: FakeTelegram, bot: Bot) -> None:
    topic = telegram.topic(GROUP, "Світло")
    telegram.channel(CHANNEL)
    telegram.say(GROUP, "/link", user_id=PERSON, topic=topic)
    telegram.say(GROUP, "/link", anonymous=True)
    telegram.post(CHANNEL, "/link")
    telegram.member(GROUP, "administrator", PIN, user_id=PERSON)
    first, second, third, fourth = await bot.get_updates()
    assert first.message is not None
    assert (first.message.message_thread_id, first.message.is_topic_message) == (topic, True)
    assert second.message is not None
    assert second.message.sender_chat is not None
    assert second.message.sender_chat.id == GROUP
    assert third.channel_post is not None
    assert third.channel_post.from_user is None
    assert fourth.my_chat_member is not None
    assert fourth.my_chat_member.old_chat_member.status == "left"
    assert isinstance(fourth.my_chat_member.new_chat_member, ChatMemberAdministrator)
    assert fourth.my_chat_member.new_chat_member.can_pin_messages


async def test_a_group_migrates_and_tells(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.group(GROUP, kind="group", admins=[PERSON])
    telegram.migrate(GROUP, -1000100, told=True)
    first, second = await bot.get_updates()
    assert first.message is not None
    assert first.message.migrate_to_chat_id == -1000100
    assert second.message is not None
    assert second.message.migrate_from_chat_id == GROUP
    with pytest.raises(TelegramMigrateToChat):
        await bot.edit_message_text("1", chat_id=GROUP, message_id=1)
    assert (await bot.get_chat_member(-1000100, PERSON)).status == "administrator"


async def test_any_method_can_be_made_to_fail(telegram: FakeTelegram, bot: Bot) -> None:
    sent = await bot.send_message(PERSON, "1")
    telegram.flood(2, method="*", chat_id=PERSON)
    with pytest.raises(TelegramRetryAfter):
        await bot.edit_message_text("2", chat_id=PERSON, message_id=sent.message_id)
    telegram.fail(500, "Internal Server Error", method="pinChatMessage")
    with pytest.raises(TelegramAPIError, match="Internal"):
        await bot.pin_chat_message(PERSON, sent.message_id)


async def test_people_send_contacts_and_forward_what_others_wrote(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.contact(PERSON, user_id=8)
    telegram.forward(PERSON, "1", origin=8)
    telegram.forward(PERSON, "2", origin=None)
    first, second, third = [update.message for update in await bot.get_updates()]
    assert first is not None
    assert first.contact is not None
    assert first.contact.user_id == 8
    assert second is not None
    assert isinstance(second.forward_origin, MessageOriginUser)
    assert second.forward_origin.sender_user.id == 8
    assert third is not None
    assert isinstance(third.forward_origin, MessageOriginHiddenUser)
