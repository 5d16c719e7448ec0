"""Wi-Fi, asked for once: the ESP32's driver then reconnects by itself.

Calling connect() again while it does so raises "Wifi Internal Error"; so when a minute brought nothing, the
interface is taken down and started over instead.
"""

import time

import network

RECYCLE_MS = 60_000


class Wifi:
    """The station interface."""

    def __init__(self, ssid, password, log):
        self._ssid = ssid
        self._password = password
        self._log = log
        self._wlan = network.WLAN(network.STA_IF)
        self._asked = False

    def join(self, idle, recycle_ms=RECYCLE_MS):
        """Return when the network is there; idle(ms) is called while it is not."""
        if self._wlan.isconnected() and self._asked:
            return
        self._log("wifi: joining " + self._ssid)
        if not self._asked:
            self._ask()
        since = time.ticks_ms()
        while not self._wlan.isconnected():
            idle(200)
            if time.ticks_diff(time.ticks_ms(), since) >= recycle_ms:
                self._log("wifi: no network, starting over")
                self._try(self._wlan.disconnect)
                idle(1000)
                self._try(self._wlan.active, False)
                self._ask()
                since = time.ticks_ms()
        self._log("wifi: joined, address " + self._wlan.ifconfig()[0])

    def rssi(self):
        """Signal strength in dBm, or None."""
        try:
            return self._wlan.status("rssi")
        except Exception:  # OSError or ValueError, by port, when not associated
            return None

    def _ask(self):
        self._asked = True
        self._try(self._wlan.active, True)
        # Modem sleep saves power a mains board does not need, and delays every answer.
        self._try(lambda: self._wlan.config(pm=self._wlan.PM_NONE))
        self._try(self._wlan.connect, self._ssid, self._password)

    def _try(self, call, *args):
        try:
            call(*args)
        except Exception as error:  # the driver raises many kinds; the recycling gets over all of them
            self._log("wifi: %s" % error)
