"""The networks around the desktop's board, as its folder world has them.

world/wifi: "down" (not in reach), "wrong" (refuses the password), "slow" (associates five seconds after it was asked);
without it, Wi-Fi is there. world/scan: what scan() sees, JSON [[ssid, rssi, security], ...]. world/ethernet: "down"
(no cable) or "none" (a chip without). world/portal-ports: where the page and the name server of set-up mode are to
listen on 127.0.0.1, "8080 5353"; without it there can be no access point. world/out-ap is its name while it is there.
"""

import json
import os
import time

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
PHY_LAN8720 = 1

_LOOPBACK = ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")
_hostname = "mpy-unix"


def hostname(*name):
    global _hostname
    if name:
        if len(name[0]) > 32:
            raise ValueError
        _hostname = name[0]
    return _hostname


def _world(name):
    try:
        with open("world/" + name) as file:
            return file.read().strip()
    except OSError:
        return ""


class WLAN:
    PM_NONE = 0

    def __init__(self, interface=STA_IF):
        self._ap = interface == AP_IF
        self._active = False
        self._asked = None
        self._reconnects = -1

    def active(self, *flag):
        if flag:
            if self._ap and flag[0] and not _world("portal-ports"):
                raise OSError("the desktop has none (world/portal-ports)")
            self._active = bool(flag[0])
            self._asked = self._asked if self._active else None
            if self._ap and not self._active:
                try:
                    os.remove("world/out-ap")
                except OSError:
                    pass
        return self._active

    def connect(self, ssid=None, password=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        if self._asked is not None and not self.isconnected():
            raise OSError("Wifi Internal Error")
        self._asked = time.ticks_ms()

    def disconnect(self):
        self._asked = None

    def isconnected(self):
        return self._state() == STAT_GOT_IP

    def status(self, what=None):
        if what == "rssi":
            if not self.isconnected():
                raise OSError("STA must be active")
            return -55
        state = self._state()
        # As the ESP32: a driver that may retry for ever says no more than that it is connecting.
        return STAT_CONNECTING if self._reconnects < 0 and state < STAT_IDLE else state

    def scan(self):
        if not self._active:
            raise OSError("STA must be active")
        networks = json.loads(_world("scan") or "[]")
        return [(ssid.encode(), bytes(6), 1, rssi, security, False) for ssid, rssi, security in networks]

    def config(self, *args, **options):
        if args == ("mac",):
            return b"\x02\x00\x00\x00\xab\xcd"
        self._reconnects = options.get("reconnects", self._reconnects)
        if self._ap and "ssid" in options:
            with open("world/out-ap", "w") as file:
                file.write(options["ssid"])

    def ifconfig(self, *wanted):
        return _LOOPBACK

    def _state(self):
        if self._asked is None:
            return STAT_IDLE
        wifi = _world("wifi")
        if wifi == "slow":
            return STAT_CONNECTING if time.ticks_diff(time.ticks_ms(), self._asked) < 5000 else STAT_GOT_IP
        return {"down": STAT_NO_AP_FOUND, "wrong": STAT_WRONG_PASSWORD}.get(wifi, STAT_GOT_IP)


class LAN:
    def __init__(self, id=None, *, mdc, mdio, phy_type, phy_addr, power=None, ref_clk=None, ref_clk_mode=None):
        if _world("ethernet") == "none":
            raise TypeError("extra keyword arguments given")
        self._active = False

    def active(self, *flag):
        if flag:
            self._active = bool(flag[0])
        return self._active

    def isconnected(self):
        return self._active and _world("ethernet") != "down"

    def ifconfig(self):
        return _LOOPBACK
