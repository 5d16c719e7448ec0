"""`/forget`, and that the log never holds what is personal."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.notifier import broadcasts, chats_forget, conversations, people
from services.notifier.bot.poller import Poller
from services.notifier.bot.rules_boards import Whole
from services.notifier.faults import trace
from services.notifier.people import Role
from tests.notifier.conftest import World, notifying, until
from tests.notifier.conversation import followed, talking
from tests.support.telegram import FakeTelegram

PERSON = 7_312_845_901
"""An id that no port, time or count looks like."""

SAID = "Пилипчукова вулиця 77"


@pytest.fixture
async def bot(world: World, telegram: FakeTelegram) -> AsyncIterator[Poller]:
    async with talking(world.database, telegram) as poller:
        yield poller


async def kept(world: World, chat_id: int) -> dict[str, int]:
    """How many rows the tables hold that belong to a chat or its person."""
    of_chat = "chat IN (SELECT id FROM chats WHERE chat_id = :id)"
    counts = {
        "chats": "chat_id = :id",
        "subscriptions": of_chat,
        "deliveries": of_chat,
        "pins": of_chat,
        "conversations": of_chat,
        "people": "user_id = :id",
    }
    return {
        table: (await world.rows(f"SELECT count(*) AS n FROM {table} WHERE {where}", id=chat_id))[0].n
        for table, where in counts.items()
    }


async def test_forget_asks_once_then_deletes_all_of_it_and_start_begins_anew(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    home = await world.site("home", "Дім")
    mine, other = await world.chat(1, home), await world.chat(2, home)
    for chat in (mine, other):
        await world.run("INSERT INTO pins (chat, kind, message_id) VALUES (:chat, 'status', 99999)", chat=chat.id)
    await world.run("INSERT INTO people (user_id, role, granted_by) VALUES (1, 'viewer', 'cli'), (2, 'viewer', 'cli')")
    await world.event(home)
    await world.plan()
    telegram.say(1, "/language en")
    await telegram.wait_for(1, "Speaking English")
    telegram.say(1, "/forget")
    seen = await telegram.wait_for(1, "Delete all I know about this chat?")
    assert "1 place with its settings, 1 record of an alert, your role in the bot" in seen.text
    assert (await kept(world, 1))["subscriptions"] == 1, "asked, not done"
    telegram.press(1, "Yes, delete")
    await telegram.wait_for(1, "🗑 Deleted: 1 place with its settings")
    assert set((await kept(world, 1)).values()) == {0}
    assert await kept(world, 2) == {
        "chats": 1,
        "subscriptions": 1,
        "deliveries": 1,
        "pins": 1,
        "conversations": 0,
        "people": 1,
    }
    telegram.press_data(1, Whole(what="forget", value="yes").pack(), seen.message_id)
    await telegram.wait_for(1, "Я нічого не зберігаю про цей чат.")
    telegram.say(1, "/start")
    await telegram.wait_for(1, "👋 Я повідомляю")
    assert await followed(world, 1) == []


async def test_the_last_owner_is_warned_and_asked_twice(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await world.run("INSERT INTO people (user_id, role, granted_by) VALUES (1, 'owner', 'cli'), (2, 'admin', 'cli')")
    telegram.say(1, "/forget")
    seen = await telegram.wait_for(1, "Ви — єдиний власник бота.")
    assert "/people" in seen.text
    assert "svitlo bot owner" in seen.text
    telegram.press(1, "Так, видалити")
    await telegram.wait_until(lambda: "Справді лишити бота без власника?" in seen.text)
    assert seen.labels == ["🗑 Так, без власника", "Ні, залишити"]
    assert (await kept(world, 1))["people"] == 1, "asked, not done"
    telegram.press(1, "Ні, залишити")
    await telegram.wait_for(1, "Нічого не видалено.")
    telegram.say(1, "/forget")
    await telegram.wait_for(1, "Ви — єдиний власник бота.")
    for label in ("Так, видалити", "Так, без власника"):
        await telegram.wait_for(1, lambda seen, label=label: f"🗑 {label}" in seen.labels)  # type: ignore[misc]
        telegram.press(1, label)
    gone = await telegram.wait_for(1, "🗑 Видалено: ваша роль у боті")
    assert "Тепер бот не має власника." in gone.text
    assert set((await kept(world, 1)).values()) == {0}
    assert (await kept(world, 2))["people"] == 1


async def test_an_owner_with_another_beside_is_asked_once(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    await world.run("INSERT INTO people (user_id, role, granted_by) VALUES (1, 'owner', 'cli'), (2, 'owner', 'cli')")
    for person in (1, 2):
        telegram.say(person, "/forget")
        seen = await telegram.wait_for(person, "Видалити все")
        assert "власник" not in seen.text
    telegram.press(1, "Так, видалити")
    await telegram.wait_for(1, "🗑 Видалено")
    telegram.press(2, "Так, видалити")
    await telegram.wait_for(2, "Справді лишити бота без власника?")
    assert (await kept(world, 2))["people"] == 1, "meanwhile the last one"


async def test_roles_that_a_person_gave_stay_without_saying_who_and_their_links_end(world: World) -> None:
    """Afterwards the number stands nowhere but in the audit log and in broadcasts that were sent."""
    await world.chat(PERSON, await world.site("home"))
    now, actor = datetime.now(UTC), f"telegram:{PERSON}"
    async with world.database.transaction() as session:
        await people.grant(session, PERSON, Role.OWNER, None, actor="cli")
        await people.grant(session, 8, Role.OWNER, None, actor=actor)
        word = await people.invite(session, Role.VIEWER, None, now, actor=actor)
        await broadcasts.draft(session, PERSON, None, SAID, now)
        await chats_forget.forget(session, PERSON)
    tables = [row.tablename for row in await world.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    holding = {
        table
        for table in tables
        if await world.rows(f'SELECT 1 FROM "{table}" t WHERE CAST(t AS text) LIKE :who LIMIT 1', who=f"%{PERSON}%")
    }
    assert holding == {"audit_log"}
    async with world.database.transaction() as session:
        (left,) = await people.list_people(session)
        assert (left.user_id, left.role, left.granted_by) == (8, Role.OWNER, "forgotten")
        await people.grant(session, PERSON, Role.OWNER, None, actor="cli")
        assert await people.accept(session, 9, word, now) is None


async def test_no_is_no(world: World, telegram: FakeTelegram, bot: Poller) -> None:
    home = await world.site("home", "Дім")
    await world.chat(1, home)
    telegram.say(1, "/forget")
    seen = await telegram.wait_for(1, "Видалити все")
    assert seen.labels == ["🗑 Так, видалити", "Ні, залишити"]
    telegram.press(1, "Ні, залишити")
    await telegram.wait_for(1, "Нічого не видалено.")
    assert await followed(world, 1) == ["home"]


async def test_asking_to_be_forgotten_does_not_make_one_known(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    telegram.say(1, "/forget", language="en")
    await telegram.wait_for(1, "I keep nothing about this chat.")
    assert set((await kept(world, 1)).values()) == {0}


async def test_a_group_is_forgotten_with_all_its_topics_by_an_admin_and_people_stay(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    await world.site("home", "Дім")
    await world.run("INSERT INTO people (user_id, role, granted_by) VALUES (7, 'owner', 'cli')")
    telegram.group(-5, admins=[7], forum=True)
    topic = telegram.topic(-5, "Світло")
    telegram.say(-5, "/subscribe home", user_id=7, topic=topic)
    telegram.say(-5, "/subscribe home", user_id=7)
    await telegram.wait_until(lambda: len(telegram.texts(-5)) == 2)
    telegram.say(-5, "/forget", user_id=7)
    await telegram.wait_for(-5, "про цю групу?\nА саме: 2 місця")
    telegram.press(-5, "Так, видалити", user_id=8)
    await telegram.wait_until(lambda: "Це можуть змінювати лише адміністратори." in telegram.answers)
    telegram.press(-5, "Так, видалити", user_id=7)
    await telegram.wait_for(-5, "🗑 Видалено: 2 місця")
    assert set((await kept(world, -5)).values()) == {0}
    assert (await kept(world, 7))["people"] == 1


async def test_the_pinned_message_nobody_keeps_up_any_more_goes_too(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    home = await world.site("home", "Дім")
    mine = await world.chat(1, home)
    telegram.say(1, "/help")
    pinned = await telegram.wait_for(1, "/places")
    await world.run(
        "INSERT INTO pins (chat, kind, message_id) VALUES (:chat, 'status', :message)",
        chat=mine.id,
        message=pinned.message_id,
    )
    telegram.say(1, "/forget")
    await telegram.wait_for(1, "Видалити все")
    telegram.press(1, "Так, видалити")
    await telegram.wait_until(lambda: [entry.what for entry in telegram.ledger(1)][-1] == "deleted")
    assert [text.partition(":")[0] for text in telegram.texts(1)] == ["🗑 Видалено"]


async def test_what_was_being_sent_while_all_was_deleted_does_no_harm(
    world: World, telegram: FakeTelegram, bot: Poller
) -> None:
    home = await world.site("home", "Дім")
    await world.chat(1, home)
    await world.chat(2, home)
    telegram.slow(0.4, chat_id=1)
    async with notifying(world, telegram):
        await world.event(home)
        await telegram.wait_for(1, "світла немає")
        telegram.press_data(1, Whole(what="forget", value="yes").pack(), telegram.messages(1)[0].message_id)
        await telegram.wait_for(1, "🗑 Видалено")
        await world.event(home)
        await telegram.wait_until(lambda: len(telegram.texts(2)) >= 1)
        assert set((await kept(world, 1)).values()) == {0}


async def test_the_log_of_a_whole_conversation_holds_nothing_personal(
    world: World, telegram: FakeTelegram, bot: Poller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("aiogram", "asyncio"):
        caplog.set_level(logging.INFO, name)
    home = await world.site("home", "Дім")
    names = (str(PERSON), f"Person {PERSON}", "Пилипчукова", "ivanchuk", "пилипчукова")

    async def answered(said: str) -> None:
        before = len(telegram.calls_to("sendMessage"))
        telegram.say(PERSON, said)
        await telegram.wait_until(lambda: len(telegram.calls_to("sendMessage")) > before)

    for said in ("/start", SAID, "/start s_home", "/places", "/mute 8h", "/unmute", "/timezone", "/ivanchuk", "/help"):
        await answered(said)
    telegram.press(PERSON, "Дім")
    await telegram.wait_for(PERSON, "⚙️ Дім — сповіщаю")
    telegram.press_data(PERSON, "ivanchuk", telegram.messages(PERSON)[0].message_id)
    telegram.fail(502, chat_id=PERSON)
    await answered(SAID)
    telegram.fail(400, "Bad Request: something nobody foresaw", chat_id=PERSON)
    await answered(SAID)
    telegram.drop(chat_id=PERSON)
    await answered(SAID)
    telegram.garble(chat_id=PERSON)
    await answered(SAID)
    async with notifying(world, telegram):
        await world.event(home)
        await telegram.wait_for(PERSON, "світла немає")
        telegram.block(PERSON)
        await world.event(home)
        await until(lambda: any("is closed to us" in record.getMessage() for record in caplog.records))
    telegram.say(PERSON, "/start")
    await world.run("ALTER TABLE chats ADD CONSTRAINT broken CHECK (chat_id < 0) NOT VALID")
    telegram.say(PERSON, "/language en")
    await until(lambda: "could not be handled" in caplog.text)
    await world.run("ALTER TABLE chats DROP CONSTRAINT broken")
    await answered("/forget")
    told = "\n".join(
        [
            f"{record.name} {record.getMessage()} {record.exc_text or ''} {getattr(record, 'taskName', '')}"
            for record in caplog.records
        ]
        + [caplog.text]
    )
    assert "an answer was not delivered" in told
    assert "IntegrityError" in told
    for name in names:
        assert name not in told, next(line for line in told.splitlines() if name in line)


def test_a_trace_tells_kinds_and_places_but_no_words() -> None:
    def fail() -> None:
        raise ValueError("Pylypchuk, Kyiv")

    try:
        try:
            fail()
        except ValueError as error:
            raise KeyError("77") from error
    except KeyError as error:
        told = trace(error)
    assert told.startswith("KeyError (test_forget.py:")
    assert "; from ValueError (test_forget.py:" in told
    assert "fail)" in told
    assert "Pylypchuk" not in told
    assert "77" not in told.replace(":77 ", "").replace(":177 ", "")


async def test_a_password_that_was_to_be_deleted_soon_is_deleted_with_the_chat(world: World) -> None:
    chat = await world.chat(1)
    soon = datetime.now(UTC) + timedelta(minutes=10)
    async with world.database.transaction() as session:
        await conversations.add_chore(session, "delete", chat.id, 77, due_at=soon, ends_at=soon)
        await conversations.add_chore(session, "beat", chat.id, 78, due_at=soon, ends_at=soon)
        assert await chats_forget.kept_up(session, 1) == [77]
