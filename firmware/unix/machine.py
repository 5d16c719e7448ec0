"""The ESP32's machine module, as far as the firmware uses it.

The file reset_cause in the board's directory holds the number reset_cause() gives; without it, the power
came on. The file rtc_memory is the RTC memory, which then is empty.
"""

import os

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
    raise Restart


class RTC:
    def memory(self, data=None):
        if data is None:
            try:
                with open("rtc_memory", "rb") as file:
                    return file.read()
            except OSError:
                return b""
        with open("rtc_memory", "wb") as file:
            file.write(data)


class WDT:
    """Never bites: a stopped process stands for a dead link or a hung board, as the test has it."""

    def __init__(self, id=0, timeout=5000):
        pass

    def feed(self):
        pass


def _begin():
    try:
        with open("reset_cause") as file:
            return int(file.read())
    except OSError:
        pass
    try:
        os.remove("rtc_memory")
    except OSError:
        pass
    return PWRON_RESET


_cause = _begin()
