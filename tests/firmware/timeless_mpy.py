"""A life in which certificates are refused until the clock is right: what the firmware does about the time."""

import json
import sys

import run

run.fit_umqtt()

import link  # noqa: E402 - umqtt has to be fitted first
import supervisor  # noqa: E402
from board import Board  # noqa: E402
from channel import LinkError  # noqa: E402


class Config:
    device_id = "demo-1"
    password = "p"
    update_key = ca = ethernet = led = button = mains = pzem = None
    led_inverted = tls = False
    host = "127.0.0.1"
    port = 1
    ssid = "home"
    wifi_password = ""
    interval_s = keepalive_s = 5


class Light:
    def show(self, name):
        pass

    def tick(self):
        pass


class Clockless(Board):
    """In the year 2000. NTP answers where the first argument says so; else there is the time of the last boot."""

    asked = 0
    now = None
    guesses = 0

    def epoch(self):
        return self.now

    def set_clock(self):
        self.asked += 1
        if sys.argv[1] == "answers" and self.asked > 3:
            self.now = 1_795_000_000
        return self.now is not None

    def guess_clock(self):
        self.guesses += 1
        return True


board = Clockless()
attempts = []
lines = []


def connect(self, topic, will):
    attempts.append([board.now is not None, board.guesses])
    if len(attempts) == 3:
        raise KeyboardInterrupt
    if board.now is None and not board.guesses:
        raise LinkError("certificate not accepted: starts in the future")
    raise LinkError("another error")


link.Link.connect = connect
supervisor.CLOCK_MS = 1_000
supervisor.BACKOFF_MS = (200,)
supervisor.Supervisor(Config, board, Light(), Light(), lines.append).run()
print(json.dumps({"attempts": attempts, "asked": board.asked, "guessed": any("last one known" in x for x in lines)}))
