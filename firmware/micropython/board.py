"""The board itself: which boot this is, how it began, how long it runs, its clock and its watchdog."""

import binascii
import gc
import os
import struct
import sys
import time

import machine
import network
import store

BOOTS = "boots"
WATCHDOG_MS = 60_000
EPOCH_2000 = 946_684_800  # the ESP32 counts seconds from 2000, the contract from 1970
CLOCK_SET = 1_735_689_600  # 2025-01-01: a clock that shows less was never set
NTP_PATIENCE_MS = 4_000
NTP_FIRST_MS = 60_000  # the pause after a failure, then twice as long each time, up to
NTP_LAST_MS = 3_600_000
NTP_DAILY_MS = 86_400_000
COOKIE = "<4sIII"  # magic, boots, era, the clock when the era began; then their CRC32
MAGIC = b"svt1"
GUESSED = b"svtg"  # the same, and the clock shows a guess
CLOCK = "clock"  # in store: the last time NTP told

# reset_cause() has no word of its own for a brown-out (it reads as power on) nor for a panic (hard).
RESET_CAUSES = (
    ("PWRON_RESET", "power_on"),
    ("BROWNOUT_RESET", "brownout"),
    ("BROWN_OUT_RESET", "brownout"),
    ("HARD_RESET", "hard"),
    ("WDT_RESET", "watchdog"),
    ("DEEPSLEEP_RESET", "deepsleep"),
    ("SOFT_RESET", "soft"),
)


class Board:
    """One boot of one board. `era` names the time since power came, whatever resets it saw."""

    FIRMWARE = "1.0.0"

    def __init__(self):
        self._last = time.ticks_ms()
        self.uptime_ms = 0
        self.boot = binascii.hexlify(os.urandom(4)).decode()
        self._watchdog = None
        self._sntp = None
        self._ntp_pause = NTP_FIRST_MS
        self._ntp_next = 0
        self._begin()

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
        """Seconds since 1970, or None until the clock is set. It goes on through every reset but a loss of power."""
        now = int(time.time())
        if time.gmtime(0)[0] == 2000:
            now += EPOCH_2000
        return now if now >= CLOCK_SET and not self._guessed else None

    def age_s(self):
        """Seconds of this era: since the power came, whatever the clock was set to meanwhile."""
        return max(int(time.time()) - self._base, 0)

    def set_clock(self):
        """Ask NTP when it is time to, and never wait for it; True when the clock is set. Nothing depends on it.

        To be called in each pass of the main loop while the link is up: it counts the pauses itself.
        """
        self.tick()
        if self._sntp or (sys.platform == "esp32" and self.uptime_ms >= self._ntp_next):
            try:
                if not self._sntp:
                    from sntp import Sntp  # for these seconds: it is wanted once a day

                    self._ntp_next = self.uptime_ms + NTP_PATIENCE_MS
                    self._sntp = Sntp(network.ipconfig("dns"))
                epoch = self._sntp.poll()
                if epoch is not None:
                    self._set(epoch, False)
                    store.write(CLOCK, str(epoch).encode())  # once a day
                    self._ntp_pause = NTP_FIRST_MS
                    self._end_ntp(NTP_DAILY_MS)
                elif self.uptime_ms >= self._ntp_next:
                    raise OSError("no answer")
            except Exception:  # no network, a name without an address, a port without ipconfig()
                self._end_ntp(self._ntp_pause)
                self._ntp_pause = min(self._ntp_pause * 2, NTP_LAST_MS)
        return self.epoch() is not None

    def guess_clock(self):
        """Let a clock that nobody can set show the last time that was known; True if there was one.

        It is behind, but certificates of this age are not of the future then. epoch() stays None.
        """
        try:
            if self.epoch() is None and not self._guessed:
                self._set(int(store.read(CLOCK)), True)
        except (TypeError, ValueError):  # None: it was never set
            pass
        return self._guessed

    def _set(self, epoch, guessed):
        if epoch < CLOCK_SET:
            raise ValueError("long past")
        if time.gmtime(0)[0] == 2000:
            epoch -= EPOCH_2000
        date = time.gmtime(epoch)
        before = int(time.time())
        machine.RTC().datetime((date[0], date[1], date[2], date[6], date[3], date[4], date[5], 0))
        self._base += int(time.time()) - before  # a jump of the clock is no time that passed
        self._guessed = guessed
        self._remember()

    def _end_ntp(self, pause_ms):
        if self._sntp:
            self._sntp.close()
            self._sntp = None
            sys.modules.pop("sntp", None)
        self._ntp_next = self.uptime_ms + pause_ms

    def _begin(self):
        """Count the boot, and tell a loss of power from a reset.

        RTC memory outlives every reset but a loss of power. It says when the power was gone where the register does
        not (some boards read a cold start as a watchdog reset), and the count where the flash lost it.
        """
        flash = _stored_boots()
        boots, era, base, self._guessed = _cookie()
        cold = era is None or boots < flash  # a count behind the flash is not of the last boot
        self.boots = max(flash, boots) + 1
        if self.boots > 1_000_000_000:
            self.boots = 1
        if not store.write(BOOTS, str(self.boots).encode()):
            print("cannot store the boot count: the flash is full or fails")
        self.reset_cause = _reset_cause()
        if cold and self.reset_cause in ("watchdog", "hard", "unknown"):
            self.reset_cause = "power_on"
        now = int(time.time())
        if cold or self.reset_cause in ("power_on", "brownout") or now < base:
            era, base = struct.unpack("<I", os.urandom(4))[0], now
            self._guessed = False
        self.era = era
        self._base = base
        self._remember()

    def _remember(self):
        try:
            cookie = struct.pack(COOKIE, GUESSED if self._guessed else MAGIC, self.boots, self.era, max(self._base, 0))
            machine.RTC().memory(cookie + struct.pack("<I", binascii.crc32(cookie)))
        except Exception as error:
            print("no RTC memory:", error)


def _stored_boots():
    try:
        boots = int(store.read(BOOTS) or b"0")
    except ValueError:
        return 0
    return boots if 0 <= boots <= 1_000_000_000 else 0


def _cookie():
    """What RTC memory holds: boots, era, base, whether the clock is a guess; 0, None, 0, False where it is empty."""
    try:
        data = bytes(machine.RTC().memory())
        magic, boots, era, base, crc = struct.unpack(COOKIE + "I", data)
        if magic in (MAGIC, GUESSED) and crc == binascii.crc32(data[:-4]):
            return boots, era, base, magic == GUESSED
    except Exception:  # ValueError: another length; others: a port without such memory
        pass
    return 0, None, 0, False


def _reset_cause():
    code = machine.reset_cause()
    names = [name for constant, name in RESET_CAUSES if getattr(machine, constant, None) == code]
    return names[0] if names else "unknown"
