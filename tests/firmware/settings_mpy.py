"""Loads config.json; prints null, or what is wrong. With "remember", also keeps it as one that works."""

import json
import sys

import settings

lines = []
try:
    settings.load(log=lines.append)
    if "remember" in sys.argv:
        settings.remember()
    print("null")
except settings.ConfigError as error:
    print(json.dumps(str(error)))
