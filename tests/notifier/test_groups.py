"""Linking groups, forum topics and channels, over the real client."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from services.notifier.bot.groups_boards import Do, Invited, Step
from services.notifier.bot.poller import Poller
from services.notifier.channels.pinboard import Pinboard
from services.notifier.pacing import UNLIMITED, Pace
from services.notifier.pins import Habits, Pins
from services.notifier.texts import words
from services.notifier.views import Reader
from services.notifier.views.groups import Card, card_text
from svitlo.contracts import EventKind
from tests.notifier.conftest import KYIV, World, notifying, until
from tests.notifier.conversation import followed, talking
from tests.support.telegram import EDIT, PIN, POST, FakeTelegram

GROUP, CHANNEL, ADMIN, STRANGER = -100, -200, 7, 8


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    async with talking(world.database, telegram) as poller:
        yield poller


GROUP_CARD = Card(
    kind="supergroup",
    title=None,
    places=["Шевченка <12>", "Дача"],
    language="uk",
    pinned=True,
    may_send=False,
    may_pin=False,
    other_topics=True,
)
CHANNEL_CARD = Card(
    kind="channel", title="Дім & двір", places=["Дача"], language="en", pinned=True, may_send=True, may_pin=False
)

UK_GROUP = """✅ Повідомляю в цій групі про світло:

• Шевченка &lt;12&gt;
• Дача

⚠️ Бракує прав:
• писати повідомлення
• закріплювати повідомлення
Як дати: назва групи → «Змінити» → «Адміністратори» → додайте бота й увімкніть це право.

Щоб повідомлення йшли в іншу тему, надішліть /link у ній."""

EN_GROUP = """✅ I tell this group about the power at:

• Шевченка &lt;12&gt;
• Дача

⚠️ Rights I do not have:
• to write messages
• to pin messages
To grant it: name of the group → Edit → Administrators → add the bot and switch the right on.

To have messages in another topic, send /link there."""

UK_CHANNEL = """<b>Дім &amp; двір</b>
✅ Повідомляю в каналі про світло:

• Дача

⚠️ Бракує прав:
• редагувати повідомлення (без цього канал не дає закріплювати)
Як дати: назва каналу → «Змінити» → «Адміністратори» → бот → увімкніть це право."""

EN_CHANNEL = """<b>Дім &amp; двір</b>
✅ I tell the channel about the power at:

• Дача

