"""How many names MicroPython knows before and after the firmware's modules are imported (in its own words)."""

import sys

import micropython
import run

run.fit_umqtt()
sys.path.insert(0, "a")
micropython.qstr_info()
for name in sys.argv[1:]:
    __import__(name)
micropython.qstr_info()
