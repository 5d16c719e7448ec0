"""A Bot API server of our own, over HTTP: what Telegram would do, and everything it may do wrong.

It knows every method from aiogram's own classes, checks what it is sent as Telegram would, remembers what each chat
saw and when, lets people speak, and can be made to flood-wait, block, migrate, fail, hang or fall silent.

    async with FakeTelegram() as telegram:
        telegram.say(42, "/start", language="uk")
        await telegram.wait_for(42, "Оберіть")
        telegram.press(42, "Шевченка 12")
        telegram.flood(retry_after=1)
        await telegram.wait_for(42, "світла немає")
        assert [seen.text for seen in telegram.messages(42)] == [...]

Groups and channels are described before anything happens in them; other negative ids are supergroups:

        telegram.group(-5, admins=[7], forum=True)
        topic = telegram.topic(-5, "Світло")
        telegram.member(-5, "administrator", PIN, user_id=7)
        telegram.say(-5, "/link", user_id=7, topic=topic)
        telegram.channel(-6, username="dim12", admins=[7])
        telegram.share(7, "Канал", -6)
        assert [entry.what for entry in telegram.ledger(-5)] == ["sent", "pinned", "edited"]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.support.telegram_rooms import (
    ALL_RIGHTS,
    ANONYMOUS_ID,
    BOT_ID,
    BOT_NAME,
    CHANNEL_RIGHTS,
    DELETE,
    EDIT,
    JOINED,
    PIN,
    POST,
    TOPICS,
    ApiError,
    Entry,
    Room,
    Seen,
    Standing,
    Topic,
    me,
    person,
)
from tests.support.telegram_server import FEW, STRICT, TOKEN, Call, Server

__all__ = (
    "ANONYMOUS_ID",
    "BOT_ID",
    "BOT_NAME",
    "CHANNEL_RIGHTS",
    "DELETE",
    "EDIT",
    "FEW",
    "PIN",
    "POST",
    "STRICT",
    "TOKEN",
    "TOPICS",
    "ApiError",
    "Call",
    "Entry",
    "FakeTelegram",
    "Seen",
)


class FakeTelegram(Server):
    """The server and the people who talk to its bot; limits as `Server` has them."""

    # What there is.

    def group(
        self,
        chat_id: int,
        title: str = "",
        *,
        kind: str = "supergroup",
        forum: bool = False,
        admins: Iterable[int] = (),
        bot: Iterable[str] | None = None,
        members_may: Iterable[str] = (),
        joined: bool = True,
    ) -> None:
        """A group; with `bot` the bot is an admin with these rights, else an ordinary member, or not in it yet."""
        standing = Standing() if bot is None else Standing("administrator", frozenset(bot))
        permissions = frozenset({"can_send_messages", *members_may})
        self._describe(chat_id, title, kind, admins, standing if joined else Standing("left"))
        self._room(chat_id).permissions, self._room(chat_id).forum = permissions, forum

    def channel(
        self,
        chat_id: int,
        title: str = "",
        *,
        username: str | None = None,
        admins: Iterable[int] = (),
        bot: Iterable[str] = CHANNEL_RIGHTS,
        joined: bool = True,
    ) -> None:
        """A channel, the bot an admin of it with these rights unless it has not joined."""
        standing = Standing("administrator", frozenset(bot)) if joined else Standing("left")
        self._describe(chat_id, title, "channel", admins, standing)
        self._room(chat_id).username = username

    def topic(self, chat_id: int, name: str) -> int:
        """A new topic of a forum; returns its message_thread_id."""
        room = self._room(chat_id)
        room.forum = True
        topic = self._count("topic")
        room.topics[topic] = Topic(name)
        return topic

    def close_topic(self, chat_id: int, topic: int, *, closed: bool = True) -> None:
        self._room(chat_id).topics[topic].closed = closed

    def delete_topic(self, chat_id: int, topic: int) -> None:
        """A topic goes, and all that was said in it."""
        room = self._room(chat_id)
        del room.topics[topic]
        room.messages = [seen for seen in room.messages if seen.topic != topic]

    def rights(self, chat_id: int, *rights: str, user_id: int = BOT_ID) -> None:
        """Somebody's rights as an admin become these; nobody is told."""
        self._set(chat_id, user_id, Standing("administrator", frozenset(rights)))

    # What people do.

    def say(
        self,
        chat_id: int,
        text: str,
        *,
        language: str | None = "uk",
        user_id: int | None = None,
        topic: int = 0,
        anonymous: bool = False,
        reply_to: int | None = None,
        **more: Any,
    ) -> None:
        """Somebody writes in a chat, in reply to a message perhaps. In a private chat that also lifts a block.

        `more` are other fields of the message.
        """
        if chat_id > 0:
            self._blocked.pop(chat_id, None)
        message = self._message(chat_id, text) | more
        if anonymous:
            message |= {"from": person(ANONYMOUS_ID, None), "sender_chat": self._chat(chat_id)}
        else:
            message |= {"from": person(user_id or abs(chat_id), language)}
        if topic:
            message |= {"message_thread_id": topic, "is_topic_message": True}
        if reply_to is not None:
            message["reply_to_message"] = self._room(chat_id).told(self._room(chat_id).find(reply_to, "reply"))
        self._push(message=message)

    def contact(self, chat_id: int, *, user_id: int | None, language: str | None = "uk") -> None:
        """Somebody sends a contact, that of a Telegram user unless `user_id` is None."""
        contact: dict[str, Any] = {"phone_number": "+380000000000", "first_name": "Somebody"}
        message = self._message(chat_id, "") | {
            "from": person(chat_id, language),
            "contact": contact | ({"user_id": user_id} if user_id else {}),
        }
        del message["text"]
        self._push(message=message)

    def forward(self, chat_id: int, text: str, *, origin: int | None, language: str | None = "uk") -> None:
        """Somebody forwards what a user wrote; `origin` is None for users who hide that."""
        told: dict[str, Any] = {"type": "hidden_user", "sender_user_name": "Somebody"}
        if origin is not None:
            told = {"type": "user", "sender_user": person(origin, None)}
        message = self._message(chat_id, text) | {"from": person(chat_id, language)}
        self._push(message=message | {"forward_origin": told | {"date": int(time.time())}})

    def post(self, chat_id: int, text: str) -> None:
        """Somebody writes in a channel, which does not tell who."""
        self._push(channel_post=self._message(chat_id, text) | {"sender_chat": self._chat(chat_id)})

    def start_group(self, chat_id: int, payload: str, *, user_id: int, language: str | None = "uk") -> None:
        """Somebody opens a `?startgroup=` link and chooses this group."""
        self.member(chat_id, "member", user_id=user_id, language=language)
        self.say(chat_id, f"/start@{BOT_NAME} {payload}", user_id=user_id, language=language)

    def share(self, chat_id: int, label: str, shared: int, *, language: str | None = "uk") -> None:
        """Somebody presses the newest key of that label that asks for a chat, and chooses one."""
        for seen in reversed(self._room(chat_id).messages):
            for key in seen.keys:
                if label in key["text"] and (wanted := key.get("request_chat")):
                    channel = self._room(shared).kind == "channel"
                    assert wanted["chat_is_channel"] == channel, "Telegram would not offer this chat"
                    told = {"request_id": wanted["request_id"], "chat_id": shared}
                    message = self._message(chat_id, "") | {"from": person(chat_id, language), "chat_shared": told}
                    del message["text"]
                    self._push(message=message)
                    return
        raise AssertionError(f"chat {chat_id} has no key {label!r} that asks for a chat")

    def press(self, chat_id: int, label: str, *, language: str | None = "uk", user_id: int | None = None) -> None:
        """Somebody presses the newest button whose label contains `label`."""
        for seen in reversed(self._room(chat_id).messages):
            for button in seen.buttons:
                if label in button["text"] and "callback_data" in button:
                    self.press_data(
                        chat_id, button["callback_data"], seen.message_id, language=language, user_id=user_id
                    )
                    return
        raise AssertionError(f"chat {chat_id} has no button {label!r}")

    def press_data(
        self,
        chat_id: int,
        data: str,
        message_id: int,
        *,
        language: str | None = "uk",
        user_id: int | None = None,
        old: bool = False,
    ) -> None:
        """A callback with any data, also such as no button of ours carries; `old`: below a message that Telegram does
        not show to bots any more."""
        room = self._room(chat_id)
        seen = next((seen for seen in room.messages if seen.message_id == message_id), None)
        message = room.told(seen) if seen else self._message(chat_id, "…", message_id) | {"from": me()}
        if old:
            message = {name: message[name] for name in ("chat", "message_id")} | {"date": 0}
        self._push(
            callback_query={
                "id": str(self._count("query")),
                "from": person(user_id or abs(chat_id), language),
                "message": message,
                "chat_instance": "1",
                "data": data,
            }
        )

    def member(
        self, chat_id: int, status: str, *rights: str, language: str | None = "uk", user_id: int | None = None
    ) -> None:
        """The bot's standing in a chat becomes `member`, `administrator` (with `rights`), `left` or `kicked`.

        In a private chat `kicked` is being blocked. `user_id` is who did that.
        """
        room = self._room(chat_id)
        before = room.me
        if not room.known and room.kind != "private" and status in JOINED:
            before = Standing("left")
        room.known = True
        room.me = Standing(status, frozenset(rights))
        if chat_id > 0 and status == "kicked":
            self.block(chat_id)
        elif status in JOINED:
            self._blocked.pop(chat_id, None)
        channel = room.kind == "channel"
        self._push(
            my_chat_member={
                "chat": self._chat(chat_id),
                "from": person(user_id or abs(chat_id), language),
                "date": int(time.time()),
                "old_chat_member": before.told(me(), channel=channel),
                "new_chat_member": room.me.told(me(), channel=channel),
            }
        )

    def remove(self, chat_id: int, message_id: int) -> None:
        """Somebody deletes a message of the bot's."""
        self._room(chat_id).delete(message_id)

    def unpin(self, chat_id: int, message_id: int) -> None:
        """Somebody unpins a message of the bot's."""
        room = self._room(chat_id)
        seen = room.find(message_id, "unpin")
        seen.pinned = False
        room.note("unpinned", seen)

    # What may go wrong.

    def block(self, chat_id: int, description: str = "Forbidden: bot was blocked by the user") -> None:
        """Refuse everything to a chat (403) until somebody there writes again; other texts as 400."""
        self._blocked[chat_id] = description

    def unblock(self, chat_id: int) -> None:
        """Take the chat's messages again."""
        self._blocked.pop(chat_id, None)

    def migrate(self, chat_id: int, new_chat_id: int, *, told: bool = False) -> None:
        """A group lives on under another id, without the bot's old messages; with `told` the updates say so."""
        self._migrated[chat_id] = new_chat_id
        old, new = self._room(chat_id), self._room(new_chat_id)
        new.title, new.me, new.people = old.title, old.me, dict(old.people)
        new.permissions, new.known = old.permissions, old.known
        if told:
            for chat, what, other in (
                (chat_id, "migrate_to_chat_id", new_chat_id),
                (new_chat_id, "migrate_from_chat_id", chat_id),
            ):
                message = self._message(chat, "") | {"from": person(ANONYMOUS_ID, None), what: other}
                del message["text"]
                self._push(message=message)

    def garnish(self, chat_id: int, **more: Any) -> None:
        """Tell messages of the bot's in this chat with these fields beside the others."""
        self._room(chat_id).more = more

    def flood(
        self, retry_after: int = 1, *, times: int = 1, chat_id: int | None = None, method: str = "sendMessage"
    ) -> None:
        """Answer 429. Here as in all of these: `method` is one method, or `*` for each that is about a chat."""
        description = f"Too Many Requests: retry after {retry_after}"
        parameters = {"retry_after": retry_after}
        self._fault("answer", times, chat_id, method, status=429, description=description, parameters=parameters)

    def fail(
        self,
        status: int = 502,
        description: str = "Bad Gateway",
        *,
        times: int = 1,
        chat_id: int | None = None,
        method: str = "sendMessage",
    ) -> None:
        """Answer with an error."""
        self._fault("answer", times, chat_id, method, status=status, description=description)

    def drop(self, *, times: int = 1, chat_id: int | None = None, method: str = "sendMessage") -> None:
        """Close the connection without an answer (the message is not delivered)."""
        self._fault("drop", times, chat_id, method)

    def hang(self, *, times: int = 1, chat_id: int | None = None, method: str = "sendMessage") -> None:
        """Take the request and never answer (the message is not delivered)."""
        self._fault("hang", times, chat_id, method)

    def slow(self, seconds: float, *, times: int = 1, chat_id: int | None = None, method: str = "sendMessage") -> None:
        """Deliver the message and answer late."""
        self._fault("slow", times, chat_id, method, seconds=seconds)

    def garble(self, *, times: int = 1, chat_id: int | None = None, method: str = "sendMessage") -> None:
        """Answer like a broken proxy, with a page of HTML."""
        self._fault("garble", times, chat_id, method)

    # What chats saw.

    def messages(self, chat_id: int) -> list[Seen]:
        """The bot's messages in a chat, oldest first."""
        return list(self._room(chat_id).messages)

    def texts(self, chat_id: int) -> list[str]:
        return [seen.text for seen in self._room(chat_id).messages]

    def pinned(self, chat_id: int) -> list[Seen]:
        """The messages of the bot's that are pinned in a chat, oldest first."""
        return [seen for seen in self._room(chat_id).messages if seen.pinned]

    def ledger(self, chat_id: int, *what: str) -> list[Entry]:
        """What the bot did in a chat, in order; with `what` only that."""
        return [entry for entry in self._room(chat_id).ledger if not what or entry.what in what]

    def calls_to(self, method: str, chat_id: int | None = None) -> list[Call]:
        """The bot's requests of one method, refused ones too."""
        return [
            call
            for call in self.calls
            if call.method.lower() == method.lower() and (chat_id is None or call.params.get("chat_id") == chat_id)
        ]

    def refused(self) -> int:
        """How many of the bot's requests came too fast."""
        return sum(call.status == 429 for call in self.calls)

    async def wait_for(self, chat_id: int, what: str | Callable[[Seen], bool], timeout_s: float = 20.0) -> Seen:
        """The first message in the chat that contains the words or fulfils the condition, now or later."""

        def found() -> Seen | None:
            fits = what if callable(what) else lambda seen: what in seen.text
            return next((seen for seen in self._room(chat_id).messages if fits(seen)), None)

        try:
            seen: Seen = await self.wait_until(found, timeout_s)
        except AssertionError:
            raise AssertionError(
                f"chat {chat_id} did not see {what!r} within {timeout_s} s, but {self.texts(chat_id)}"
            ) from None
        return seen

    def _describe(self, chat_id: int, title: str, kind: str, admins: Iterable[int], standing: Standing) -> None:
        room = Room(chat_id, kind, title or f"House {-chat_id}", me=standing, known=True)
        room.people = {user_id: Standing("administrator", ALL_RIGHTS) for user_id in admins}
        self._rooms[chat_id] = room

    def _set(self, chat_id: int, user_id: int, standing: Standing) -> None:
        room = self._room(chat_id)
        if user_id == BOT_ID:
            room.me, room.known = standing, True
        else:
            room.people[user_id] = standing
