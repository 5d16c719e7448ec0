"""The ESP32's machine module, as far as the firmware uses it.

The board's directory is its flash, the folder world in it its surroundings. world/reset_cause holds the number
reset_cause() gives; without it, the power came on. world/rtc_memory is the RTC memory, which then is empty.
"""

import os

import shim_watchdog
from shim_pins import ADC, UART, Pin  # noqa: F401
from shim_watchdog import WDT  # noqa: F401
from umachine import *  # noqa: F403

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5


class Restart(BaseException):
    """What reset() raises; run.py begins a new boot on it."""


def reset_cause():
    return _cause


def reset():
    global _cause
    _cause = HARD_RESET
    shim_watchdog.disarm()
    raise Restart


class RTC:
    def memory(self, data=None):
        if data is None:
            try:
                with open("world/rtc_memory", "rb") as file:
                    return file.read()
            except OSError:
                return b""
        with open("world/rtc_memory", "wb") as file:
            file.write(data)


def _begin():
    try:
        os.mkdir("world")
    except OSError:
        pass
    try:
        with open("world/reset_cause") as file:
            return int(file.read())
    except OSError:
        pass
    try:
        os.remove("world/rtc_memory")
    except OSError:
        pass
    return PWRON_RESET


_cause = _begin()
