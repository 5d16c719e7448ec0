"""The desktop's watchdog: it bites when the main thread hangs, in Python or in a call that never returns.

A bite ends the process as a reset ends a chip's program: nothing is closed, no goodbye, no will taken back. It leaves
world/bitten, so that whoever started the board can tell. world/watchdog holds "off", or milliseconds that stand for
the time the firmware asks for.

It counts in short steps: the time of a process that is stopped (SIGSTOP, the tests' frozen board) does not add up.
"""

import _thread
import os

import utime

# MicroPython has no kill() of its own; the parent of the shell is us.
_BITE = "echo bitten > world/bitten; echo 'watchdog: not fed, reset'; kill -9 $PPID"

_limit_ms = 0  # 0: not armed
_fed = 0


class WDT:
    """The last one made counts, as on the chip."""

    def __init__(self, id=0, timeout=5000):
        global _limit_ms
        self.feed()
        started, _limit_ms = _limit_ms, _wanted(timeout)
        if _limit_ms and not started:
            _thread.start_new_thread(_watch, ())

    def feed(self):
        global _fed
        _fed += 1


def disarm():
    """What a reset of the chip does: the watchdog waits for the next boot to want it."""
    global _limit_ms
    _limit_ms = 0


def _wanted(timeout):
    try:
        with open("world/watchdog") as file:
            text = file.read().strip()
        return 0 if text == "off" else int(text)
    except OSError:
        return timeout


def _watch():
    # Nothing here may need the heap, which a hanging program may have filled: small numbers and constants only.
    seen = _fed
    since = 0
    last = utime.ticks_ms()
    while _limit_ms:
        step = 1000 if _limit_ms > 20_000 else 50
        utime.sleep(1.0 if step == 1000 else 0.05)
        now = utime.ticks_ms()
        if _fed != seen:
            seen = _fed
            since = 0
        else:
            since += min(now - last, 2 * step)
        last = now
        if _limit_ms and since >= _limit_ms:
            os.system(_BITE)
