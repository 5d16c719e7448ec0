"""Mains with a PZEM-004T on a wire that answers as told; prints what came of each question.

wire.json: {"every": ms between looks, "answers": [[[ms after the question, hex], ...], ...]}. In place of hex, "error"
and "fail": then reading fails, or the writing of the question. Each question takes the next answer; the script
ends "after" ms without any left. "sticks": [[at ms, for ms], ...]. In a time of its own, unless "live".
"""

import binascii
import json
import sys
import time

import machine

now = (1 << 30) - 3000  # soon over the wrap
questions = []


class Wire:
    def __init__(self, id, baudrate, tx, rx, timeout):
        self.came = b""
        self.due = []

    def _arrive(self):
        while self.due and self.due[0][0] <= now:
            piece = self.due.pop(0)[1]
            if piece == "error":
                raise OSError(5)
            self.came += piece

    def any(self):
        self._arrive()
        return len(self.came)

    def read(self, size):
        self._arrive()
        piece, self.came = self.came[:size], self.came[size:]
        return piece or None

    def write(self, data):
        questions.append([now - began, binascii.hexlify(data).decode()])
        for ms, piece in answers.pop(0) if answers else []:
            if piece == "fail":
                raise OSError(5)
            self.due.append((now + ms, piece if piece == "error" else binascii.unhexlify(piece)))


class Config:
    mains = None
    ethernet = None
    pzem = {  # noqa: RUF012
        "uart": 2,
        "tx": 17,
        "rx": 16,
        "mains": True,
        "on_above_v": 100,
    }


def report(sensor, ms):
    meter = sensor._pzem
    return [ms, sensor.state, sensor.volts, list(meter.counts[1:])]


lines = []
if sys.argv[1] == "live":
    from mains import Mains

    sensor = Mains(Config, lines.append)
    wanted = {"there": True, "lost": False}[sys.argv[2]]
    began = time.ticks_ms()
    while sensor.state is not wanted and time.ticks_diff(time.ticks_ms(), began) < 60_000:
        sensor.poll()
        time.sleep_ms(10)
    print(json.dumps(report(sensor, 0)))
else:
    with open("wire.json") as file:
        script = json.load(file)
    answers = script["answers"]
    if "mains" in script:
        Config.pzem["mains"] = script["mains"]
    machine.UART = Wire
    time.ticks_ms = lambda: now & ((1 << 30) - 1)
    from mains import Mains

    began = now
    sensor = Mains(Config, lines.append)
    sticks = script.get("sticks", [])
    seen = []
    told = []
    last = None
    idle = 0
    while idle < script.get("after", 2_100):
        now += script["every"]
        idle = idle + script["every"] if not answers else 0
        if sticks and now - began >= sticks[0][0]:
            now += sticks.pop(0)[1]
        if sensor.poll():
            told.append([now - began, sensor.state])
        new = report(sensor, now - began)
        if last is None or new[1:] != last[1:]:
            seen.append(new)
            last = new
    print(json.dumps({"seen": seen, "told": told, "questions": questions, "lines": lines}))
