"""What config.json says, checked: a board in a cellar cannot ask back.

    {"v": 1, "device_id": "demo-1", "password": "...", "mqtt": {"host": "192.168.1.10"},
     "wifi": {"ssid": "...", "password": "..."}}

Everything else may be left out; docs/firmware.md lists it. Unknown keys are ignored.
With mqtt.tls, the certificate of the authority lies beside it as ca.der (DER: PEM needs a parser most builds lack).
"""

import binascii
import json
import os
import sys

from checked import CA_PATH, KEPT, PATH

LIMIT = 4096  # bytes, for each of the two files

BOARDS = {"wt32-eth01": {"phy": "LAN8720", "mdc": 23, "mdio": 18, "addr": 1, "power": 16, "ref_clk": 0}}


class ConfigError(Exception):
    """One line that says what to change in config.json."""


class Missing(ConfigError):
    """There is no config.json: the board was never set up."""


class Settings:
    """A checked configuration. Without ca, the authority's certificate is read from ca.der where TLS needs it."""

    copy = False  # it is the kept one: config.json itself is of no use

    def __init__(self, data, ca=None):
        if not isinstance(data, dict):
            raise ConfigError("must be a JSON object, {...}")
        if _get(data, "v", int) != 1:
            raise ConfigError('"v" must be 1')
        self.device_id = _device_id(_get(data, "device_id", str))
        self.password = _text(data, "password")
        self.update_key = _key(_get(data, "update_key", str, ""))
        mqtt = _get(data, "mqtt", dict)
        self.host = _text(mqtt, "host", "mqtt.")
        self.tls = _get(mqtt, "tls", bool, False, "mqtt.")
        self.port = _number(mqtt, "port", 8883 if self.tls else 1883, 1, 65535, "mqtt.")
        self.ethernet = self.ssid = None
        self.wifi_password = ""
        if "ethernet" in data:
            if "wifi" in data:
                raise ConfigError('"wifi" and "ethernet" exclude each other: remove one')
            self.ethernet = _ethernet(_get(data, "ethernet", dict))
        else:
            wifi = _get(data, "wifi", dict)
            self.ssid = _text(wifi, "ssid", "wifi.")
            self.wifi_password = _get(wifi, "password", str, "", "wifi.")
        self.interval_s = _number(data, "interval_s", 10, 1, 3600)
        # 0 would mean no will at all when the mains goes; brokers commonly refuse more than 120.
        self.keepalive_s = _number(data, "keepalive_s", 10, 2, 120)
        pins = _get(data, "pins", dict, {} if self.ethernet else usual_pins())
        self.led = _pin(pins, "led", "pins.", False)
        self.led_inverted = _get(pins, "led_inverted", bool, False, "pins.")
        self.button = _pin(pins, "button", "pins.", False)
        self.mains = _mains(data)
        self.pzem = _pzem(data)
        self.ca = None
        if self.tls:
            self.ca = ca or _read_ca(_get(mqtt, "ca_crc", str, "", "mqtt."))


def usual_pins():
    """Where a board that says nothing of its pins most likely has its LED and its button, BOOT.

    Not on wired boards: there GPIO 0 is the PHY's clock, and a button on it would be pressed all the time.
    """
    c3 = _is_c3()
    return {"led": 8 if c3 else 2, "led_inverted": c3, "button": 9 if c3 else 0}


def _is_c3():
    return "C3" in getattr(sys.implementation, "_machine", "")


def load(path=PATH, log=print):
    """Read and check the configuration, or else the last one that worked; every failure is a ConfigError."""
    try:
        return Settings(_parse(_read(path)))
    except Missing:
        raise
    except ConfigError as error:
        kept = _kept()
        if kept is None:
            raise
        log("%s: %s; going on with the last one that worked" % (path, error))
        kept.copy = True
        return kept


def save(data, ca=None):
    """Put a new configuration in place, ca (DER) with it; a cut of the power leaves the old one or the new one.

    ConfigError when it cannot work, OSError when the flash is full.
    """
    import store

    if ca:
        data["mqtt"]["ca_crc"] = _crc(ca)
    Settings(data, ca)  # nothing that would stop the next start
    try:
        if ca:
            _write(CA_PATH + ".new", ca)
        _write(PATH + ".new", json.dumps(data).encode())
        store.remove("proved")
        os.rename(PATH + ".new", PATH)  # the new one counts from here on: it names its certificate by its CRC
    except OSError:
        for name in (CA_PATH, PATH):
            _quietly(os.remove, name + ".new")
        raise
    if ca:
        _quietly(os.rename, CA_PATH + ".new", CA_PATH)


def current():
    """What a new configuration may build upon, unchecked: config.json or else the kept one; a dict, or None."""
    for read in (lambda: _read(PATH), lambda: _kept_parts()[0]):
        try:
            return dict(_parse(read()))
        except (TypeError, ValueError, ConfigError):
            pass
    return None


