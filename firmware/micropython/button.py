"""The button: pressed shortly or for long, never waited for."""

import time

import machine

DEBOUNCE_MS = 20
SHORT_MS = 1_000
LONG_MS = 5_000
STUCK_MS = 1_000  # nobody knows what the finger did while the loop stood still


class Button:
    """One button to ground, with the chip's own pull-up; without one, or when it fails, nothing is ever pressed."""

    def __init__(self, config):
        self._pin = None
        self._level = 0  # what the last look saw
        self._since = self._last = time.ticks_ms()  # since when it sees that
        # Held from before the boot it says nothing: a boot pin is held to load firmware, and a stuck one for ever.
        self._ready = False  # it was seen released
        self._pressed = None  # since when it is down, None while it is up or its press is used up
        self._brief = True  # the press was watched from its begin
        if config.button is not None:
            try:
                self._pin = machine.Pin(config.button, machine.Pin.IN, machine.Pin.PULL_UP)
            except Exception as error:
                print("button: pin %s: %s" % (config.button, error))

    def tick(self):
        """None, "short" (released within a second) or "long" (down for five seconds, told while it still is)."""
        if self._pin is None:
            return None
        now = time.ticks_ms()
        try:
            level = self._pin.value()
        except OSError:
            return None
        stuck = time.ticks_diff(now, self._last) > STUCK_MS
        self._last = now
        if stuck or level != self._level:
            self._level = level
            self._since = now
            if stuck and self._pressed is not None:
                self._pressed = now
                self._brief = False
            return None
        if time.ticks_diff(now, self._since) < DEBOUNCE_MS:
            return None
        return self._released() if level else self._held(now)

    def _released(self):
        self._ready = True
        pressed, self._pressed = self._pressed, None
        if pressed is not None and self._brief and time.ticks_diff(self._since, pressed) < SHORT_MS:
            return "short"
        return None

    def _held(self, now):
        if self._ready:
            self._ready = False
            self._pressed = self._since
            self._brief = True
        if self._pressed is not None and time.ticks_diff(now, self._pressed) >= LONG_MS:
            self._pressed = None
            return "long"
        return None
