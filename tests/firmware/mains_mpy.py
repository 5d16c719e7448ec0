"""Plays a script of things that befall the mains sensors, in a time of its own; prints what Mains made of them.

script.json: {"config": ..., "steps": [["world", name, value], ["poll", every ms, for ms], ["stick", ms], ...]}
trains: lines of space-separated "ms level edge" for the debounce; answers in the file states.
"""

import json
import os
import sys
import time

import machine
import micropython
import shim_pins

now = (1 << 30) - 700  # soon over the wrap
time.ticks_ms = lambda: now & ((1 << 30) - 1)

import mains  # noqa: E402 - it shall see this clock


class Clock:
    def time_ns():
        return now * 1_000_000


shim_pins.utime = Clock


class Config:
    mains = None
    pzem = None
    ethernet = None


def pass_time(ms):
    global now
    now += ms


def world(name, value):
    if value is None:
        os.remove("world/" + name)
    else:
        with open("world/" + name, "w") as file:
            file.write(value)


def play(script):
    began = now
    config = Config()
    for name, value in script["config"].items():
        setattr(config, name, value)
    if script.get("machine"):
        real = mains.chip
        mains.chip = lambda: real(script["machine"])
    lines = []
    seen = []
    sensor = None
    for step in script["steps"]:
        if step[0] == "world":
            world(step[1], step[2])
            continue
        if sensor is None:
            sensor = mains.Mains(config, lines.append)
        if step[0] == "stick":
            pass_time(step[1])
            continue
        until = now + step[2]
        while now < until:
            pass_time(step[1])
            before = sensor.state
            told = sensor.poll()
            if told or sensor.state is not before:
                seen.append([now - began, sensor.state, told])
    sensor = sensor or mains.Mains(config, lines.append)
    return {"seen": seen, "lines": lines, "fitted": sensor.fitted, "poll_ms": sensor.poll_ms, "state": sensor.state}


class Wire:
    """A pin whose level and edges come out of a train."""

    IN = PULL_UP = PULL_DOWN = IRQ_FALLING = IRQ_RISING = 1

    def __init__(self, number, mode, pull):
        self.handler = None

    def irq(self, handler, trigger):
        Wire.handler = handler

    def value(self):
        return Wire.level


def debounce(lost_ms):
    machine.Pin = Wire
    config = Config()
    config.mains = {"kind": "gpio", "pin": 4, "active": "high", "debounce_ms": lost_ms}
    with open("trains") as trains, open("states", "w") as states:
        for line in trains:
            sensor = mains.Mains(config, print)
            for look in line.split():
                ms, Wire.level, edge = [int(number) for number in look.split(",")]
                pass_time(ms)
                if edge:
                    micropython.heap_lock()  # an interrupt has no memory
                    Wire.handler(None)
                    micropython.heap_unlock()
                sensor.poll()
                states.write("?" if sensor.state is None else str(int(sensor.state)))
            states.write("\n")


if sys.argv[1] == "debounce":
    debounce(int(sys.argv[2]))
    print("null")
elif sys.argv[1] == "chips":
    print(json.dumps([mains.chip(name) for name in sys.argv[2:]]))
else:
    with open("script.json") as file:
        print(json.dumps(play(json.load(file))))
