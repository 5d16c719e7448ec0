"""What config.json says, checked: a board in a cellar cannot ask back.

    {"v": 1, "device_id": "demo-1", "password": "...",
     "mqtt": {"host": "192.168.1.10", "port": 1883, "tls": false},
     "wifi": {"ssid": "...", "password": "..."},
     "interval_s": 10, "keepalive_s": 10}

port, tls, interval_s and keepalive_s may be left out (1883, or 8883 with tls; false; 10; 10).
With tls, the certificate of the authority lies beside it as ca.der (DER: PEM needs a parser most builds lack).
"""

import json
import os

PATH = "config.json"
CA_PATH = "ca.der"


class ConfigError(Exception):
    """One line that says what to change in config.json."""


class Settings:
    """A checked configuration."""

    def __init__(self, data):
        if _get(data, "v", int) != 1:
            raise ConfigError('"v" must be 1')
        self.device_id = _device_id(_get(data, "device_id", str))
        self.password = _text(data, "password")
        mqtt = _get(data, "mqtt", dict)
        self.host = _text(mqtt, "host", "mqtt.")
        self.tls = _get(mqtt, "tls", bool, False, "mqtt.")
        self.port = _number(mqtt, "port", 8883 if self.tls else 1883, 1, 65535, "mqtt.")
        wifi = _get(data, "wifi", dict)
        self.ssid = _text(wifi, "ssid", "wifi.")
        self.wifi_password = _get(wifi, "password", str, "", "wifi.")
        self.interval_s = _number(data, "interval_s", 10, 1, 3600)
        # 0 would mean no will at all when the mains goes; brokers commonly refuse more than 120.
        self.keepalive_s = _number(data, "keepalive_s", 10, 2, 120)
        self.ca = _read_ca() if self.tls else None


def load(path=PATH):
    """Read and check the configuration; every failure is a ConfigError."""
    try:
        with open(path) as file:
            data = json.load(file)
    except OSError:
        raise ConfigError("not found: copy it to the board, next to main.py")
    except ValueError:  # UnicodeError too
        raise ConfigError("not valid JSON: look for a missing comma, quote or bracket")
    if not isinstance(data, dict):
        raise ConfigError("must be a JSON object, {...}")
    return Settings(data)


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


def _device_id(value):
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
    if not 1 <= len(value) <= 48 or any(char not in allowed for char in value):
        raise ConfigError('"device_id" must be 1 to 48 of a-z, 0-9 and -')
    return value


def _read_ca():
    try:
        if os.stat(CA_PATH)[6] > 4096:
            raise ConfigError("mqtt.tls: %s is too big for one certificate" % CA_PATH)
        with open(CA_PATH, "rb") as file:
            return file.read()
    except OSError:
        raise ConfigError("mqtt.tls is true, but %s is not on the board" % CA_PATH)
