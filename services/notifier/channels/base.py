"""What a channel is, and its errors.

ChannelError
├── TryLaterError            nothing wrong with the message: network, server fault, time-out
│   └── FloodError           too many messages: the whole channel waits
├── ChannelClosedError       the channel refuses us altogether (wrong token)
├── ChatGoneError            the chat cannot be reached any more (blocked, deleted, kicked out)
├── ChatMovedError           the chat has another id now
└── MessageRefusedError      this message will never be taken
    ├── MessageLostError     the message to change is not there any more, or not ours
    └── NoRightError         the chat's admins do not let us do that
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from svitlo.contracts import EventKind
from svitlo.errors import SvitloError


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a chat is: the platform's number, the topic within (0: none), or for a target its own address, which may
    be a secret."""

    chat_id: int
    topic_id: int = 0
    target: str | None = None


@dataclass(frozen=True)
class Button:
    """A button under a message, and what the bot hears when it is pressed (at most 64 bytes)."""

    label: str
    data: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message: its text in the channel's markup, or that of the picture (PNG) it goes with.

    `silent`: it makes no sound. `buttons` stand in rows; channels that know none leave them out, as those without
    pictures leave out the picture.
    """

    text: str
    silent: bool = False
    buttons: tuple[tuple[Button, ...], ...] = ()
    photo: bytes | None = None


class Channel(Protocol):
    """Somewhere messages go."""

    platform: str

    def escape(self, text: str) -> str:
        """Make text safe to stand in a message."""
        ...

    async def send(self, chat: Address, said: Said, kind: EventKind | None = None) -> int | None:
        """Deliver one message and return the channel's id of it, if it has one. Raises `ChannelError`.

        `kind` is that of the newest event the message tells of; None if it tells of none.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class ChannelError(SvitloError):
    """A message was not delivered; the text says why and holds no secret."""


class TryLaterError(ChannelError):
    """It may work later; `maybe_told`: it may even have worked, and only the answer was lost."""

    def __init__(self, reason: str, *, maybe_told: bool = False) -> None:
        super().__init__(reason)
        self.maybe_told = maybe_told


class FloodError(TryLaterError):
    """Nothing may be sent for `retry_after_s` seconds."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class ChannelClosedError(ChannelError):
    """The channel refuses us; only its configuration can change that."""


class ChatGoneError(ChannelError):
    """The chat cannot be reached until someone there comes back to us."""


class ChatMovedError(ChannelError):
    """The chat lives on under `chat_id`."""

    def __init__(self, reason: str, chat_id: int) -> None:
        super().__init__(reason)
        self.chat_id = chat_id


class MessageRefusedError(ChannelError):
    """The channel will never take this message."""


class MessageLostError(MessageRefusedError):
    """The message to change is not there any more, or not ours."""


class NoRightError(MessageRefusedError):
    """The chat's admins do not let us do that."""
