"""The board's payloads for the facts of the server's golden files, and what it makes of the golden commands."""

import json
import sys

import payloads
import signed

folder = sys.argv[1]


def golden(name):
    with open("%s/%s.json" % (folder, name)) as file:
        return json.load(file)


class Facts:
    """A board, its configuration and one order, of which a golden payload is the account."""

    FIRMWARE = None

    def __init__(self, fields):
        self._fields = fields
        for name, value in fields.items():
            if name != "heap":  # that one is asked
                setattr(self, name, value)
        self.reset_cause = fields.get("reset")
        self.uptime_ms = fields.get("uptime_s", 0) * 1000 + 999
        self.FIRMWARE = fields.get("fw")

    def heap(self):
        return self._fields["heap"]

    def epoch(self):
        return self._fields["ts"]


said = {}
for name in ("heartbeat", "heartbeat_without_sensor"):
    fields = golden(name)
    board = Facts(fields)
    more = [fields[key] for key in ("conn", "seq", "interval_s", "rssi", "mains", "volts")]
    said[name] = payloads.heartbeat(board, *more).decode()
for name in ("status_birth", "status_goodbye", "status_last_gasp", "status_will"):
    fields = golden(name)
    said[name] = payloads.status(Facts(fields), fields["conn"], Facts(fields), fields.get("reason")).decode()
for name in ("report_done", "report_loading", "report_refused"):
    fields = golden(name)
    told = {key: value for key, value in fields.items() if key not in ("v", "boot")}
    said[name] = payloads.report(Facts(fields), told).decode()

key = bytes.fromhex(sys.argv[2])
orders = {}
for name in ("command_identify", "command_update", "command_rotate"):
    order = payloads.command(json.dumps(golden(name)).encode())
    needs_mac = order["command"] in signed.SIGNED
    orders[name] = [order["command"], signed.refusal(key, "board-1", order) if needs_mac else None]
print(json.dumps({"said": said, "orders": orders}))
