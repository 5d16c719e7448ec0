"""config.json as a board reads it. Prints, by argument:

nothing: null, or what is wrong. kept: the same, and keeps it as one that works; how often flash was written.
read: what is read of it, or of the kept copy. cuts: what is read after a cut at every step of saving another.
"""

import json
import sys

import checked
import flash_mpy as flash
import settings
import store

LAST_BYTES = 110
LATER = (None, 0, 1, 5, 60, 128, 130, 131, 132, 133, 134, 135, 136, 138)
MODE = sys.argv[1] if len(sys.argv) > 1 else ""


def loaded(log=lambda line: None):
    try:
        return settings.load(log=log)
    except settings.ConfigError as error:
        return str(error)


def told(config):
    if isinstance(config, str):
        return config
    return "%s %s %s" % (config.device_id, config.ssid, config.ca and config.ca.decode())


def made(name, tls=True):
    mqtt = {"host": "h", "tls": tls}
    return {"v": 1, "device_id": name, "password": name + "-word", "mqtt": mqtt, "wifi": {"ssid": name}}


def cuts(first_ca):
    """Saving "b" over "a" and "c" over what is there then, with the power lost at each step of both."""
    outcomes = set()
    budget = 0
    done = False
    while not done:
        # Until the files are renamed one step is like the other: every tenth will do for the second cut.
        for second in (None,) if budget < LAST_BYTES and budget % 10 else LATER:
            settings.save(made("a", tls=first_ca is not None), first_ca)
            store.write("proved", b"1")
            power = flash.Cut(budget)
            settings.open, settings.os = power.open, power
            done = True
            try:
                settings.save(made("b"), b"CB")
            except flash.PowerLost:
                done = False
            if second is not None:
                power.left = 10_000
                before = told(loaded())
                power.left = second
                try:
                    loaded()  # puts right what the first left
                    settings.save(made("c"), b"CC")
                except flash.PowerLost:
                    pass
                power.left = 10_000
                after = told(loaded())
                if after not in (before, "c c CC"):
                    raise Exception("%s, then %s (%d, %s)" % (before, after, budget, second))
            power.restore()
            settings.open, settings.os = open, flash.os
            views = [told(loaded()), told(loaded())]
            if views[0] != views[1]:
                raise Exception(views)
            if store.read("proved") and views[0][0] != "a":
                raise Exception("called proved: " + views[0])
            outcomes.add(views[0])
        budget += 1
    return {"steps": budget, "outcomes": sorted(outcomes)}


if MODE == "":
    config = loaded()
    print(json.dumps(config if isinstance(config, str) else None))
elif MODE == "kept":
    config = loaded()
    if not config.copy:
        checked.keep(config.__dict__)
    written = []
    write = store.write
    store.write = lambda name, data: written.append(name) or write(name, data)
    checked.remember()
    checked.remember()
    print(json.dumps(written))
elif MODE == "read":
    lines = []
    config = loaded(lines.append)
    answer = {"lines": lines, "error": config if isinstance(config, str) else None}
    if not isinstance(config, str):
        for name in dir(config):
            if name[0] != "_":
                value = getattr(config, name)
                answer[name] = list(value) if isinstance(value, bytes) else value
    print(json.dumps(answer))
elif MODE == "cuts":
    print(json.dumps([cuts(b"CA"), cuts(None)]))
