"""Puts store.py through one trouble with the flash; prints what a reader saw."""

import sys

import flash_mpy as flash  # first: from here on the flash can be full

import json
import os

import store

OLD = b"as it was before"
NEW = b"as it should be from now on"
NAME = "thing"
PATH = "state/" + NAME


def seen():
    data = store.read(NAME)
    return data.decode() if data is not None else None


def clear():
    store.remove(NAME)
    if store.names(""):
        raise Exception(store.names(""))


def write():
    store.write(NAME, NEW)


def remove():
    store.remove(NAME)


def cut(action, old, fat=False, again=False):
    """Lose power after 0, 1, 2 ... steps, until the action comes to its end; what a reader then sees, thrice."""
    outcomes = set()
    budget = 0
    done = False
    while not done:
        for second in range(3) if again else (None,):
            clear()
            if old is not None:
                store.write(NAME, old)
            power = flash.Cut(budget, fat)
            done = True
            try:
                action()
            except flash.PowerLost:
                done = False
            if second is not None:  # and once more while what the first left is put right
                power.left = second
                try:
                    store.read(NAME)
                except flash.PowerLost:
                    pass
            power.restore()
            views = [seen(), seen(), seen()]
            left = [entry for entry in os.listdir("state") if entry.endswith(".new")]
            usable = store.write(NAME, b"next") and seen() == "next"
            outcomes.add((views[0], views[1], views[2], len(left), usable))
        budget += 1
    return {"steps": budget, "outcomes": list(outcomes)}


def cuts(action, old, fat, again):
    store.write(NAME, b"")
    actions = {"write": write, "remove": remove}
    print(json.dumps(cut(actions[action], OLD if old == "old" else None, fat == "fat", again == "again")))


def first():
    """The very first write of all, which makes the folder too."""
    outcomes = []
    budget = 0
    done = False
    while not done:
        clear()
        try:
            os.rmdir("state")
        except OSError:
            pass
        power = flash.Cut(budget)
        done = True
        try:
            write()
        except flash.PowerLost:
            done = False
        power.restore()
        outcomes.append(seen())
        budget += 1
    print(json.dumps(outcomes))


def leftover():
    """Removing what a cut left in two copies: the leftover must not come back when the file is gone."""
    outcomes = []
    for budget in range(4):
        store.write(NAME, OLD)
        os.rename(PATH, "state/keep")
        store.write(NAME, NEW)
        os.rename(PATH, PATH + ".new")
        os.rename("state/keep", PATH)
        power = flash.Cut(budget)
        try:
            remove()
        except flash.PowerLost:
            pass
        power.restore()
        outcomes.append(seen())
        remove()
    print(json.dumps(outcomes))


def stale():
    """A whole leftover beside a whole file."""
    store.write(NAME, NEW)
    os.rename(PATH, "state/keep")
    store.write(NAME, OLD)
    os.rename("state/keep", PATH + ".new")
    print(json.dumps([seen(), os.listdir("state").count(NAME + ".new")]))


def failing():
    """Only the leftover is whole, and the flash takes no change at all."""
    store.write(NAME, NEW)
    os.rename(PATH, PATH + ".new")
    os.mkdir("world")
    put("world/flash-full", b"")
    result = [seen(), store.write(NAME, OLD), seen()]
    os.remove("world/flash-full")
    result += [store.write(NAME, OLD), seen()]
    print(json.dumps(result))


def littlefs():
    """The same on a real littlefs, whose blocks stop taking changes after 0, 1, 2 ... of them."""
    whole = flash.Blocks(16)
    flash.mount(whole, make=True)
    store.write(NAME, OLD)
    store.write("other", b"untouched")
    flash.unmount()
    outcomes = set()
    budget = 0
    done = False
    while not done:
        blocks = flash.Blocks(16, budget, bytearray(whole.data))
        flash.mount(blocks)
        said = True
        for turn in range(40):  # enough to have littlefs compact its folder
            said = said and store.write(NAME, NEW if turn % 2 else OLD)
        done = blocks.changes <= budget
        flash.unmount()
        flash.mount(flash.Blocks(16, None, blocks.data))
        outcomes.add((seen(), (store.read("other") or b"").decode(), said, store.write(NAME, b"next"), seen()))
        flash.unmount()
        budget += 1
    print(json.dumps({"steps": budget, "outcomes": list(outcomes), "erases": blocks.erases}))


