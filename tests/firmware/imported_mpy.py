"""Imports each module of a slot, as the launcher and the firmware do: where each came from."""

import gc
import json
import os
import sys

import run

run.fit_umqtt()
sys.path.insert(0, sys.argv[1])

where = {}
for file in os.listdir(sys.argv[1]):
    before = set(sys.modules)
    where[file] = __import__(file[:-4]).__file__
    for name in set(sys.modules) - before:  # all at once would be more than the firmware ever has loaded
        del sys.modules[name]
    gc.collect()
print(json.dumps(where))
