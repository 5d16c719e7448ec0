"""Shows what the lamp is told, in a time of its own; prints when it went on and off.

script.json: {"config": ..., "every": ms, "steps": [["show", name], ["flash", name, ms], ["tick", ms], ["break"], ...]}
"""

import json
import time

import machine

now = (1 << 30) - 1500
time.ticks_ms = lambda: now & ((1 << 30) - 1)
broken = False
changes = []


class Led:
    OUT = 3

    def __init__(self, number, mode, value):
        if number >= 34:
            raise ValueError("pin can only be input")
        self.level = value
        changes.append([0, value])

    def value(self, level):
        if broken:
            raise OSError(5)
        if level != self.level:
            self.level = level
            changes.append([now - began, level])


machine.Pin = Led

import lamp as module  # noqa: E402 - it shall see this clock and this pin


class Config:
    pass


with open("script.json") as file:
    script = json.load(file)
config = Config()
config.led = script["led"]
config.led_inverted = script.get("inverted", False)
began = now
lamp = module.Lamp(config)
for step in script["steps"]:
    if step[0] == "show":
        lamp.show(step[1])
    elif step[0] == "flash":
        lamp.flash(step[1], step[2])
    elif step[0] == "break":
        broken = not broken
    else:
        until = now + step[1]
        while now < until:
            now += script.get("every", 10)
            lamp.tick()
print(json.dumps({"changes": changes, "patterns": module.PATTERNS}))
