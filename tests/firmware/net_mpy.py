"""Joins a network that behaves as told: KIND (fine, slow, busy, wrong, absent, shim, or an ethernet one) and the
number of idle calls after which it is there. Prints what the driver was asked and what was logged."""

import json
import sys
import time

import machine
import network

KIND = sys.argv[1]
THERE = int(sys.argv[2])
CONFIG = json.loads(sys.argv[3]) if len(sys.argv) > 3 else None
STATUS = {"wrong": network.STAT_WRONG_PASSWORD, "handshake": 15, "absent": network.STAT_NO_AP_FOUND, "expired": 2}
calls = []
idled = 0


class Wlan:
    PM_NONE = 0

    def __init__(self, interface):
        pass

    def active(self, flag):
        calls.append("active " + str(flag))

    def config(self, **options):
        if "reconnects" in options:
            calls.append("reconnects " + str(options["reconnects"]))
        else:
            raise ValueError("unknown config param")

    def connect(self, ssid, password):
        calls.append("connect " + ssid)
        if KIND == "busy":
            raise OSError("Wifi Internal Error")

    def disconnect(self):
        calls.append("disconnect")

    def isconnected(self):
        return idled >= THERE

    def ifconfig(self):
        return ("10.0.0.2",)

    def status(self, *what):
        if what:
            raise OSError("STA must be active")
        return STATUS.get(KIND, network.STAT_CONNECTING)


class Lan(Wlan):
    def __init__(self, **options):
        calls.append("LAN")
        if KIND == "spi-only":
            raise TypeError("extra keyword arguments given")
        if KIND == "late":
            raise OSError("esp_eth_driver_install failed")
        options["pins"] = sorted(name for name in options if isinstance(options[name], machine.Pin))
        for name in options["pins"]:
            options[name] = options[name].id
        calls.append(options)

    def active(self, flag):
        super().active(flag)
        if KIND == "stubborn":
            raise OSError("ethernet enable failed")


if KIND == "shim":
    pass
elif KIND == "no-lan":
    del network.LAN
else:
    network.WLAN = Wlan
    network.LAN = Lan

import net  # noqa: E402 - it takes its interfaces from the module
import settings  # noqa: E402

net.PAUSE_MS = 5
lines = []
whys = []


def idle(ms):
    global idled
    idled += 1
    if KIND != "shim":
        time.sleep_ms(1)
    elif ms < 1000:
        time.sleep_ms(10)
    if nic.why not in whys:
        whys.append(nic.why)
    if idled > (THERE if KIND == "shim" else 2000):
        raise KeyboardInterrupt


base = {"v": 1, "device_id": "demo-1-" + "x" * 30, "password": "p", "mqtt": {"host": "h"}}
nic = net.make(
    settings.Settings(dict(base, **(CONFIG or {"wifi": {"ssid": "home", "password": "wifi-word"}}))), lines.append
)
joined = False
try:
    nic.join(idle, recycle_ms=1 if KIND == "slow" else 60_000)
    nic.join(idle)
    joined = True
except KeyboardInterrupt:
    pass
except OSError as error:
    lines.append(str(error))
answer = {
    "calls": calls,
    "lines": lines,
    "rssi": nic.rssi(),
    "whys": whys,
    "why": nic.why,
    "up": nic.up(),
    "joined": joined,
    "idled": idled,
    "stuck": nic.stuck,
    "hostname": network.hostname(),
    "name": nic.name,
}
print(json.dumps(answer))
