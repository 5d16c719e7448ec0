"""Drives one Link against whatever listens on the port: what came of it, and after how long."""

import errno
import json
import sys
import time

import run

run.fit_umqtt()

from link import Link  # noqa: E402 - umqtt has to be fitted first


class Config:
    device_id = "d"
    password = "p"
    host = "127.0.0.1"
    port = int(sys.argv[1])
    tls = False
    ca = None
    keepalive_s = int(sys.argv[3])


seen = []


def poll(link):
    deadline = time.ticks_add(time.ticks_ms(), 8000)
    while time.ticks_diff(deadline, time.ticks_ms()) > 0:
        link.poll()
        if any(topic == "end" for topic, _ in seen):
            return
        time.sleep_ms(20)


def publish(link):
    link.publish(b"t", b"m", qos=1)


def wrap(link):
    link._client.pid = 65_533
    for _ in range(4):
        link.publish(b"t", b"m", qos=1)


def subscribe(link):
    link.subscribe(b"t")


def still_while_reading(link, nothing_yet=errno.EAGAIN):
    """Publish, and stand still for longer than the deadline while waiting for the answer; it comes meanwhile."""
    channel = link._channel
    take = channel._take

    def late(size):
        channel._take = take
        time.sleep_ms(Config.keepalive_s * 1000 + 300)
        raise OSError(nothing_yet)

    channel._take = late
    publish(link)


def still_while_reading_esp32(link):
    """The same, with what the ESP32 says at the end of a time-out of 100 ms or more."""
    still_while_reading(link, errno.ETIMEDOUT)


def still_while_writing(link):
    """Publish, and stand still between that and the first look for the answer."""
    channel = link._channel
    flush = channel.flush

    def slow():
        channel.flush = flush
        flush()
        time.sleep_ms(Config.keepalive_s * 1000 + 300)

    channel.flush = slow
    publish(link)


def nothing(link):
    pass


def idle(link):
    """Talk to nobody, as a main loop stuck elsewhere does."""
    link.publish(b"t", b"m")
    link.disconnect()


link = Link(Config, Config, lambda topic, payload: seen.append((topic.decode(), len(payload))), lambda: None)
began = time.ticks_ms()
result = {"step": "connect"}
try:
    link.connect(b"will", b"gone")
    result["step"] = sys.argv[2]
    began = time.ticks_ms()
    globals()[sys.argv[2]](link)
    result["error"] = None
except OSError as error:
    result["error"] = str(error)
    result["kind"] = type(error).__name__
result["ms"] = time.ticks_diff(time.ticks_ms(), began)
result["greeted"] = link.greeted
result["seen"] = seen
link.drop()
link.drop()
print(json.dumps(result))
