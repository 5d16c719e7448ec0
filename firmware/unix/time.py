"""The ESP32's clock: ticks_ms wraps at 2^30 (12.4 days), and time counts whole seconds from the year 2000.

Ctrl-C is a byte on standard input here, looked for at each sleep. The signal would not do: it breaks off MicroPython
1.28 wherever it is, in C too: some crash (in the moment the thread of the watchdog begins), some hang.
"""

import select
import sys

import utime
from utime import *  # noqa: F403

_PERIOD = 1 << 30
_EPOCH = 946_684_800

ticks_offset = 0  # for tests: moves ticks_ms, so that the wrap need not be waited for


def ticks_ms():
    return (utime.ticks_ms() + ticks_offset) & (_PERIOD - 1)


def ticks_add(ticks, delta):
    return (ticks + delta) & (_PERIOD - 1)


def ticks_diff(end, start):
    diff = (end - start) & (_PERIOD - 1)
    return diff - _PERIOD if diff >= _PERIOD >> 1 else diff


_console = select.poll()
_console.register(sys.stdin, select.POLLIN)


def sleep_ms(ms):
    utime.sleep(ms / 1000)  # the unix port's own wakes 2000 times a second
    for _ in _console.ipoll(0):
        key = sys.stdin.buffer.read(1)
        if key == b"\x03":
            raise KeyboardInterrupt
        if not key:  # nobody is at the console, or not any more
            _console.unregister(sys.stdin)


def time():
    return int(utime.time()) - _EPOCH


def gmtime(seconds=None):
    return utime.gmtime((time() if seconds is None else seconds) + _EPOCH)


def localtime(seconds=None):
    return utime.localtime((time() if seconds is None else seconds) + _EPOCH)


def mktime(date):
    return int(utime.mktime(date)) - _EPOCH
