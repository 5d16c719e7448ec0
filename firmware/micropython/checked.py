"""What settings.py made of config.json, kept in flash: the checks are a fifth of the heap, and not for each boot."""

import binascii
import json

import store
from board import Board

PATH = "config.json"
CA_PATH = "ca.der"
FILE = "checked"
KEPT = "config"  # the last configuration that was proved to work: settings.py falls back to it


def load():
    """The attributes of a configuration that is as it was when it was checked; None when it is not, or never was."""
    try:
        kept = json.loads(store.read(FILE))
        text, ca = _files()
        if kept["crc"] != _crc(text, ca) or kept["fw"] != Board.FIRMWARE:  # another version may ask for more
            return None
        found = kept["config"]
        found["update_key"] = binascii.unhexlify(found["update_key"]) or None
        found["ca"] = ca if found["tls"] else None
        return found
    except (OSError, ValueError, TypeError, KeyError):  # not there, damaged, or of another version
        return None


def keep(found):
    """Note that these attributes are those of config.json as it stands. Writes flash only when that is news."""
    found = dict(found)
    found["update_key"] = binascii.hexlify(found["update_key"] or b"").decode()
    del found["ca"]
    try:
        text, ca = _files()
    except OSError:
        return
    store.write(FILE, json.dumps({"fw": Board.FIRMWARE, "crc": _crc(text, ca), "config": found}).encode())


def remember():
    """Keep a copy of a configuration that works, if it is the checked one. Writes flash only when it differs."""
    try:
        found = load()
        if found:
            copy = _files()[0] + b"\0" + (found["ca"] or b"")
            if store.read(KEPT) != copy:
                store.write(KEPT, copy)
    except MemoryError:  # the next boot will do
        pass


def _files():
    with open(PATH, "rb") as file:
        text = file.read()
    try:
        with open(CA_PATH, "rb") as file:
            return text, file.read()
    except OSError:
        return text, b""


def _crc(text, ca):
    return binascii.crc32(ca, binascii.crc32(text))
