"""The chats of the fake Telegram: who is in them with which rights, their topics, messages and pins.

A room refuses in Telegram's own words what its rights do not allow; it knows nothing of HTTP.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

BOT_ID = 7_000_000_001
BOT_NAME = "svitlo_test_bot"
ANONYMOUS_ID = 1087968824
"""The account in whose name Telegram lets admins of a group write unseen."""

JOINED = ("creator", "administrator", "member", "restricted")
PIN, POST, EDIT, DELETE = "can_pin_messages", "can_post_messages", "can_edit_messages", "can_delete_messages"
TOPICS = "can_manage_topics"
CHANNEL_RIGHTS = frozenset({POST, EDIT, DELETE})
ALL_RIGHTS = frozenset({PIN, POST, EDIT, DELETE, TOPICS, "can_manage_chat", "can_change_info", "can_invite_users"})

_ALWAYS_SAID = (
    "can_be_edited",
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
)
_PERMISSIONS = (
    "can_send_messages",
    "can_send_audios",
    "can_send_documents",
    "can_send_photos",
    "can_send_videos",
    "can_send_video_notes",
    "can_send_voice_notes",
    "can_send_polls",
    "can_send_other_messages",
    "can_add_web_page_previews",
    "can_react_to_messages",
    "can_edit_tag",
    "can_change_info",
    "can_invite_users",
    "can_pin_messages",
    "can_manage_topics",
)


class ApiError(Exception):
    """An answer that is not ok."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status, self.description, self.parameters = status, description, parameters


@dataclass(frozen=True)
class Standing:
    """What somebody is in a chat, and may do there."""

    status: str = "member"
    rights: frozenset[str] = frozenset()

    def may(self, right: str) -> bool:
        return self.status == "creator" or (self.status == "administrator" and right in self.rights)

    def told(self, user: dict[str, Any], *, channel: bool = False) -> dict[str, Any]:
        """As the Bot API tells it."""
        told: dict[str, Any] = {"status": self.status, "user": user}
        match self.status:
            case "creator":
                told |= {"is_anonymous": False}
            case "administrator":
                only = (POST, EDIT) if channel else (PIN, TOPICS)
                told |= {right: right in self.rights for right in (*_ALWAYS_SAID, *only)} | {"is_anonymous": False}
            case "restricted":
                told |= {right: right in self.rights for right in _PERMISSIONS} | {"is_member": True, "until_date": 0}
            case "kicked":
                told |= {"until_date": 0}
        return told


@dataclass
class Seen:
    """A message of the bot's as its chat sees it now (edits applied; of a photo `text` is the caption).

    `at` is `time.monotonic()` of its arrival; `silent`: sent without a sound; `topic` is 0 outside of topics.
    """

    message_id: int
    text: str
    at: float
    buttons: list[dict[str, Any]] = field(default_factory=list)
    edits: int = 0
    silent: bool = False
    topic: int = 0
    markup: dict[str, Any] = field(default_factory=dict)
    kind: str = "text"
    file: bytes | None = None
    file_name: str = ""
    pinned: bool = False
    html: str = ""
    reply_to: int = 0

    @property
    def labels(self) -> list[str]:
        return [button["text"] for button in self.buttons]

    @property
    def keys(self) -> list[dict[str, Any]]:
        """The keys of a reply keyboard."""
        rows = self.markup.get("keyboard", [])
        return [{"text": key} if isinstance(key, str) else key for row in rows for key in row]


@dataclass(frozen=True)
class Entry:
    """One line of a chat's ledger: `sent`, `edited`, `pinned`, `unpinned` or `deleted`, and the text as it was then."""

    what: str
    message_id: int
    text: str
    at: float
    silent: bool = False
    topic: int = 0


@dataclass
class Topic:
    name: str
    closed: bool = False


