"""What can be wrong with a message. Contracts import nothing of ours, so their errors live here."""

from __future__ import annotations

from enum import StrEnum


class Malformed(StrEnum):
    """Why a message was refused; the word counted, logged and kept in quarantine."""

    TOPIC = "topic"
    OVERSIZE = "oversize"
    ENCODING = "encoding"
    SYNTAX = "syntax"
    VERSION = "version"
    CONTENT = "content"


class ContractError(Exception):
    """A message breaks the wire contract."""

    def __init__(self, reason: Malformed, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class TopicError(ContractError):
    """The topic is not one of ours."""


class PayloadError(ContractError):
    """The payload is not what its topic promises."""
