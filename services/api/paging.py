"""Keyset paging: a cursor names the last row seen, so rows added meanwhile neither repeat nor hide others.

Rows go from the newest start to the oldest, equal starts by id: `(started_lo, id)` descending.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.api.errors import BadCursorError

_LAYOUT = struct.Struct(">q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Position:
    """A place in the list: the start and the id of the last outage seen."""

    started_lo: datetime
    id: UUID


def encode_cursor(position: Position) -> str:
    """The opaque form of a position: 32 characters that need no escaping in a URL."""
    microseconds = (position.started_lo - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(_LAYOUT.pack(microseconds, position.id.bytes)).decode()


def decode_cursor(cursor: str) -> Position:
    """The position a cursor stands for. Raises `BadCursorError` for anything `encode_cursor` did not make."""
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
        microseconds, identity = _LAYOUT.unpack(raw)
        position = Position(_EPOCH + microseconds * _MICROSECOND, UUID(bytes=identity))
    except (ValueError, OverflowError, struct.error) as error:
        raise BadCursorError("The cursor is not one this API gave out. Leave it out to begin at the newest.") from error
    if encode_cursor(position) != cursor:
        raise BadCursorError("The cursor is not one this API gave out. Leave it out to begin at the newest.")
    return position
