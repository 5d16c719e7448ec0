"""Mains, button and lamp: what the board looks at while it waits."""

POLL_MS = 100
HERE_MS = 5_000


class Senses:
    """look() as often as poll_ms says. mains: True, False, or None where no sensor is fitted or knows."""

    def __init__(self, config, lamp, button, log):
        self._lamp = lamp
        self._button = button
        self._log = log
        self._sensor = None
        self.poll_ms = POLL_MS
        self.mains = None
        self.was_known = False  # there was a word of the mains before the last change
        self.set_up = False  # the button asks for set-up mode
        if config.mains or config.pzem:
            from mains import Mains  # where no sensor is fitted its code is not worth its heap

            self._sensor = Mains(config, log)
            self.poll_ms = self._sensor.poll_ms

    @property
    def volts(self):
        """The mains voltage, or None."""
        return self._sensor.volts if self._sensor else None

    def look(self):
        """True when the mains was lost or came back."""
        self._lamp.tick()
        pressed = self._button.tick()
        if pressed == "short":
            self._log("button: here I am")
            self._lamp.flash("identify", HERE_MS)
        elif pressed == "long":
            self._log("button: set-up mode")
            self.set_up = True
        if self._sensor is None:
            return False
        known = self.mains is not None
        changed = self._sensor.poll()
        self.mains = self._sensor.state
        if changed:
            self.was_known = known
            self._log("mains: " + ("there" if self.mains else "lost"))
        return changed
