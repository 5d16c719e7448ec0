"""Drives one Keys through steps, each [name, argument]; prints what each gave.

Steps: "password", "refused", "accepted", "reported", "report", "offer" and "check" with an order, "boot" (begin anew,
with changes to the configuration), "full" (the flash, from now on or not), "spoil" (a state file), "writes" (so far).
"""

import json
import os
import sys

import keys
import signed
import store

write = store.write
writes = 0
full = False


def counted(name, data):
    global writes
    if full:
        return False
    if store.read(name) != data:
        writes += 1
    return write(name, data)


store.write = counted


class Config:
    device_id = "demo-1"
    password = "first"
    update_key = bytes(range(32))


def boot(changes):
    for name, value in (changes or {}).items():
        setattr(Config, name, value)
    return keys.Keys(Config, lines.append)


def spoil(name):
    with open("state/" + name, "r+b") as file:
        file.seek(5)
        file.write(b"\x00")


lines = []
if sys.argv[1] == "hmac":
    with open("cases.json") as file:
        cases = json.load(file)
    print(json.dumps([signed.hmac(bytes.fromhex(key), bytes.fromhex(data)).hex() for key, data in cases]))
elif sys.argv[1] == "same":
    one = bytes(range(32))
    wrong = [one[:at] + bytes([one[at] ^ 1]) + one[at + 1 :] for at in range(32)]
    wrong += [b"", one[:31], one + b"\x00", one + one]
    print(json.dumps([signed.same(one, other) for other in [one] + wrong]))  # noqa: RUF005 - not MicroPython
else:
    with open("steps.json") as file:
        steps = json.load(file)
    board = boot(None)
    said = []
    for name, argument in steps:
        if name == "boot":
            board = boot(argument)
            said.append(None)
        elif name == "full":
            full = argument
            said.append(None)
        elif name == "spoil":
            said.append(spoil(argument))
        elif name == "lose":
            said.append(os.remove("state/" + argument))
        elif name == "writes":
            said.append(writes)
        elif name in ("password", "report"):
            said.append(getattr(board, name))
        else:
            said.append(getattr(board, name)(argument) if argument else getattr(board, name)())
    print(json.dumps(said))
