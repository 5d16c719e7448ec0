"""What is read past the MQTT client: the same messages, wherever the stream is cut."""

from __future__ import annotations

import struct

import pytest

from svitlo.wire import take_messages

Message = tuple[str, bytes, bool]
PINGRESP = b"\xd0\x00"


def publish(topic: str, payload: bytes, flags: int = 0) -> bytes:
    name = topic.encode()
    body = struct.pack("!H", len(name)) + name + (b"\x00\x01" if flags & 0x06 else b"") + payload
    length, packet = len(body), bytearray([0x30 | flags])
    while True:
        length, low = divmod(length, 128)
        packet.append(low | (0x80 if length else 0))
        if not length:
            return bytes(packet) + body


def taken(data: bytes) -> tuple[int, list[Message]]:
    messages: list[Message] = []
    return take_messages(data, lambda *message: messages.append(message)), messages


def test_messages_come_out_whole_and_in_order_wherever_the_stream_is_cut() -> None:
    sent = [("a", b"", False), ("b/c", b"x" * 122, True), ("d", b"y" * 125, False), ("світло", b"z" * 16_000, False)]
    stream = b"".join(publish(topic, payload, 1 if retained else 0) for topic, payload, retained in sent)
    for cut in range(len(stream)):
        used, first = taken(stream[:cut])
        rest, second = taken(stream[used:])
        assert (used <= cut, used + rest, first + second) == (True, len(stream), sent)


@pytest.mark.parametrize(
    "other",
    [
        PINGRESP,
        publish("t", b"acknowledge me", 0x02),
        publish("t", b"acknowledge me", 0x02 | 0x01),
        publish("t", b"." * 20_000),
        b"\x30\x00",
        b"\x30\x01\x00",
        b"\x30\x02\x00\x05",
        b"\x30\xff\xff\xff\xff\x01",
        b"\x00\x00",
    ],
)
def test_whatever_else_there_is_is_left_where_it_is(other: bytes) -> None:
    message = publish("t", b"1")
    assert taken(message + other + message) == (len(message), [("t", b"1", False)])


def test_a_topic_that_is_no_text_is_handed_out_to_be_refused() -> None:
    packet = publish("t", b"1").replace(b"t", b"\xff")
    assert taken(packet) == (len(packet), [("\ufffd", b"1", False)])