@dataclass
class Room:
    """A chat. Negative ids that nobody described are supergroups in which the bot is an ordinary member."""

    id: int
    kind: str = "supergroup"
    title: str = ""
    username: str | None = None
    forum: bool = False
    me: Standing = field(default_factory=Standing)
    people: dict[int, Standing] = field(default_factory=dict)
    permissions: frozenset[str] = frozenset({"can_send_messages"})
    topics: dict[int, Topic] = field(default_factory=dict)
    messages: list[Seen] = field(default_factory=list)
    ledger: list[Entry] = field(default_factory=list)
    known: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def chat(self) -> dict[str, Any]:
        if self.kind == "private":
            return {"id": self.id, "type": "private", "first_name": f"Person {self.id}"}
        told: dict[str, Any] = {"id": self.id, "type": self.kind, "title": self.title}
        if self.username:
            told["username"] = self.username
        return told | ({"is_forum": True} if self.forum else {})

    @property
    def full(self) -> dict[str, Any]:
        """The answer of getChat."""
        told = self.chat | {"accent_color_id": 0, "max_reaction_count": 11}
        told["accepted_gift_types"] = dict.fromkeys(
            ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
        )
        if self.kind in ("group", "supergroup"):
            told["permissions"] = {right: right in self.permissions for right in _PERMISSIONS}
        if pinned := [seen for seen in self.messages if seen.pinned]:
            told["pinned_message"] = self.told(pinned[-1])
        return told

    def standing(self, user_id: int) -> Standing:
        return self.me if user_id == BOT_ID else self.people.get(user_id, Standing("left"))

    def told(self, seen: Seen) -> dict[str, Any]:
        """A message of the bot's as the Bot API tells it."""
        told: dict[str, Any] = {"message_id": seen.message_id, "date": int(time.time()), "chat": self.chat}
        told |= {"sender_chat": self.chat} if self.kind == "channel" else {"from": me()}
        if seen.topic:
            told |= {"message_thread_id": seen.topic, "is_topic_message": True}
        if seen.kind == "text":
            told["text"] = seen.text
        elif seen.text:
            told["caption"] = seen.text
        named = {"file_id": f"{seen.kind}-{seen.message_id}", "file_unique_id": f"u{seen.message_id}"}
        if seen.kind == "photo":
            told["photo"] = [named | {"width": 1280, "height": 720, "file_size": len(seen.file or b"")}]
        elif seen.kind == "document":
            told["document"] = named | {"file_name": seen.file_name, "file_size": len(seen.file or b"")}
        if "inline_keyboard" in seen.markup:
            told["reply_markup"] = seen.markup
        return told | self.more

    # What the bot asks of it.

    def check_sending(self, topic: int) -> None:
        """Refuse a new message the bot has no right to."""
        self.check_joined()
        if self.kind == "channel" and not self.me.may(POST):
            raise ApiError(400, "Bad Request: need administrator rights in the channel chat")
        muted = self.me.status == "restricted" and "can_send_messages" not in self.me.rights
        if muted or (self.me.status == "member" and "can_send_messages" not in self.permissions):
            raise ApiError(400, "Bad Request: not enough rights to send text messages to the chat")
        if topic:
            if topic not in self.topics:
                raise ApiError(400, "Bad Request: message thread not found")
            if self.topics[topic].closed and not self.me.may(TOPICS):
                raise ApiError(400, "Bad Request: TOPIC_CLOSED")

    def check_joined(self) -> None:
        if self.kind != "private" and self.me.status not in JOINED:
            kind = "channel" if self.kind == "channel" else self.kind
            done = "was kicked from" if self.me.status == "kicked" else "is not a member of"
            raise ApiError(403, f"Forbidden: bot {done} the {kind} chat")

    def add(self, seen: Seen) -> None:
        self.messages.append(seen)
        self.note("sent", seen)

    def edit(self, message_id: int, changes: dict[str, Any]) -> Seen:
        """Change a message; refuses when that changes nothing or fits its kind badly."""
        self.check_joined()
        seen = self.find(message_id, "edit")
        if self.kind == "channel" and not self.me.may(POST):
            raise ApiError(400, "Bad Request: message can't be edited")
        if all(getattr(seen, name) == value for name, value in changes.items()):
            raise ApiError(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the "
                "same as a current content and reply markup of the message",
            )
        for name, value in changes.items():
            setattr(seen, name, value)
        seen.edits += 1
        self.note("edited", seen)
        return seen

    def delete(self, message_id: int) -> None:
        seen = self.find(message_id, "delete")
        self.messages.remove(seen)
        self.note("deleted", seen)

    def pin(self, message_id: int, *, silent: bool) -> None:
        self._check_pinning()
        seen = self.find(message_id, "pin")
        if not seen.pinned:
            seen.pinned = True
            self.ledger.append(Entry("pinned", message_id, seen.text, time.monotonic(), silent, seen.topic))

    def unpin(self, message_id: int | None) -> None:
        self._check_pinning()
        pinned = [seen for seen in self.messages if seen.pinned]
        if message_id is None and not pinned:
            raise ApiError(400, "Bad Request: message to unpin not found")
        seen = pinned[-1] if message_id is None else self.find(message_id, "unpin")
        if seen.pinned:
            seen.pinned = False
            self.note("unpinned", seen)

    def find(self, message_id: int, what: str) -> Seen:
        seen = next((seen for seen in self.messages if seen.message_id == message_id), None)
        if seen is None:
            raise ApiError(400, f"Bad Request: message to {what} not found")
        return seen

    def note(self, what: str, seen: Seen) -> None:
        self.ledger.append(Entry(what, seen.message_id, seen.text, time.monotonic(), seen.silent, seen.topic))

    def _check_pinning(self) -> None:
        self.check_joined()
        right = EDIT if self.kind == "channel" else PIN
        permitted = self.kind != "channel" and self.me.status == "member" and PIN in self.permissions
        if self.kind != "private" and not self.me.may(right) and not permitted:
            raise ApiError(400, "Bad Request: not enough rights to manage pinned messages in the chat")


def me() -> dict[str, Any]:
    """The bot as a user."""
    return {"id": BOT_ID, "is_bot": True, "first_name": "Svitlo", "username": BOT_NAME}


def person(user_id: int, language: str | None) -> dict[str, Any]:
    """Anybody else as a user."""
    if user_id == ANONYMOUS_ID:
        return {"id": user_id, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    user = {"id": user_id, "is_bot": False, "first_name": f"Person {user_id}"}
    return user | ({"language_code": language} if language else {})
