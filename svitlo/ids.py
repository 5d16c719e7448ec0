"""Identifiers that sort by time."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID


def uuid7(now: datetime) -> UUID:
    """A UUID version 7 for `now` (aware): 48 bits of Unix milliseconds, then random (RFC 9562, section 5.7)."""
    milliseconds = int(now.timestamp() * 1000) & (2**48 - 1)
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)


_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def random_word(length: int) -> str:
    """An unguessable word of 5 bits a character, without characters that read alike."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
