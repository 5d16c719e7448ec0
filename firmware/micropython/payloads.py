"""The wire contract, device side: topics and payloads, as bytes.

Always bytes: umqtt counts the characters of a str but sends its UTF-8, and one accent would break the stream.
"""

import json

COMMANDS = ("identify", "reboot")
LIMIT = 1024  # the contract's largest payload


def topic(device_id, leaf):
    """One of the device's own topics."""
    return ("svitlo/devices/%s/%s" % (device_id, leaf)).encode()


def heartbeat(board, conn, seq, interval_s, rssi):
    """Proof of life. mains and volts stay null until a sensor is fitted."""
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
            "mains": None,
            "volts": None,
            "rssi": rssi,
            "heap": board.heap(),
            "fw": board.FIRMWARE,
            "ts": board.epoch(),
        }
    )


def status(board, conn, settings, reason=None):
    """Birth without a reason; will ("lwt") or goodbye ("bye") with one."""
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


def says_offline(payload):
    """Whether a status payload, whoever sent it, calls the device offline."""
    return _decode(payload).get("state") == "offline"


def command(payload):
    """The command in a payload, or None: whatever is not understood is ignored."""
    fields = _decode(payload)
    name = fields.get("command")
    return name if fields.get("v") == 1 and name in COMMANDS else None


def _encode(fields):
    return json.dumps(fields, separators=(",", ":")).encode()


def _decode(payload):
    if len(payload) > LIMIT:
        return {}
    try:
        fields = json.loads(payload)
    except Exception:  # not only ValueError: a deep nesting runs out of memory or stack
        return {}
    return fields if isinstance(fields, dict) else {}
