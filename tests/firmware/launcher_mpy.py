"""Starts the launcher on fake slots, as often as told, and says what each boot ran and how it ended.

plan maps a version to what its run() does: an exit code, "crash" or "crash late", "restart", "ctrl-c", or "prove": it
confirms its trial, then crashes.
"""

import gc
import json
import sys
import time

import machine

STATE = "state/slots"


class Fake:
    """What the fake firmware finds as `import fake`."""

    plan = None
    ran = None

    @staticmethod
    def run(version, slot):
        Fake.ran.append([version, slot.name, slot.trial])
        if callable(Fake.plan):
            return Fake.plan(version, slot)
        step = Fake.plan.get(version, 0)
        if step == "prove":
            import store

            store.write("slots", json.dumps({"active": slot.name, "trial": None, "tries": 0}).encode())
        if step == "crash late":
            time.ticks_offset += 11_000
        if step in ("prove", "crash", "crash late"):
            raise ValueError("version %s\nfails" % version)
        if step == "restart":
            raise machine.Restart
        if step == "ctrl-c":
            raise KeyboardInterrupt
        return step


class Dog:
    armed = 0

    def __init__(self, timeout):
        Dog.armed += 1

    def feed(self):
        pass


def boot():
    """One boot, as run.py makes it: {"ran": what app.run() was called, "end": exit code or "restart"}."""
    before = set(sys.modules)
    path = list(sys.path)
    Fake.ran = []
    Dog.armed = 0
    import main

    main.PAUSE_S = 0
    try:
        end = main.run()
    except machine.Restart:
        end = "restart"
    except KeyboardInterrupt:
        end = "ctrl-c"
    finally:  # a test may cut the power
        for name in set(sys.modules) - before:
            del sys.modules[name]
        sys.path[:] = path
        gc.collect()
    return {"ran": Fake.ran, "end": end, "armed": Dog.armed}


def damaged(state):
    """Boots with the state file cut short and changed at every byte: what ran each time."""
    seen = []
    for at in range(len(state)):
        for data in (state[:at], state[:at] + bytes([state[at] ^ 0x21]) + state[at + 1 :]):
            with open(STATE, "wb") as file:
                file.write(data)
            seen.append(boot()["ran"])
    return seen


def crumble():
    """Leave plenty of heap, and no 4 KiB of it in one piece; what holds it so."""
    held = []
    try:
        while True:
            held.append(bytearray(2_000))
    except MemoryError:
        pass
    for at in range(0, len(held), 2):
        held[at] = None
    return held


def state():
    try:
        with open(STATE, "rb") as file:
            return json.loads(file.read()[:-4])
    except OSError:
        return None


sys.modules["fake"] = Fake
sys.path.insert(0, "flat")
machine.WDT = Dog

if __name__ == "__main__":
    Fake.plan = json.loads(sys.argv[2])
    if sys.argv[1] == "damaged":
        with open(STATE, "rb") as file:
            print(json.dumps(damaged(file.read())))
    else:
        held = crumble() if "crumbled" in sys.argv else None
        boots = []
        for _ in range(int(sys.argv[1])):
            boots.append(boot())
            boots[-1]["state"] = state()
        print(json.dumps(boots))