def _parse(text):
    try:
        return json.loads(text)
    except ValueError:  # UnicodeError too
        raise ConfigError("not valid JSON: look for a missing comma, quote or bracket")


def _kept():
    try:
        text, ca = _kept_parts()
        return Settings(_parse(text), ca)
    except (ValueError, ConfigError):
        return None


def _kept_parts():
    import store

    text, ca = (store.read(KEPT) or b"").split(b"\0", 1)
    return text, ca


def _get(data, key, kind, default=None, prefix=""):
    value = data.get(key)
    if value is None:
        value = default
    if value is None:
        raise ConfigError('"%s%s" is missing' % (prefix, key))
    # bool passes for int in Python, and "interval_s": true is a mistake.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names = {int: "a whole number", str: "a text", dict: "an object, {...}", bool: "true or false"}
        raise ConfigError('"%s%s" must be %s' % (prefix, key, names[kind]))
    return value


def _text(data, key, prefix=""):
    value = _get(data, key, str, None, prefix)
    if not value:
        raise ConfigError('"%s%s" is empty' % (prefix, key))
    return value


def _number(data, key, default, low, high, prefix=""):
    value = _get(data, key, int, default, prefix)
    if not low <= value <= high:
        raise ConfigError('"%s%s" must be from %d to %d' % (prefix, key, low, high))
    return value


def _choice(data, key, default, choices, prefix):
    value = _get(data, key, str, default, prefix)
    if value not in choices:
        raise ConfigError('"%s%s" must be %s' % (prefix, key, " or ".join('"%s"' % choice for choice in choices)))
    return value


def _pin(data, key, prefix, needed=True):
    if not needed and data.get(key) is None:
        return None
    return _number(data, key, None, 0, 48, prefix)


def _device_id(value):
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
    if not 1 <= len(value) <= 48 or any(char not in allowed for char in value):
        raise ConfigError('"device_id" must be 1 to 48 of a-z, 0-9 and -')
    return value


def _key(value):
    try:
        key = binascii.unhexlify(value)
    except ValueError:
        key = b""
    if value and len(key) != 32:
        raise ConfigError('"update_key" must be 64 hex digits')
    return key or None


def _ethernet(data):
    prefix = "ethernet."
    if "board" in data:
        data = BOARDS[_choice(data, "board", None, sorted(BOARDS), prefix)]
    return {
        "phy": _text(data, "phy", prefix),
        "mdc": _pin(data, "mdc", prefix),
        "mdio": _pin(data, "mdio", prefix),
        "addr": _number(data, "addr", 0, 0, 31, prefix),
        "power": _pin(data, "power", prefix, False),
        "ref_clk": _pin(data, "ref_clk", prefix, False),
        "ref_clk_mode": _choice(data, "ref_clk_mode", "in", ("in", "out"), prefix),
    }


def _mains(data):
    data = _get(data, "mains", dict, {})
    if not data:
        return None
    prefix = "mains."
    mains = {
        "kind": _choice(data, "kind", None, ("gpio", "adc"), prefix),
        "pin": _pin(data, "pin", prefix),
        "debounce_ms": _number(data, "debounce_ms", 60, 20, 2000, prefix),
    }
    if mains["kind"] == "adc":
        # A tenth more has to be within what the converter can tell, or the mains would never come back.
        mains["lost_below_mv"] = _number(data, "lost_below_mv", None, 1, 2200 if _is_c3() else 2800, prefix)
    else:
        mains["active"] = _choice(data, "active", "low", ("low", "high"), prefix)
    return mains


def _pzem(data):
    data = _get(data, "pzem", dict, {})
    if not data:
        return None
    prefix = "pzem."
    return {
        "uart": _number(data, "uart", 1, 1, 2, prefix),
        "tx": _pin(data, "tx", prefix),
        "rx": _pin(data, "rx", prefix),
        "mains": _get(data, "mains", bool, True, prefix),
        "on_above_v": _number(data, "on_above_v", 100, 1, 400, prefix),
    }


def _read(path):
    try:
        if os.stat(path)[6] > LIMIT:
            raise ConfigError("%s is longer than %d bytes" % (path, LIMIT))
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        raise Missing("not found: copy it to the board, next to main.py")


def _read_ca(crc):
    for name in (CA_PATH, CA_PATH + ".new"):  # the second: the power went just after the configuration was saved
        try:
            ca = _read(name)
        except Missing:
            continue
        if not crc or _crc(ca) == crc:
            if name != CA_PATH:
                _quietly(os.rename, name, CA_PATH)
            return ca
    raise ConfigError("mqtt.tls is true, but %s is %s" % (CA_PATH, "damaged" if crc else "not on the board"))


def _crc(data):
    return "%08x" % (binascii.crc32(data) & 0xFFFFFFFF)


def _write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def _quietly(call, *names):
    try:
        call(*names)
    except OSError:  # what it is about is found under its old name too
        pass
