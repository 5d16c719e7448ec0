"""The MAC of an order that changes the board."""

import binascii
import hashlib

SIGNED = {
    "update": ("order", "serial", "version", "size", "sha256"),
    "rotate": ("order", "serial", "password"),
}


def refusal(key, device_id, order):
    """Why an order is not to be obeyed, or None: its fields are there and its MAC is that of this board's key."""
    lines = ["svitlo order v1", device_id, order["command"]]
    for name in SIGNED[order["command"]]:
        value = order.get(name)
        kind = int if name in ("serial", "size") else str
        if not isinstance(value, kind) or isinstance(value, bool) or value == "":
            return "the order has no %s" % name
        value = str(value)
        if any(char < " " for char in value):  # a line break would blur what the MAC is of
            return "the order's %s has control characters" % name
        lines.append(value)
    if not same(hmac(key, "\n".join(lines).encode()), _unhex(order.get("mac"))):
        return "the order is not signed with this board's update_key"
    return None


def hmac(key, data):
    """HMAC-SHA256, RFC 2104."""
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    key = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes([byte ^ 0x36 for byte in key]))
    inner.update(data)
    outer = hashlib.sha256(bytes([byte ^ 0x5C for byte in key]))
    outer.update(inner.digest())
    return outer.digest()


def same(one, other):
    """Whether two MACs are equal, in a time that does not tell where they differ."""
    differ = len(one) ^ len(other)
    for index in range(len(one)):
        differ |= one[index] ^ (other[index] if index < len(other) else 0)
    return differ == 0


def _unhex(text):
    try:
        return binascii.unhexlify(text)
    except (TypeError, ValueError):
        return b""