def spoilt(good):
    for length in range(len(good)):
        yield good[:length]
    for index in range(len(good)):
        for flip in (1, 0x80, 0xFF):
            yield good[:index] + bytes([good[index] ^ flip]) + good[index + 1 :]
    yield good + b"\0"
    yield b"\0" * len(good)
    yield b"\xff" * len(good)


def put(path, data):
    with open(path, "wb") as file:
        file.write(data)


def damage(new):
    """Each byte changed, and the file cut short at each length; with new, a whole copy left beside it."""
    store.write(NAME, OLD)
    with open(PATH, "rb") as file:
        good = file.read()
    store.write("copy", NEW)
    with open("state/copy", "rb") as file:
        copy = file.read()
    outcomes = set()
    count = 0
    for data in spoilt(good):
        put(PATH, data)
        if new == "new":
            put(PATH + ".new", copy)
        outcomes.add((seen(), seen(), store.write(NAME, OLD), seen()))
        count += 1
    # The other way about: the file is whole, and what lies beside it is not.
    beside = set()
    for data in spoilt(good):
        put(PATH + ".new", data)
        beside.add((seen(), os.listdir("state").count(NAME + ".new")))
    print(json.dumps({"count": count, "damaged": list(outcomes), "beside": list(beside)}))


def full():
    """No room, on the desktop's flash."""
    os.mkdir("world")
    result = {"before": store.write(NAME, OLD)}
    put("world/flash-full", b"")
    result["said"] = [store.write(NAME, OLD), store.write(NAME, NEW), store.write("more", NEW)]
    result["files"] = sorted(os.listdir("state"))
    result["read"] = [seen(), store.read("more")]
    store.remove("nothing")
    os.remove("world/flash-full")
    result["after"] = [store.write(NAME, NEW), store.read(NAME).decode()]
    print(json.dumps(result))


def starved():
    """No heap to read with, with the file, and with only the leftover of a cut that is whole."""
    result = []
    for leftover in (False, True):
        store.write(NAME, OLD)
        if leftover:
            os.rename(PATH, PATH + ".new")
        store.open = Starved
        try:
            result.append(seen())
        except MemoryError:
            result.append("MemoryError")
        result.append(store.write(NAME, NEW))
        del store.open
        result.append(seen())
    print(json.dumps(result))


class Starved:
    def __init__(self, path, mode):
        self._file = open(path, mode)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def read(self):
        raise MemoryError

    def write(self, data):
        self._file.write(data)


def no_room():
    """No room, on a real littlefs filled to its last block."""
    blocks = flash.Blocks(16)
    flash.mount(blocks, make=True)
    store.write(NAME, OLD)
    try:
        with open("filler", "wb") as file:
            while True:
                file.write(b"x" * 512)
    except OSError:
        pass
    number = 0
    try:
        while number < 200:
            with open("small-%d" % number, "wb") as file:
                file.write(b"x" * 200)
            number += 1
    except OSError:
        pass
    big = bytes(1500)
    result = {"said": [store.write(NAME, big), store.write("more", big)], "read": seen(), "fillers": number}
    for name in os.listdir():
        if name != "state":
            os.remove(name)
    result["after"] = [store.write(NAME, big), store.read(NAME) == big]
    print(json.dumps(result))


def plain():
    """The ordinary."""
    result = [store.read(NAME), store.write(NAME, b""), store.read(NAME) == b""]
    result += [store.write(NAME, bytes(range(256))), store.read(NAME) == bytes(range(256))]
    with open(PATH, "rb") as file:
        result.append(len(file.read()))
    store.write("j-2", b"x")
    store.write("j-1", b"x")
    os.rename("state/j-1", "state/j-1.new")
    result.append(store.names("j-"))
    store.remove(NAME)
    store.remove(NAME)
    result.append(store.read(NAME))
    print(json.dumps(result))


def same():
    """How many changes of the flash it costs to write the same again."""
    store.write(NAME, OLD)
    power = flash.Cut(1000)
    said = store.write(NAME, OLD)
    tries = 1000 - power.left  # looking for a leftover is one, and changes nothing
    store.write(NAME, NEW)
    print(json.dumps([said, tries, 1000 - power.left]))


globals()[sys.argv[1]](*sys.argv[2:])
