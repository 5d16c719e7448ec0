"""The wire contract, device side: topics and payloads, as bytes.

Always bytes: umqtt counts the characters of a str but sends its UTF-8, and one accent would break the stream.
"""

import json

COMMANDS = ("identify", "reboot", "update", "rotate")
LIMIT = 1024  # the contract's largest payload
TEXT = 120  # characters of a report's text


def topic(device_id, leaf):
    """One of the device's own topics."""
    return ("svitlo/devices/%s/%s" % (device_id, leaf)).encode()


def heartbeat(board, conn, seq, interval_s, rssi, mains=None, volts=None):
    """Proof of life. mains and volts are null where no sensor is fitted or knows."""
    return _encode(
        {
            "v": 1,
            "boot": board.boot,
            "boots": board.boots,
            "conn": conn,
            "seq": seq,
            "uptime_s": board.uptime_ms // 1000,
            "interval_s": interval_s,
            "reset": board.reset_cause,
            "mains": mains,
            "volts": volts,
            "rssi": rssi,
            "heap": board.heap(),
            "fw": board.FIRMWARE,
            "ts": board.epoch(),
        }
    )


def status(board, conn, settings, reason=None):
    """Birth without a reason; will ("lwt"), goodbye ("bye") or last gasp ("mains_lost") with one."""
    fields = {
        "v": 1,
        "state": "offline" if reason else "online",
        "boot": board.boot,
        "conn": conn,
        "keepalive_s": settings.keepalive_s,
        "interval_s": settings.interval_s,
    }
    if reason:
        fields["reason"] = reason
    return _encode(fields)


def report(board, fields):
    """What became of an order."""
    fields = dict(fields)
    fields["v"] = 1
    fields["boot"] = board.boot
    if fields.get("text"):
        fields["text"] = str(fields["text"])[:TEXT]
    return _encode(fields)


def decode(payload):
    """The JSON object in a payload, whoever sent it; empty when there is none."""
    if len(payload) > LIMIT:
        return {}
    try:
        fields = json.loads(payload)
    except Exception:  # not only ValueError: a deep nesting runs out of memory or stack
        return {}
    return fields if isinstance(fields, dict) else {}


def command(payload):
    """The order in a payload, or None: whatever is not understood is ignored."""
    order = decode(payload)
    name = order.get("command")
    if order.get("v") != 1 or not isinstance(name, str) or name not in COMMANDS:
        return None
    number = order.get("order")
    if number is not None and not (isinstance(number, str) and 1 <= len(number) <= 36):
        return None
    return order


def _encode(fields):
    return json.dumps(fields, separators=(",", ":")).encode()
