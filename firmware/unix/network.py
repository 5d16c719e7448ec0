"""The networks around the desktop's board, as its folder world has them.

world/wifi: "down" (not in reach), "wrong" (refuses the password), "slow" (there eight seconds after it was asked);
without it, Wi-Fi is there. world/scan: what scan() sees, JSON [[ssid, rssi, security], ...]. world/ethernet: "down"
(no cable), "late" (the PHY has no clock yet) or "none" (a chip without). world/portal-ports: where the page and the
name server of set-up mode are to listen on 127.0.0.1, "8080 5353"; without it there can be no access point.
world/out-ap is its name while it is there.
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
_ASSOC_LEAVE = 8
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
        self._reason = 0

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
        self._state()
        if self._asked is not None:
            self._reason = _ASSOC_LEAVE
        self._asked = None

    def isconnected(self):
        return self._state() == STAT_GOT_IP

    def status(self, what=None):
        if what == "rssi":
            if not self.isconnected():
                raise OSError("STA must be active")
            return -55
        # As the ESP32: these reasons are told while it tries again, and stay until it has an address; others need
        # that it has given up.
        state = self._state()
        if state == STAT_GOT_IP:
            return state
        return STAT_IDLE if self._reason == _ASSOC_LEAVE else self._reason or state

    def scan(self):
        if not self._active:
            raise OSError("STA must be active")
        networks = json.loads(_world("scan") or "[]")
        return [(ssid.encode(), bytes(6), 1, rssi, security, False) for ssid, rssi, security in networks]

    def config(self, *args, **options):
        if args == ("mac",):
            return b"\x02\x00\x00\x00\xab\xcd"
        if self._ap and "ssid" in options:
            with open("world/out-ap", "w") as file:
                file.write(options["ssid"])

    def ifconfig(self, *wanted):
        return _LOOPBACK

    def _state(self):
        if self._asked is None:
            return STAT_IDLE
        wifi = _world("wifi")
        if wifi == "slow" and time.ticks_diff(time.ticks_ms(), self._asked) < 8000:
            return STAT_CONNECTING
        if wifi in ("down", "wrong"):
            self._reason = STAT_NO_AP_FOUND if wifi == "down" else STAT_WRONG_PASSWORD
            return STAT_CONNECTING
        self._reason = 0
        return STAT_GOT_IP


class LAN:
    _half = False  # the first attempt of this boot failed

    def __init__(self, id=None, *, mdc, mdio, phy_type, phy_addr, power=None, ref_clk=None, ref_clk_mode=None):
        if _world("ethernet") == "none":
            raise TypeError("extra keyword arguments given")
        if LAN._half:
            raise OSError("esp_netif_attach failed")
        if _world("ethernet") == "late":
            LAN._half = True
            raise OSError("esp_eth_driver_install failed")
        self._active = False

    def active(self, *flag):
        if flag:
            self._active = bool(flag[0])
        return self._active

    def isconnected(self):
        return self._active and _world("ethernet") != "down"

    def ifconfig(self):
        return _LOOPBACK
