"""The claim code: the configuration of a board but its network, short enough for a QR code.

svitlo1.<base64url of compact JSON>.<CRC32 of the part between the dots, 8 hex digits>
"""

import binascii
import json

MISSING = "the claim code is missing"
FOREIGN = "this is no claim code: one begins with svitlo1"
NEWER = "the claim code is from a newer server: the firmware has to be updated first"
SHORT = "the claim code is incomplete: copy all of it"
WRONG = "the claim code has a typing error (its checksum is wrong): copy it again"


def decode(text):
    """The configuration in a claim code, or in an address that ends with one; ValueError with a text for people."""
    text = "".join(text.split("#")[-1].split())
    if not text:
        raise ValueError(MISSING)
    parts = text.split(".")
    head = parts[0].lower()
    if head != "svitlo1":
        if not head.startswith("svitlo"):
            raise ValueError(FOREIGN)
        version = head[6:]
        raise ValueError(SHORT if not version else NEWER if version.isdigit() else FOREIGN)
    if len(parts) < 3 or len(parts[2]) < 8:
        raise ValueError(SHORT)
    body = parts[1]
    if len(parts) > 3 or "%08x" % (binascii.crc32(body.encode()) & 0xFFFFFFFF) != parts[2].lower():
        raise ValueError(WRONG)
    try:
        padded = body.replace("-", "+").replace("_", "/") + "=" * (-len(body) % 4)
        data = json.loads(binascii.a2b_base64(padded.encode()))
    except ValueError:
        data = None
    if not isinstance(data, dict) or data.get("v") != 1 or not isinstance(data.get("mqtt"), dict):
        raise ValueError(NEWER)
    return data
