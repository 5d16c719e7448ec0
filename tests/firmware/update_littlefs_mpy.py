"""One boot of a board whose files lie on a real littlefs; what it changes of the flash goes into a log.

A process is a boot, and ends like one: nothing of it is left to close files later. Arguments: the flash as it is, the
log to write, and "make" (with the files to put there in options.json) or "boot" (options: see update_mpy.py).
The log has records of 4 bytes position, 4 bytes length (both big endian), data.
"""

import hashlib
import json
import sys

import update_mpy as board

import flash_mpy

BLOCK = 4096  # bytes, as on the board
ERASED = b"\xff" * BLOCK


class Recorded:
    """NOR flash, in a file of the desktop, that notes each change. Without power it takes none."""

    def __init__(self, file, log):
        self.file = file
        self.log = log
        self.count = file.seek(0, 2) // BLOCK

    def off(self):
        self.log = None

    def readblocks(self, block, buffer, offset=0):
        self.file.seek(block * BLOCK + offset)
        self.file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        return self._change(block * BLOCK + offset, buffer)

    def ioctl(self, request, argument):
        if request == 4:
            return self.count
        if request == 5:
            return BLOCK
        if request == 6:
            return self._change(argument * BLOCK, ERASED)
        return 0

    def _change(self, at, new):
        if not self.log:
            return -5
        self.file.seek(at)
        self.file.write(new)
        self.log.write(at.to_bytes(4, "big"))
        self.log.write(len(new).to_bytes(4, "big"))
        self.log.write(new)
        return 0


def look():
    """The SHA-256 of every file of both slots."""
    found = {}
    for slot in ("a", "b"):
        try:
            names = board.REAL_OS.listdir(slot)
        except OSError:
            names = []
        found[slot] = {}
        for name in names:
            with board.REAL_OPEN(slot + "/" + name, "rb") as file:
                found[slot][name] = hashlib.sha256(file.read()).digest().hex()
    return found


def make(blocks, options):
    flash_mpy.mount(blocks, make=True)
    for path, text in options["files"].items():
        folder = path.split("/")[0]
        if folder not in board.REAL_OS.listdir():
            board.REAL_OS.mkdir(folder)
        with board.REAL_OPEN(path, "wb") as file:
            file.write(bytes.fromhex(text))
    flash_mpy.unmount()


def boot(blocks, options, data):
    flash_mpy.mount(blocks)
    slots = look()
    flash_mpy.unmount()
    flash_mpy.mount(blocks)
    server = board.Server(options["order"], data, options)
    if options["heard"]:
        server.last_word = options["heard"]
    live = board.life(server, options)

    def run(version, slot):
        try:
            return live(version, slot)
        finally:
            blocks.off()  # the reset that follows closes nothing

    board.launcher.Fake.plan = run
    done = board.launcher.boot()
    done.update(slots=slots, reports=server.reports, heard=server.last_word)
    return done


if __name__ == "__main__":
    options = dict(board.DEFAULTS)
    with board.REAL_OPEN("options.json") as file:
        options.update(json.load(file))
    with board.REAL_OPEN("bundle", "rb") as file:
        data = file.read()
    with board.REAL_OPEN(sys.argv[1], "r+b") as file, board.REAL_OPEN(sys.argv[2], "wb") as log:
        blocks = Recorded(file, log)
        result = make(blocks, options) if sys.argv[3] == "make" else boot(blocks, options, data)
    print(json.dumps(result))
