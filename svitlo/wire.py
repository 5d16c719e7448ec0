"""The one MQTT packet that comes in floods, read in one pass. No input or output."""

from __future__ import annotations

from collections.abc import Callable

_PUBLISH_QOS_0 = 0x30
_ALL_BUT_RETAIN = 0xFE
_RETAIN = 0x01


def take_messages(data: bytes, on_message: Callable[[str, bytes, bool], None]) -> int:
    """Hand out the messages at the head of `data`; returns how many bytes they took.

    It ends at a message that is not all there yet and at any packet that is not a PUBLISH with QoS 0 and at most 16 KiB
    (MQTT 3.1.1, section 3.3; the remaining length, section 2.2.3, is read up to two of its four bytes).
    """
    at, end = 0, len(data)
    while end - at >= 3:
        head, length, start = data[at], data[at + 1], at + 2
        if length & 0x80:
            high, start = data[start], start + 1
            if high & 0x80:
                break
            length = (length & 0x7F) | high << 7
        stop = start + length
        if head & _ALL_BUT_RETAIN != _PUBLISH_QOS_0 or stop > end or length < 2:
            break
        topic = start + 2
        body = topic + (data[start] << 8 | data[start + 1])
        if body > stop:
            break
        on_message(data[topic:body].decode(errors="replace"), data[body:stop], head & _RETAIN == _RETAIN)
        at = stop
    return at
