"""The status LED: one pattern for each state, told apart by eye and described over the telephone."""

import time

import machine

# Milliseconds on, off, on, off, ... and from the start again. None: on all the time.
PATTERNS = {
    "boot": None,  # on all the time
    "wifi": (150, 850),  # one blink a second
    "broker": (150, 200, 150, 1000),  # two blinks, pause of a second
    "online": (80, 4920),  # one short flash every five seconds
    "battery": (80, 170, 80, 170, 80, 4420),  # three short flashes every five seconds
    "setup": (1000, 1000),  # a second on, a second off
    "update": (900, 100),  # on, with a short gap each second
    "denied": (100, 100, 100, 100, 100, 100, 100, 100, 700, 700),  # four fast blinks and a long one
    "config": (100, 100),  # fast, without a pause
    "identify": (500, 100, 100, 100),  # long, short, long, short, without a pause
}


class Lamp:
    """Never waits and never raises; without a LED it does nothing."""

    def __init__(self, config):
        self._pin = None
        self._on = 0 if config.led_inverted else 1
        self._steady = ()
        self._flash = None
        self._begin(())
        if config.led is not None:
            try:
                self._pin = machine.Pin(config.led, machine.Pin.OUT, value=1 - self._on)
            except Exception as error:  # ValueError for a pin that can only be read
                print("lamp: pin %s: %s" % (config.led, error))

    def show(self, name):
        """The steady pattern, by its name; without effect while it is shown already."""
        pattern = PATTERNS.get(name, ())
        if pattern is not self._steady:
            self._steady = pattern
            if self._flash is None:
                self._begin(pattern)

    def flash(self, name, ms):
        """A pattern for a while, then the steady one again."""
        self._flash = time.ticks_add(time.ticks_ms(), ms)
        self._begin(PATTERNS.get(name, ()))

    def tick(self):
        """Go on to what is due. Each step is shown for one tick at least, however late that comes."""
        if self._pin is None:
            return
        now = time.ticks_ms()
        if self._flash is not None and time.ticks_diff(self._flash, now) <= 0:
            self._flash = None
            self._begin(self._steady)
        if self._step is None:
            self._step = 0
            self._since = now
        elif self._pattern and time.ticks_diff(now, self._since) >= self._pattern[self._step]:
            self._step = (self._step + 1) % len(self._pattern)
            self._since = now
        else:
            return
        lit = self._pattern is None or (self._pattern and not self._step & 1)
        try:
            self._pin.value(self._on if lit else 1 - self._on)
        except OSError:
            pass

    def _begin(self, pattern):
        self._pattern = pattern
        self._step = None
