"""A board with the real launcher and Updater, fake slots, a server and a flash that fails as told.

update_mpy.py MODE: "boots" runs some boots, "cuts" an update for every moment the power can go, "full" one for
every byte the flash can be full at, "steps" calls one Updater as told. options.json says how, see DEFAULTS.
"""

import builtins
import gc
import json
import os
import sys

REAL_OS = os
REAL_OPEN = open


class PowerLost(BaseException):
    """Everything stops here; no handler of the firmware's takes it."""


class Flash:
    """Stands under everything that writes: each byte and each change of a folder costs one of the budget."""

    def __init__(self):
        self.left = None  # unlimited
        self.cut = True  # else the flash is full then
        self.spent = 0
        self.free = None

    def spend(self, count):
        """How many of these are still to be had."""
        if self.left is None:
            self.spent += count
            return count
        count = min(count, self.left)
        self.left -= count
        return count

    def stop(self):
        if self.cut:
            raise PowerLost
        raise OSError(28)

    def one(self):
        if not self.spend(1):
            self.stop()

    def open(self, path, mode="r"):
        if mode[0] in "wa":
            self.one()
            return File(REAL_OPEN(path, mode))
        return REAL_OPEN(path, mode)

    def rename(self, old, new):
        self.one()
        REAL_OS.rename(old, new)

    def mkdir(self, path):
        self.one()
        REAL_OS.mkdir(path)

    def remove(self, path):
        if self.cut:  # a full flash can always forget
            self.one()
        REAL_OS.remove(path)

    def statvfs(self, path):
        there = list(REAL_OS.statvfs(path))
        if self.free is not None:
            there[0] = there[1] = 1
            there[4] = self.free
        return tuple(there)

    def __getattr__(self, name):
        return getattr(REAL_OS, name)


class File:
    def __init__(self, file):
        self._file = file

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def close(self):
        self._file.close()

    def write(self, data):
        count = flash.spend(len(data))
        self._file.write(memoryview(data)[:count])
        if count < len(data):
            self._file.close()
            flash.stop()


flash = Flash()
builtins.open = flash.open
sys.modules["os"] = flash

import launcher_mpy as launcher  # noqa: E402 - they shall see this flash

import main  # noqa: E402
import update  # noqa: E402

DEFAULTS = {
    "boots": 1,
    "chunk": 960,  # bytes
    "send": 1_000_000,  # chunks, then the server falls silent
    "spoil": None,  # offset of a chunk with one wrong bit
    "again": True,  # the order is sent at each boot until it has its last word
    "confirm": True,
    "acknowledge": True,
    "crash": None,  # a version that does so
    "turns": 4000,  # of the main loop in a boot
    "free": None,
}


class Board:
    uptime_ms = 0

    def __init__(self, version):
        self.FIRMWARE = version


class Server:
    """Sends the order, gives the chunks that are asked for, hears the reports."""

    def __init__(self, order, data, options):
        self.order = order
        self.data = data
        self.options = options
        self.sent = 0
        self.last_word = None
        self.reports = []

    def hear(self, report, updater):
        if not self.options.get("measure") or report["state"] != "loading":
            self.reports.append(dict(report))
        if report["state"] in ("done", "failed", "refused"):
            self.last_word = report
        if report["state"] == "loading" and self.sent < self.options["send"]:
            self.sent += 1
            at = report["offset"]
            piece = bytearray(self.data[at : at + self.options["chunk"]])
            if self.options["spoil"] == at:
                piece[0] ^= 1
            updater.chunk(at.to_bytes(4, "big") + piece)


lines = []
live = 0  # bytes that an update held on the heap at most


