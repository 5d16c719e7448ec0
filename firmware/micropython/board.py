"""The board itself: which boot this is, how it began, how long it runs, and its watchdog."""

import binascii
import gc
import os
import sys
import time

import machine

BOOTS_PATH = "boots"
WATCHDOG_MS = 60_000
EPOCH_2000 = 946_684_800  # the ESP32 counts seconds from 2000, the contract from 1970
CLOCK_SET = 1_735_689_600  # 2025-01-01: a clock that shows less was never set

# reset_cause() has no word of its own for a brown-out (it reads as power on) nor for a panic (hard).
RESET_CAUSES = (
    ("PWRON_RESET", "power_on"),
    ("BROWNOUT_RESET", "brownout"),
    ("HARD_RESET", "hard"),
    ("WDT_RESET", "watchdog"),
    ("DEEPSLEEP_RESET", "deepsleep"),
    ("SOFT_RESET", "soft"),
)


class Board:
    """One boot of one board."""

    FIRMWARE = "0.1.0"

    def __init__(self):
        self._last = time.ticks_ms()
        self.uptime_ms = 0
        self.boot = binascii.hexlify(os.urandom(4)).decode()
        self.boots = _count_boot()
        self.reset_cause = _reset_cause()
        self._watchdog = None

    def tick(self):
        """Move the uptime on. ticks_ms wraps after 12.4 days, so it is added up in steps."""
        now = time.ticks_ms()
        self.uptime_ms += time.ticks_diff(now, self._last)
        self._last = now

    def feed(self):
        """Tell the watchdog that the main loop turns; the first call arms it."""
        if self._watchdog is None:
            self._watchdog = machine.WDT(timeout=WATCHDOG_MS)
        self._watchdog.feed()

    def relax(self):
        """Leave an hour at the serial console: the ESP32's watchdog can be stretched, not stopped."""
        if self._watchdog is not None:
            try:
                self._watchdog = machine.WDT(timeout=3_600_000)
            except Exception as error:
                print("the watchdog will reset the board in a minute:", error)

    def reset(self):
        """Restart the board."""
        machine.reset()

    def heap(self):
        """Free bytes on the heap."""
        return gc.mem_free()

    def epoch(self):
        """Seconds since 1970, or None until the clock is set."""
        now = int(time.time())
        if time.gmtime(0)[0] == 2000:
            now += EPOCH_2000
        return now if now >= CLOCK_SET else None

    def set_clock(self):
        """Ask NTP once, where the port has it; True when the clock is set. Nothing depends on it."""
        if sys.platform == "esp32" and self.epoch() is None:
            try:
                import ntptime

                ntptime.settime()
            except Exception:  # OSError, OverflowError, ImportError: the next hour will do
                return False
        return self.epoch() is not None


def _count_boot():
    """This boot's number. A file cut short by a power cut starts the count again, it stops nothing."""
    try:
        with open(BOOTS_PATH) as file:
            boots = int(file.read(12)) + 1
    except (OSError, ValueError):
        boots = 1
    if not 1 <= boots <= 1_000_000_000:
        boots = 1
    try:
        with open(BOOTS_PATH + ".new", "w") as file:
            file.write(str(boots))
        os.rename(BOOTS_PATH + ".new", BOOTS_PATH)
    except OSError as error:
        print("cannot store the boot count:", error)
    return boots


def _reset_cause():
    code = machine.reset_cause()
    names = [name for constant, name in RESET_CAUSES if getattr(machine, constant, None) == code]
    cause = names[0] if names else "unknown"
    # Some boards read a cold start as a watchdog reset. RTC memory outlives every reset but a loss of power,
    # so an empty one means the power was gone, whatever the register says.
    memory = machine.RTC()
    if cause in ("watchdog", "hard", "unknown") and memory.memory() == b"":
        cause = "power_on"
    memory.memory(b"svitlo")
    return cause
