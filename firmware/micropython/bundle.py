"""A bundle of the firmware on the flash: while it comes, and when it is unpacked into a slot.

A bundle is records: 1 byte length of the name, the name, 4 bytes size (big endian), the data. While it comes it lies in
update.part behind the 32 bytes of its SHA-256. app.mpy is the last file to get its name and the first to lose it, so
a slot that has one is whole. Errors are OSError (the flash) and ValueError (the bundle).
"""

import hashlib
import os

PART = "update.part"
HEAD = 32
PIECE = 512
STEP = 8  # pieces between two turns of the main loop
APP = "app.mpy"
APP_NEW = "app.new"
NAME = "abcdefghijklmnopqrstuvwxyz0123456789_"


def resume(digest, total):
    """How many bytes of this bundle are there already; begins the file anew if they are of another."""
    try:
        with open(PART, "rb") as file:
            have = _size(PART) - HEAD
            if file.read(HEAD) == digest and have <= total:
                return have
    except OSError:
        pass
    with open(PART, "wb") as file:
        file.write(digest)
    return 0


def append(data):
    """Add what came."""
    with open(PART, "ab") as file:
        file.write(data)


def verify(digest):
    """Compare the SHA-256, in steps; ValueError when it is another."""
    found = hashlib.sha256()
    buffer = memoryview(bytearray(PIECE))
    with open(PART, "rb") as file:
        file.seek(HEAD)
        pieces = 0
        while True:
            count = file.readinto(buffer)
            if not count:
                break
            found.update(buffer[:count])
            pieces += 1
            if pieces % STEP == 0:
                yield
    if found.digest() != digest:
        raise ValueError("the data came damaged: wrong SHA-256")


def unpack(slot, left):
    """Write the files of the `left` bytes of the bundle into a slot, in steps."""
    buffer = memoryview(bytearray(PIECE))
    try:
        os.mkdir(slot)
    except OSError:  # it is there; if not, the first file will tell
        pass
    whole = False
    with open(PART, "rb") as source:
        source.seek(HEAD)
        while left:
            head = source.read(1)
            name = source.read(head[0])
            size = int.from_bytes(source.read(4), "big")
            left -= 5 + head[0] + size
            if left < 0:
                raise ValueError("the bundle is cut short")
            name = _name(name)
            whole = whole or name == APP
            pieces = 0
            with open("%s/%s" % (slot, APP_NEW if name == APP else name), "wb") as target:
                while size:
                    count = source.readinto(buffer[: min(size, PIECE)])
                    if not count:
                        raise OSError(5)  # EIO
                    target.write(buffer[:count])
                    size -= count
                    pieces += 1
                    if pieces % STEP == 0:
                        yield
            yield
    if not whole:
        raise ValueError("the bundle has no " + APP)
    os.rename("%s/%s" % (slot, APP_NEW), "%s/%s" % (slot, APP))


def _name(name):
    text = name.decode()
    if text[-4:] != ".mpy" or not 5 <= len(text) <= 32 or any(char not in NAME for char in text[:-4]):
        raise ValueError("the bundle has a file with a bad name")
    return text


def files(slot):
    """The paths in a slot, the one that makes it whole first."""
    try:
        names = sorted(os.listdir(slot), key=lambda name: name != APP)
    except OSError:
        return []
    return ["%s/%s" % (slot, name) for name in names]


def size(slot):
    """Bytes that an update frees before it unpacks: the slot's files and a bundle that lies there."""
    return sum(_size(path) for path in files(slot)) + _size(PART)


def remove(path):
    """Remove a file that may not be there."""
    try:
        os.remove(path)
    except OSError:
        pass


def _size(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return 0
