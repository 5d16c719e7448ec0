"""Presses the button, in a time of its own; prints what it told, and when.

script.json: {"button": pin, "every": ms, "steps": [[level or "error" or null, for ms], ["stick", ms], ...]}
"""

import json
import time

import machine

now = (1 << 30) - 2500
time.ticks_ms = lambda: now & ((1 << 30) - 1)
level = 1


class Pin:
    IN = 1
    PULL_UP = 2

    def __init__(self, number, mode, pull):
        if number > 39:
            raise ValueError("invalid pin")

    def value(self):
        if level == "error":
            raise OSError(5)
        return level


machine.Pin = Pin

from button import Button  # noqa: E402 - it shall see this clock and this pin


class Config:
    pass


with open("script.json") as file:
    script = json.load(file)
config = Config()
config.button = script["button"]
told = []
began = now
button = None
for step in script["steps"]:
    if step[0] == "stick":
        now += step[1]
        continue
    level = step[0]
    if button is None:
        button = Button(config)
    until = now + step[1]
    while now < until:
        now += script["every"]
        word = button.tick()
        if word:
            told.append([now - began, word])
print(json.dumps(told))
