"""Ctrl-C that reaches the thread of the desktop's watchdog in place of the main one."""

import json

import shim_watchdog
import utime


class Pressed:
    """The time, for the watchdog's thread: its first sleep is interrupted."""

    times = 1

    def ticks_ms(self):
        return utime.ticks_ms()

    def sleep(self, seconds):
        if self.times:
            self.times = 0
            raise KeyboardInterrupt
        utime.sleep(seconds)


shim_watchdog.utime = Pressed()
shim_watchdog.WDT(timeout=60_000)
heard = False
try:
    utime.sleep(5)
except KeyboardInterrupt:
    heard = True
print(json.dumps({"heard": heard}))
