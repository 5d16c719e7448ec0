"""The network: Wi-Fi or Ethernet, asked for once and started over when it does not come.

The ESP32's Wi-Fi driver reconnects by itself. Calling connect() while it does so raises "Wifi Internal Error"; so
when a minute brought nothing, the interface is taken down and started over instead. A driver that retries for ever
tells few of its reasons, so while joining it gets a few tries only, and all it wants once it is in. A reason stands
until there is an address, even when connect() was called anew: what is on its way needs time in spite of it.
"""

import time

import network

RECYCLE_MS = 60_000
PAUSE_MS = 15_000  # at least so long from one start to the next: TRIES of a driver, or one slow DHCP server
TRIES = 4

# Names of status() by what they mean to people; ports have some of them. 15 is the ESP32's four-way handshake that
# timed out, what most access points make of a wrong password.
WRONG = "WRONG_PASSWORD HANDSHAKE_TIMEOUT"
ABSENT = "NO_AP_FOUND NO_AP_FOUND_IN_RSSI_THRESHOLD NO_AP_FOUND_IN_AUTHMODE_THRESHOLD NO_AP_FOUND_W_COMPATIBLE_SECURITY"


def make(config, log):
    """The network config asks for."""
    if config.ethernet:
        return Ethernet(config.ethernet, log, config.device_id)
    return Wifi(config.ssid, config.wifi_password, log, config.device_id)


class Net:
    """What Wi-Fi and Ethernet share. why: a line for people when the last attempt told its reason, or None."""

    name = ""
    why = None
    stuck = False  # only a restart of the chip can help
    _nic = None
    _asked = False

    def join(self, idle, recycle_ms=RECYCLE_MS):
        """Return when the network is there; idle(ms) is called while it is not."""
        if self._asked and self.up():
            return
        self._log("%s: joining%s" % (self.name, self._where))
        if not self._asked:
            self._start()
        since = time.ticks_ms()
        while not self.up():
            idle(200)
            why = self._reason()
            if why and why != self.why:
                self._log("%s: %s" % (self.name, why))
            self.why = why or self.why
            waited = time.ticks_diff(time.ticks_ms(), since)
            if waited >= recycle_ms or (why and waited >= PAUSE_MS):
                if self.stuck:
                    raise OSError(why)
                if not why:
                    self._log(self.name + ": no network, starting over")
                self._stop(idle)
                self._start()
                since = time.ticks_ms()
        self.why = None
        self._joined()
        self._log("%s: joined, address %s" % (self.name, self._nic.ifconfig()[0]))

    def renew(self, idle):
        """Let the next join() start over: it is there by its own word, but nobody is reached through it."""
        self._log(self.name + ": leads nowhere, starting over")
        self._stop(idle)
        self._asked = False

    def up(self):
        """Whether the network is there, with an address."""
        return self._nic is not None and self._nic.isconnected()

    def rssi(self):
        """Signal strength in dBm, or None."""
        return None

    def _start(self):
        self._asked = True
        self._ask()

    def _joined(self):
        pass

    def _try(self, call, *args, **options):
        try:
            call(*args, **options)
        except Exception as error:  # the drivers raise many kinds; starting over gets past all of them
            self._log("%s: %s" % (self.name, error))


class Wifi(Net):
    """The station interface."""

    name = "wifi"

    def __init__(self, ssid, password, log, hostname=""):
        self._ssid = ssid
        self._password = password
        self._log = log
        self._where = " " + ssid
        self._nic = network.WLAN(network.STA_IF)
        _set_hostname(hostname)

    def rssi(self):
        try:
            return self._nic.status("rssi")
        except Exception:  # OSError or ValueError, by port, when not associated
            return None

    def _ask(self):
        self._try(self._nic.active, True)
        # Modem sleep saves power a mains board does not need, and delays every answer.
        self._option(pm=getattr(self._nic, "PM_NONE", 0))
        self._option(reconnects=TRIES)
        self._try(self._nic.connect, self._ssid, self._password)

    def _joined(self):
        self._option(reconnects=-1)

    def _stop(self, idle):
        self._try(self._nic.disconnect)
        idle(1000)
        self._try(self._nic.active, False)

    def _reason(self):
        try:
            status = self._nic.status()
        except Exception:
            return None
        if status == 15 or _is(status, WRONG):
            return "could not join %s: wrong password" % self._ssid
        if _is(status, ABSENT):
            return "could not join %s: no such network in reach" % self._ssid
        if 0 < status < 256:  # Espressif's number; the driver has given up
            return "could not join %s: reason " % self._ssid + str(status)
        return None

    def _option(self, **option):
        try:
            self._nic.config(**option)
        except Exception:  # a port without it
            pass


class Ethernet(Net):
    """A wired board: the ESP32's own MAC with a PHY such as the LAN8720."""

    name = "ethernet"
    _where = " by cable"
    _fault = None

    def __init__(self, config, log, hostname=""):
        self._config = config
        self._log = log
        _set_hostname(hostname)

    def _ask(self):
        self._fault = None
        try:
            if self._nic is None:
                self._nic = self._make()
            self._nic.active(True)
        except (AttributeError, TypeError):  # no LAN; on chips with LAN by SPI only, no such arguments
            self._fault = "this chip has no Ethernet of its own, or not this PHY: use Wi-Fi, or a plain ESP32"
        except Exception as error:
            self._fault = "cannot start: %s" % error
            # A PHY without its power or its clock yet. MicroPython, 1.28 too, then keeps the half of a driver, and
            # each further attempt of this boot fails.
            self.stuck = self._nic is None

    def _make(self):
        from machine import Pin

        config = self._config
        options = {
            "mdc": Pin(config["mdc"]),
            "mdio": Pin(config["mdio"]),
            "phy_type": getattr(network, "PHY_" + config["phy"]),
            "phy_addr": config["addr"],
        }
        if config["power"] is not None:
            options["power"] = Pin(config["power"])
        if config["ref_clk"] is not None:
            options["ref_clk"] = Pin(config["ref_clk"])
            options["ref_clk_mode"] = Pin.OUT if config["ref_clk_mode"] == "out" else Pin.IN
        return network.LAN(**options)

    def _stop(self, idle):
        if self._nic is not None:
            self._try(self._nic.active, False)
        idle(1000)

    def _reason(self):
        return self._fault


def _is(status, names):
    return status in [getattr(network, "STAT_" + name, None) for name in names.split()]


def _set_hostname(name):
    try:
        network.hostname(name[:32])  # what the ESP32 has room for
    except Exception:  # an older port: it goes by its usual name
        pass
