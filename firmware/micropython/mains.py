"""Whether the mains is there: an optocoupler on a pin, a divider on an ADC, or a PZEM-004T that lives on the mains."""

import sys
import time

import machine

BACK_MS = 500  # a returning mains bounces: reclosers and contactors take some tries
STUCK_MS = 1_000  # after so long without a look, what was seen before says nothing
BLIND_MS = 10_000  # a sensor that fails for so long knows nothing any more
# By chip: the pins whose converter Wi-Fi takes away (of the C3 it never works), and what to take instead. A conversion
# that failed reads as 0 V, which would be a loss of the mains.
ADC2 = {
    "": ((0, 2, 4, 12, 13, 14, 15, 25, 26, 27), "32 to 39"),
    "S3": (range(11, 21), "1 to 10"),
    "C3": ((5,), "0 to 4"),
}


class Debounce:
    """Samples in, a steady state out.

    A pulse counts as well as a level, so "there" is: the last active sample is less than lost_ms old. Time is counted
    from look to look, and a single look stands for a third of the window at most: a loop that stood still has not
    seen the mains missing.
    """

    def __init__(self, lost_ms):
        self.state = None
        self._lost_ms = lost_ms
        self.pause()

    def pause(self):
        """Begin anew: nothing was seen for a while."""
        self._last = None
        self._quiet = 0  # ms since the last active sample, as far as they were watched
        self._there = None  # ms since it came, None while it is away

    def sample(self, now, active):
        """Take in one look; True when the state changed."""
        gap = 0 if self._last is None else time.ticks_diff(now, self._last)
        if gap > STUCK_MS:
            self.pause()
            gap = 0
        self._last = now
        state = self.state
        if self._there is not None:
            self._there += min(gap, BACK_MS // 3)
        if active:
            self._quiet = 0
            if self._there is None:
                self._there = 0
            if self._there >= BACK_MS:
                self._there = BACK_MS  # it has no end to count to
                self.state = True
        elif self._quiet < self._lost_ms:
            self._quiet += min(gap, self._lost_ms // 3 + 1)
            if self._quiet >= self._lost_ms:
                self._there = None
                self.state = False
        return self.state is not state


class Opto:
    """A pin: the level now, or an edge since the last look. A pulse may well fit between two looks."""

    def __init__(self, number, active):
        high = active == "high"
        # Pins 34 to 39 of the plain ESP32 have no resistors of their own; asking for one does no harm.
        self._pin = machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_DOWN if high else machine.Pin.PULL_UP)
        self._active = 1 if high else 0
        self._edge = False
        self._pin.irq(handler=self._on_edge, trigger=machine.Pin.IRQ_RISING if high else machine.Pin.IRQ_FALLING)

    def _on_edge(self, pin):
        self._edge = True  # nothing that needs memory: this may be called anywhere

    def seen(self):
        """Whether it was active at any time since the last call."""
        active = self._pin.value() == self._active
        edge, self._edge = self._edge, False
        return active or edge


class Divider:
    """A voltage, with 10 % between going and coming back."""

    def __init__(self, number, lost_below_mv, debounce):
        self._adc = machine.ADC(machine.Pin(number), atten=machine.ADC.ATTN_11DB)  # up to 3.1 V
        self._lost_below_uv = lost_below_mv * 1000
        self._debounce = debounce

    def seen(self):
        """Whether the voltage is there now."""
        limit = self._lost_below_uv
        if self._debounce.state is False:
            limit += limit // 10
        return self._adc.read_uv() >= limit


class Mains:
    """The sensors that config names. One that cannot be used is logged and left out."""

    def __init__(self, config, log):
        self._log = log
        self._seen = None  # what to ask for a sample
        self._pzem = None
        self._on_above_v = None  # None: the meter only measures
        self._said = None  # what the meter's last answer means, while it contradicts `state`
        self._failing = None  # since when samples fail
        self._told = True  # that the mains is there is no news
        self.state = None
        self._debounce = Debounce(config.mains["debounce_ms"] if config.mains else 0)
        if config.mains:
            self._fit("mains", self._fit_pin, config)
        if config.pzem:
            self._fit("pzem", self._fit_pzem, config)
        self.poll_ms = 10 if self._seen else 100

    @property
    def fitted(self):
        """Whether there is any sensor to ask."""
        return self._seen is not None or self._pzem is not None

    @property
    def volts(self):
        """The mains voltage, at most 10 s old, or None."""
        return self._pzem.volts if self._pzem else None

    def poll(self):
        """Look; True when the mains was lost or came back. That it is there when the board starts is neither."""
        if self._seen:
            self._look()
        if self._pzem:
            self._ask_pzem()
        if self.state is None or self.state == self._told:
            return False
        self._told = self.state
        if self._pzem and not self.state:
            self._pzem.volts = None  # of before
        return True

    def _look(self):
        now = time.ticks_ms()
        try:
            active = self._seen()
        except Exception as error:  # OSError from the driver; whatever it is, the board must live
            self._fail(now, error)
            return
        if self._failing is not None:
            self._failing = None
            self._log("mains: the sensor works again")
        if self._debounce.sample(now, active):
            self.state = self._debounce.state

    def _fail(self, now, error):
        self._debounce.pause()
        if self._failing is None:
            self._failing = now
            self._log("mains: the sensor fails: %s" % error)
        elif self.state is not None and time.ticks_diff(now, self._failing) >= BLIND_MS:
            self.state = self._debounce.state = None

    def _ask_pzem(self):
        pzem = self._pzem
        outcome = pzem.tick()
        if not outcome or self._on_above_v is None or self._seen:
            return
        # No answer: no mains. An answer without a voltage needed the mains to be sent.
        there = pzem.volts >= self._on_above_v if outcome == pzem.GOOD else outcome == pzem.ALIVE
        if there == self.state:
            self._said = None
        elif there == self._said:
            self.state = there
            self._said = None
        else:  # one frame may be lost, two in a row are not
            self._said = there
            pzem.again()

    def _fit(self, name, fit, config):
        try:
            fit(config)
        except Exception as error:  # ValueError for a pin that cannot do it, OSError from the driver
            self._log("%s: not used: %s" % (name, error))

    def _fit_pin(self, config):
        mains = config.mains
        if mains["kind"] == "adc":
            pins, instead = ADC2.get(chip(), ((), ""))
            if mains["pin"] in pins and not config.ethernet:
                raise ValueError("pin %d cannot measure while Wi-Fi is on, take one of %s" % (mains["pin"], instead))
            self._seen = Divider(mains["pin"], mains["lost_below_mv"], self._debounce).seen
        else:
            self._seen = Opto(mains["pin"], mains["active"]).seen

    def _fit_pzem(self, config):
        from pzem import Pzem  # here: most boards have none, and memory is short

        options = config.pzem
        uart = machine.UART(options["uart"], baudrate=9600, tx=options["tx"], rx=options["rx"], timeout=0)
        self._pzem = Pzem(uart)
        if options["mains"]:
            self._on_above_v = options["on_above_v"]


def chip(machine_name=None):
    """S2, S3, C3, ...; empty for the ESP32 without a letter and a digit, None where it is no ESP32."""
    name = (machine_name or getattr(sys.implementation, "_machine", "")).split(" with ")[-1].upper().replace("-", "")
    if not name.startswith("ESP32"):
        return None
    return name[5:7] if name[5:7] in ("S2", "S3", "C2", "C3", "C5", "C6", "H2", "P4") else ""
