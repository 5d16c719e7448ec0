"""The firmware in a hurry: what waits need not, so days pass in minutes. Prints the heap as it goes.

A wait moves the clock on and takes next to no time; what the network takes is real. world/sample_ms says how often
to look.
"""

import gc
import sys
import time

import micropython
import network  # noqa: F401 - a shim too, which only the firmware imports
import run
import utime

run.fit_umqtt()

with open("world/sample_ms") as file:
    every = int(file.read())
passed = 0
due = 0


def sample(name):
    gc.collect()
    print("soak: %s at %d" % (name, passed // 1000))
    micropython.mem_info()


def sleep_ms(ms):
    """A second passes in a millisecond and what the work takes: a broker that answers late must not look dead."""
    global passed, due
    if (passed + ms) // 1000 > passed // 1000:
        utime.sleep(0.001)
    passed += ms
    time.ticks_offset += ms
    if passed >= due:
        sample("running")
        due += every


sample("empty")
time.sleep_ms = sleep_ms
sys.exit(run.boot())