def life(server, options):
    """What the fake firmware's run() does: the main loop of the supervisor, as far as an update is concerned."""

    def run(version, slot):
        global live
        if options["crash"] == version:
            raise ValueError("it does not work")
        gc.collect()
        before = gc.mem_alloc()
        board = Board(version)
        updater = update.Updater(None, board, lines.append)
        if options["again"] and not (server.last_word or updater.trial):
            updater.offer(server.order)
        for _ in range(options["turns"]):
            board.uptime_ms += 5_000 if updater.trial else 100
            if updater.trial:
                if options["confirm"]:
                    updater.confirm()
                if updater.trial and board.uptime_ms >= 300_000:
                    updater.expired()
                    break
            ready = updater.tick()
            if options.get("measure"):
                gc.collect()
                live = max(live, gc.mem_alloc() - before)
            if updater.report and options["acknowledge"]:
                server.hear(updater.report, updater)
                updater.reported()
            if ready:
                break
            if server.last_word and not updater.report:
                return 0
        raise launcher.machine.Restart

    return run


def boots(server, options):
    launcher.Fake.plan = life(server, options)
    done = []
    for _ in range(options["boots"]):
        server.reports = []
        lines.clear()
        boot = launcher.boot()
        boot["reports"] = server.reports
        boot["state"] = launcher.state()
        done.append(boot)
    return done


def steps(listed):
    """Calls of one Updater of version 1 in slot a, [name, argument]; what each gave."""
    main.Slot.name = "a"
    sys.modules["slot"] = main.Slot
    board = Board("1")
    updater = update.Updater(None, board, lines.append)
    said = []
    for name, argument in listed:
        gave = None
        if name == "tick":
            for _ in range(argument):
                board.uptime_ms += 100
                gave = updater.tick()
        elif name == "chunk":
            offset, text = argument
            updater.chunk(offset.to_bytes(4, "big") + bytes.fromhex(text))
        elif name == "full":
            flash.cut, flash.left = False, 0 if argument else None
        elif name == "trial":
            main.Slot.trial = True
            updater = update.Updater(None, board, lines.append)
        elif name == "files":
            gave = len(REAL_OS.listdir("/dev/fd"))  # that are open
        elif name in ("report", "active", "trial?"):
            gave = getattr(updater, name.strip("?"))
        else:
            gave = getattr(updater, name)(argument) if argument else getattr(updater, name)()
        said.append(gave)
    return said


def clean():
    """The board before the update: slot a runs, of slot b nothing."""
    for folder in ("state", "b"):
        try:
            for name in REAL_OS.listdir(folder):
                REAL_OS.remove(folder + "/" + name)
            REAL_OS.rmdir(folder)
        except OSError:
            pass
    try:
        REAL_OS.remove(update.bundle.PART)
    except OSError:
        pass


def trouble(order, data, options):
    """For each moment at which the flash can stop: what the next boot ran, and whether all ended well."""
    flash.left = None
    clean()
    server = Server(order, data, options)
    flash.spent = 0
    boots(server, options)
    total = flash.spent
    first = {}
    bad = []
    texts = set()
    for budget in range(0, total, options.get("stride", 1)):
        clean()
        flash.left = budget
        server = Server(order, data, options)
        try:
            boots(server, options)
        except PowerLost:
            pass
        flash.left = None
        if server.last_word and server.last_word["state"] == "failed":
            texts.add(server.last_word["text"])
            server.last_word = None
            server.order = dict(order, order="o-2")
        (boot,) = boots(server, dict(options, boots=1))
        ran = boot["ran"][0][0] if boot["ran"] else "nothing"
        first[ran] = first.get(ran, 0) + 1
        rest = boots(server, dict(options, boots=4))
        end = (rest[-1]["state"] or {}).get("active"), rest[-1]["ran"]
        if end != ("b", [["2", "b", False]]) or not server.last_word or server.last_word["state"] != "done":
            bad.append([budget, ran, end, server.last_word])
    return {"total": total, "first": first, "bad": bad, "texts": sorted(texts)}


if __name__ == "__main__":
    options = dict(DEFAULTS)
    with REAL_OPEN("options.json") as file:
        options.update(json.load(file))
    with REAL_OPEN("bundle", "rb") as file:
        data = file.read()
    flash.free = options["free"]
    if sys.argv[1] == "boots":
        result = {"boots": boots(Server(options["order"], data, options), options), "log": lines}
        result["heap"] = live
    elif sys.argv[1] == "steps":
        result = steps(options["steps"])
    else:
        flash.cut = sys.argv[1] == "cuts"
        result = trouble(options["order"], data, options)
    print(json.dumps(result))