⚠️ Rights I do not have:
• to edit messages (without it a channel lets nobody pin)
To grant it: name of the channel → Edit → Administrators → the bot → switch the right on."""


def reader(language: str) -> Reader:
    return Reader(words=words(language), zone=KYIV, now=datetime(2026, 11, 20, tzinfo=UTC), escape=html.escape)


@pytest.mark.parametrize(
    ("language", "card", "said"),
    [
        ("uk", GROUP_CARD, UK_GROUP),
        ("en", GROUP_CARD, EN_GROUP),
        ("uk", CHANNEL_CARD, UK_CHANNEL),
        ("en", CHANNEL_CARD, EN_CHANNEL),
    ],
)
def test_a_card_says_exactly_what_is_missing_and_how_to_grant_it(language: str, card: Card, said: str) -> None:
    assert card_text(card, reader(language)) == said


@pytest.mark.parametrize("language", ["uk", "en"])
def test_a_card_with_very_many_places_stays_short(language: str) -> None:
    said = card_text(replace(GROUP_CARD, places=["Д" * 120] * 500), reader(language))
    assert len(said) < 2000
    assert "490" in said


def test_no_button_of_the_wizard_is_longer_than_telegram_takes() -> None:
    most = 2**31 - 1
    assert len(Step(do=Do.FOLLOW, chat=most, site=most, page=most).pack()) <= 64
    assert len(Invited(chat=most, word="x" * 32).pack()) <= 64


async def look(world: World, telegram: FakeTelegram) -> None:
    """Let the pinned messages be brought up to date."""
    board = Pinboard(telegram.token, telegram.url)
    pins = Pins(world.database, board, Pace(UNLIMITED), KYIV, habits=Habits(gap_s=0.0))
    try:
        while await pins.work():
            pass
    finally:
        await board.close()


async def answered(telegram: FakeTelegram, count: int) -> str:
    await telegram.wait_until(lambda: len(telegram.answers) >= count)
    return telegram.answers[-1]


async def topics(world: World, chat_id: int) -> dict[int, list[str]]:
    rows = await world.rows(
        "SELECT c.topic_id, s.slug FROM chats c JOIN subscriptions f ON f.chat = c.id JOIN sites s ON s.id = f.site_id "
        "WHERE c.chat_id = :chat ORDER BY c.topic_id, s.slug",
        chat=chat_id,
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        found.setdefault(row.topic_id, []).append(row.slug)
    return found


async def chat_row(world: World, chat_id: int) -> Any:
    [row] = await world.rows("SELECT * FROM chats WHERE chat_id = :chat", chat=chat_id)
    return row


async def test_the_bot_says_hello_once_and_an_admin_links_a_place(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Шевченка 12")
    telegram.group(GROUP, admins=[ADMIN], joined=False)
    telegram.member(GROUP, "member", user_id=ADMIN)
    hello = await telegram.wait_for(GROUP, "Повідомлятиму тут")
    assert hello.labels == ["📍 Обрати місце"]
    telegram.member(GROUP, "administrator", PIN, user_id=ADMIN)

    telegram.press(GROUP, "Обрати місце", user_id=ADMIN)
    await telegram.wait_for(GROUP, "За яким місцем стежити?")
    telegram.press(GROUP, "Шевченка 12", user_id=ADMIN)
    card = await telegram.wait_for(GROUP, "Повідомляю в цій групі про світло")
    assert card.text == "✅ Повідомляю в цій групі про світло:\n\n• Шевченка 12"
    assert await followed(world, GROUP) == ["home"]
    telegram.press(GROUP, "Готово", user_id=ADMIN)
    await telegram.wait_until(lambda: not card.labels)
    assert len(telegram.messages(GROUP)) == 1


async def test_only_admins_may_press_and_link(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await world.site("home", "Шевченка 12")
    telegram.group(GROUP, admins=[ADMIN], joined=False)
    telegram.member(GROUP, "member", user_id=STRANGER)
    await telegram.wait_for(GROUP, "Повідомлятиму тут")
    telegram.press(GROUP, "Обрати місце", user_id=STRANGER)
    assert await answered(telegram, 1) == "Це можуть лише адміністратори."
    for command in ("/link", "/link home", "/unlink"):
        telegram.say(GROUP, command, user_id=STRANGER)
    await telegram.wait_until(lambda: telegram.texts(GROUP).count("Це можуть лише адміністратори.") == 3)
    assert await followed(world, GROUP) == []

    telegram.say(GROUP, "/link home", anonymous=True)
    await telegram.wait_for(GROUP, "• Шевченка 12")
    assert await followed(world, GROUP) == ["home"]


async def test_an_admins_link_with_a_place_is_followed_in_the_first_message(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Шевченка <12>")
    telegram.group(GROUP, admins=[ADMIN], joined=False)
    telegram.start_group(GROUP, "s_home", user_id=ADMIN)
    await telegram.wait_for(GROUP, "• Шевченка <12>")
    assert len(telegram.messages(GROUP)) == 1
    assert await followed(world, GROUP) == ["home"]


@pytest.mark.parametrize("public", [True, False])
async def test_anybody_elses_link_with_a_place_offers_it_to_the_admins(
    world: World, telegram: FakeTelegram, bot: Poller, public: bool
) -> None:
    site = await world.site("home", "Дача", public=public)
    telegram.group(GROUP, admins=[ADMIN], joined=False)
    telegram.start_group(GROUP, "s_home" if public else f"i_{site.invite}", user_id=STRANGER)
    await telegram.wait_for(GROUP, "Повідомляти тут, коли зникає і коли повертається світло: Дача?")
    assert len(telegram.messages(GROUP)) == 1
    telegram.press(GROUP, "Так", user_id=STRANGER)
    assert await answered(telegram, 1) == "Це можуть лише адміністратори."
    assert await followed(world, GROUP) == []
    telegram.press(GROUP, "Так", user_id=ADMIN)
    await telegram.wait_for(GROUP, "• Дача")
    assert await followed(world, GROUP) == ["home"]


async def test_a_private_place_cannot_be_linked_by_a_forged_button(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    secret = await world.site("secret", "Дача", public=False)
    telegram.group(GROUP, admins=[ADMIN])
    telegram.group(-101, admins=[STRANGER])
    telegram.say(GROUP, "/link", user_id=ADMIN)
    seen = await telegram.wait_for(GROUP, "Відкритих місць поки немає")
    key = (await chat_row(world, GROUP)).id
    telegram.press_data(GROUP, f"g:f:{key}:{secret.id}:0", seen.message_id, user_id=ADMIN)
    await answered(telegram, 1)
    # Nor may the admin of one group reach into another.
    telegram.press_data(-101, f"g:p:{key}:0:0", 1, user_id=STRANGER)
    assert await answered(telegram, 2) == "Це можуть лише адміністратори."
    assert await followed(world, GROUP) == []
    assert not await world.rows("SELECT 1 FROM pins")


async def test_each_topic_of_a_forum_is_linked_for_itself(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await world.site("home", "Шевченка 12")
    await world.site("work", "Робота")
    telegram.group(GROUP, admins=[ADMIN], forum=True)
    topic = telegram.topic(GROUP, "Світло")
    telegram.say(GROUP, "/link home", user_id=ADMIN, topic=topic)
    card = await telegram.wait_for(GROUP, "Повідомляю в цій темі")
    assert card.topic == topic
    telegram.say(GROUP, "/link work", user_id=ADMIN)
    await telegram.wait_for(GROUP, "Щоб повідомлення йшли в іншу тему, надішліть /link у ній.")
    assert await topics(world, GROUP) == {0: ["work"], topic: ["home"]}

    telegram.say(GROUP, "/unlink", user_id=ADMIN, topic=topic)
    await telegram.wait_for(GROUP, "Яке місце прибрати?")
    telegram.press(GROUP, "Шевченка", user_id=ADMIN)
    await telegram.wait_for(GROUP, "Більше не повідомляю тут")
    assert await topics(world, GROUP) == {0: ["work"]}


async def test_what_is_missing_to_pin_is_said_and_taken_up_once_granted(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Шевченка 12")
    telegram.group(GROUP, admins=[ADMIN])
    telegram.say(GROUP, "/link home", user_id=ADMIN)
    card = await telegram.wait_for(GROUP, "• Шевченка 12")
    telegram.press(GROUP, "Закріплений стан: ні", user_id=ADMIN)
    await telegram.wait_until(lambda: "📌 Закріплений стан: так" in card.labels)
    assert card.text.endswith(
        "⚠️ Бракує прав:\n• закріплювати повідомлення\n"
        "Як дати: назва групи → «Змінити» → «Адміністратори» → додайте бота й увімкніть це право."
    )
    await look(world, telegram)
    assert len(telegram.messages(GROUP)) == 1, "what it knows it may not do is not tried"

    telegram.press(GROUP, "Перевірити", user_id=ADMIN)
    await answered(telegram, 2)
    telegram.member(GROUP, "administrator", PIN, user_id=ADMIN)
    await until(lambda: world.rows("SELECT 1 FROM pins WHERE error IS NULL"))
    await look(world, telegram)
    [pinned] = telegram.pinned(GROUP)
    assert pinned.text.startswith("❔ Шевченка 12 — стан невідомий")

    telegram.press_data(GROUP, card.buttons[1]["callback_data"], card.message_id, user_id=ADMIN)
    await telegram.wait_until(lambda: not telegram.pinned(GROUP))
    assert await world.rows("SELECT 1 FROM pins") == []


async def test_unlinking_everything_takes_the_pinned_message_away(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.group(GROUP, admins=[ADMIN], bot=[PIN])
    for slug in ("a", "b"):
        await world.site(slug, f"Дім {slug}")
        telegram.say(GROUP, f"/link {slug}", user_id=ADMIN)
        await telegram.wait_for(GROUP, f"• Дім {slug}")
    telegram.press(GROUP, "Закріплений стан: ні", user_id=ADMIN)
    await until(lambda: world.rows("SELECT 1 FROM pins"))
    await look(world, telegram)
    assert len(telegram.pinned(GROUP)) == 1

    telegram.say(GROUP, "/unlink", user_id=ADMIN)
    await telegram.wait_for(GROUP, "Яке місце прибрати?")
    telegram.press(GROUP, "Дім a", user_id=ADMIN)
    await until(lambda: followed(world, GROUP))
    await telegram.wait_until(lambda: telegram.messages(GROUP)[-1].text.endswith("про світло:\n\n• Дім b"))
    assert len(telegram.pinned(GROUP)) == 1
    telegram.say(GROUP, "/unlink", user_id=ADMIN)
    await telegram.wait_until(lambda: telegram.texts(GROUP)[-1] == "Яке місце прибрати?")
    telegram.press(GROUP, "Дім b", user_id=ADMIN)
    await telegram.wait_for(GROUP, "Більше не повідомляю тут")
    await telegram.wait_until(lambda: not telegram.pinned(GROUP))
    assert await followed(world, GROUP) == []


async def test_a_group_speaks_the_language_it_chose(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await world.site("home", "Home")
    telegram.group(GROUP, admins=[ADMIN])
    telegram.say(GROUP, "/link home", user_id=ADMIN)
    card = await telegram.wait_for(GROUP, "• Home")
    telegram.press(GROUP, "Мова: українська", user_id=ADMIN)
    await telegram.wait_until(lambda: card.text == "✅ I tell this group about the power at:\n\n• Home")
    assert "🌐 Language: English" in card.labels
    assert (await chat_row(world, GROUP)).language == "en"


async def test_a_channel_is_set_up_in_private_and_reads_nothing_of_it(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Шевченка 12")
    telegram.channel(CHANNEL, "Дім & двір", admins=[ADMIN], joined=False)
    telegram.member(CHANNEL, "administrator", POST, user_id=ADMIN)
    await telegram.wait_for(ADMIN, "Мене додано до каналу «Дім & двір».")
    telegram.press(ADMIN, "Обрати місце")
    await telegram.wait_for(ADMIN, "За яким місцем")
    telegram.press(ADMIN, "Шевченка")
    card = await telegram.wait_for(ADMIN, "Повідомляю в каналі")
    assert card.text == "Дім & двір\n✅ Повідомляю в каналі про світло:\n\n• Шевченка 12"
    assert await followed(world, CHANNEL) == ["home"]

    telegram.press(ADMIN, "Закріплений стан")
    await telegram.wait_until(lambda: "• редагувати повідомлення" in card.text)
    telegram.press(ADMIN, "Мова")
    await telegram.wait_until(lambda: "🌐 Language: English" in card.labels)
    assert card.text.startswith("Дім & двір\n✅ Повідомляю"), "the admin's own language stays"
    telegram.member(CHANNEL, "administrator", POST, EDIT, user_id=ADMIN)
    await until(lambda: world.rows("SELECT 1 FROM pins WHERE error IS NULL"))
    assert telegram.messages(CHANNEL) == []
    await look(world, telegram)
    assert telegram.pinned(CHANNEL)[0].text.startswith("❔ Шевченка 12 — state unknown")


async def test_a_channel_let_go_from_private_is_named(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await world.site("home", "Шевченка 12")
    telegram.channel(CHANNEL, "Дім & двір", username="dim12", admins=[ADMIN])
    telegram.say(ADMIN, "/link @dim12")
    await telegram.wait_for(ADMIN, "За яким місцем")
    for label, then in (("Шевченка", "Повідомляю в каналі"), ("Прибрати", "Яке місце прибрати?")):
        telegram.press(ADMIN, label)
        await telegram.wait_for(ADMIN, then)
    telegram.press(ADMIN, "➖ Шевченка")
    await telegram.wait_for(ADMIN, "Більше не повідомляю про світло в «Дім & двір». Повернути: /link")
    assert await followed(world, CHANNEL) == []


async def test_hello_goes_into_the_channel_when_its_admin_never_wrote_to_us(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Шевченка 12")
    telegram.channel(CHANNEL, admins=[ADMIN], joined=False)
    telegram.block(ADMIN, "Forbidden: bot can't initiate conversation with a user")
    telegram.member(CHANNEL, "administrator", POST, user_id=ADMIN)
    hello = await telegram.wait_for(CHANNEL, "Повідомлятиму тут")
    assert hello.silent
    telegram.press(CHANNEL, "Обрати місце", user_id=STRANGER)
    assert await answered(telegram, 1) == "Це можуть лише адміністратори."
    telegram.press(CHANNEL, "Обрати місце", user_id=ADMIN)
    await telegram.wait_for(CHANNEL, "За яким місцем")
    telegram.press(CHANNEL, "Шевченка", user_id=ADMIN)
    await telegram.wait_for(CHANNEL, "• Шевченка 12")
    telegram.press(CHANNEL, "Готово", user_id=ADMIN)
    await telegram.wait_until(lambda: telegram.messages(CHANNEL) == [])
    assert await followed(world, CHANNEL) == ["home"]


@pytest.mark.parametrize("way", ["@dim12", "https://t.me/dim12", "key"])
async def test_a_channel_is_linked_from_private_by_name_or_key(
    world: World, telegram: FakeTelegram, bot: Poller, way: str
) -> None:
    await world.site("home", "Шевченка 12")
    telegram.channel(CHANNEL, "Дім", username="dim12", admins=[ADMIN])
    if way == "key":
        telegram.say(ADMIN, "/link")
        await telegram.wait_for(ADMIN, "Оберіть канал або групу")
        telegram.share(ADMIN, "Обрати канал", CHANNEL)
    else:
        telegram.say(ADMIN, f"/link {way}")
    await telegram.wait_for(ADMIN, "За яким місцем")
    telegram.press(ADMIN, "Шевченка")
    await telegram.wait_for(ADMIN, "Повідомляю в каналі")
    assert await followed(world, CHANNEL) == ["home"]
    assert telegram.messages(CHANNEL) == []


async def test_neither_stranger_nor_absent_bot_links_a_channel(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Шевченка 12")
    telegram.channel(CHANNEL, username="dim12", admins=[ADMIN])
    telegram.channel(-201, username="other", admins=[ADMIN], joined=False)
    telegram.channel(-202, admins=[ADMIN], joined=False)
    telegram.say(STRANGER, "/link @dim12")
    await telegram.wait_for(STRANGER, "лише адміністратор того каналу")
    telegram.say(ADMIN, "/link @other")
    await telegram.wait_for(ADMIN, "Мене немає серед адміністраторів")
    telegram.say(ADMIN, "/link @nowhere")
    await telegram.wait_for(ADMIN, "Не знаходжу такого каналу")
    telegram.say(ADMIN, "/link")
    await telegram.wait_for(ADMIN, "Оберіть канал")
    telegram.share(ADMIN, "Обрати канал", -202)
    await telegram.wait_until(lambda: telegram.texts(ADMIN)[-1].startswith("Мене немає серед"))
    assert not await world.rows("SELECT 1 FROM chats WHERE kind = 'channel'")


async def test_thrown_out_it_is_silent_in_all_topics_and_let_in_again_goes_on_in_them(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Шевченка 12")
    telegram.group(GROUP, admins=[ADMIN], forum=True)
    topic = telegram.topic(GROUP, "Світло")
    telegram.say(GROUP, "/link home", user_id=ADMIN, topic=topic)
    await telegram.wait_for(GROUP, "• Шевченка 12")
    telegram.member(GROUP, "kicked", user_id=ADMIN)
    await until(lambda: world.rows("SELECT 1 FROM chats HAVING bool_and(NOT active)"))
    said = len(telegram.messages(GROUP))
    telegram.member(GROUP, "member", user_id=ADMIN)
    await until(lambda: world.rows("SELECT 1 FROM chats HAVING bool_and(active)"))
    home = await world.rows("SELECT site_id FROM subscriptions f JOIN chats c ON c.id = f.chat WHERE c.topic_id <> 0")
    assert len(home) == 1
    telegram.say(GROUP, "/link", user_id=ADMIN, topic=topic)
    await telegram.wait_until(lambda: len(telegram.messages(GROUP)) > said)
    assert telegram.messages(GROUP)[-1].topic == topic, "it was introduced before and says no hello"


async def test_given_the_right_to_write_again_it_goes_on_in_all_topics_but_those_that_are_closed(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    home = await world.site("home", "Шевченка 12")
    telegram.group(GROUP, admins=[ADMIN], forum=True)
    open_, closed = telegram.topic(GROUP, "Світло"), telegram.topic(GROUP, "Архів")
    for topic in (open_, closed):
        telegram.say(GROUP, "/link home", user_id=ADMIN, topic=topic)
        await until(partial(topics_linked, world, topic))
    telegram.close_topic(GROUP, closed)
    async with notifying(world, telegram, rates=UNLIMITED):
        await world.event(home)
        await until(lambda: silent(world, closed))
        telegram.member(GROUP, "restricted", user_id=ADMIN)
        await world.event(home, EventKind.POWER_RESTORED)
        await until(lambda: silent(world, open_))
        said = len(telegram.messages(GROUP))
        telegram.member(GROUP, "administrator", user_id=ADMIN)
        await until(lambda: world.rows("SELECT 1 FROM chats WHERE topic_id = :topic AND active", topic=open_))
        assert await silent(world, closed)
        await world.event(home)
        await telegram.wait_until(lambda: len(telegram.messages(GROUP)) > said)
    assert telegram.messages(GROUP)[-1].topic == open_


async def silent(world: World, topic: int) -> list[Any]:
    return await world.rows("SELECT 1 FROM chats WHERE topic_id = :topic AND NOT active", topic=topic)


async def topics_linked(world: World, topic: int) -> bool:
    return topic in await topics(world, GROUP)


async def test_a_migrated_group_keeps_places_and_pin_without_another_hello(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Шевченка 12")
    telegram.group(GROUP, kind="group", admins=[ADMIN], bot=[PIN])
    telegram.say(GROUP, "/link home", user_id=ADMIN)
    await telegram.wait_for(GROUP, "• Шевченка 12")
    telegram.press(GROUP, "Закріплений стан", user_id=ADMIN)
    await until(lambda: world.rows("SELECT 1 FROM pins"))
    await look(world, telegram)
    telegram.migrate(GROUP, -1000100, told=True)
    telegram.member(-1000100, "administrator", PIN, user_id=ADMIN)
    await until(lambda: followed(world, -1000100))
    await look(world, telegram)
    await telegram.wait_until(lambda: len(telegram.pinned(-1000100)) == 1)
    assert len(telegram.messages(-1000100)) == 1


async def test_a_topic_that_was_closed_ends_its_alerts_alone_until_it_is_linked_again(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    home = await world.site("home", "Шевченка 12")
    telegram.group(GROUP, admins=[ADMIN])
    topic = telegram.topic(GROUP, "Світло")
    for thread in (0, topic):
        telegram.say(GROUP, "/link home", user_id=ADMIN, topic=thread)
        await telegram.wait_for(GROUP, "цій темі" if thread else "цій групі")
    telegram.close_topic(GROUP, topic)
    await world.event(home)
    async with notifying(world, telegram):
        await telegram.wait_for(GROUP, "світла немає")
        await until(lambda: world.rows("SELECT 1 FROM chats WHERE topic_id <> 0 AND NOT active"))
    assert await world.rows("SELECT 1 FROM chats WHERE topic_id = 0 AND active")

    telegram.close_topic(GROUP, topic, closed=False)
    telegram.say(GROUP, "/link", user_id=ADMIN, topic=topic)
    await until(lambda: world.rows("SELECT 1 FROM chats HAVING bool_and(active)"))
