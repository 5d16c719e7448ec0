"""Runs set-up mode until it resets the board.

Arguments: what went wrong before; in milliseconds the patience with nobody and with a caller (0: as it is), and how
long the last page stays.
"""

import gc
import json
import sys

import portal
import web
from network import _world

ERROR = sys.argv[1]
if sys.argv[2] != "0":
    portal.PATIENCE_MS = int(sys.argv[2])
if sys.argv[3] != "0":
    web.READ_MS = int(sys.argv[3])
portal.RESTART_MS = int(sys.argv[4])


class Reset(Exception):
    pass


class Board:
    fed = 0
    relaxed = False

    def feed(self):
        self.fed += 1

    def tick(self):
        pass

    def relax(self):
        self.relaxed = True

    def reset(self):
        raise Reset


class Lamp:
    ticks = 0

    def __init__(self):
        self.shown = []

    def show(self, name):
        self.shown.append(name)

    def tick(self):
        self.ticks += 1


class Button:
    def tick(self):
        pressed = _world("button")
        if pressed == "ctrl-c":
            raise KeyboardInterrupt
        return pressed or None


board = Board()
lamp = Lamp()
lines = []
reset = False
try:
    portal.run(board, lamp, Button(), lines.append, ERROR or None)
except Reset:
    reset = True
except KeyboardInterrupt:
    pass
gc.collect()
answer = {
    "reset": reset,
    "fed": board.fed,
    "relaxed": board.relaxed,
    "ticks": lamp.ticks,
    "shown": lamp.shown,
    "lines": lines,
    "free": gc.mem_free() // 2,
}
print(json.dumps(answer))
