"""Imports what a beating board has imported, a module after the other; prints the bytes of heap each one took."""

import gc
import json
import sys

import network  # noqa: F401 - a shim too, which only the firmware imports
import run

run.fit_umqtt()
sys.path.insert(0, "a")
sys.modules["slot"] = type("Slot", (), {"name": "a", "trial": False})


def used():
    gc.collect()
    return gc.mem_alloc()


took = []
before = used()
for name in sys.argv[1:]:
    __import__(name)
    now = used()
    took.append((name, now - before))
    before = now
print(json.dumps(took))
