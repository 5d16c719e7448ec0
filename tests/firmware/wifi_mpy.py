"""Joins a Wi-Fi that fails as told; prints the calls the driver saw."""

import json
import sys
import time

import network

calls = []
idled = 0


class Wlan:
    PM_NONE = 0

    def __init__(self, interface):
        pass

    def active(self, flag):
        calls.append("active " + str(flag))

    def config(self, **options):
        raise ValueError("unknown config param")

    def connect(self, ssid, password):
        calls.append("connect " + ssid)
        if sys.argv[1] == "busy":
            raise OSError("Wifi Internal Error")

    def disconnect(self):
        calls.append("disconnect")

    def isconnected(self):
        return idled >= int(sys.argv[2])

    def ifconfig(self):
        return ("10.0.0.2",)

    def status(self, what):
        raise OSError("STA must be active")


network.WLAN = Wlan

from net import Wifi  # noqa: E402 - it takes its WLAN from the module


def idle(ms):
    global idled
    idled += 1
    time.sleep_ms(1)


lines = []
wifi = Wifi("home", "wifi-word", lines.append)
wifi.join(idle, recycle_ms=1 if sys.argv[1] == "slow" else 60_000)
wifi.join(idle)
print(json.dumps({"calls": calls, "lines": lines, "rssi": wifi.rssi()}))
