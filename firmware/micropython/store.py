"""Small files that survive a power cut: data and its CRC32, written beside the old copy and then renamed over it.

At every moment the old or the new copy is whole. A name + ".new" that a cut left behind counts only where the file
itself is not whole (FAT cannot rename over a file in one step, littlefs can).
"""

import binascii
import os

FOLDER = "state"
NEW = ".new"


def read(name):
    """The bytes written last; None where there are none or they are damaged.

    MemoryError passes: what cannot be read for that is not gone, and nobody must act as if it were.
    """
    path = FOLDER + "/" + name
    data = _load(path)
    if data is None:
        data = _load(path + NEW)
        if data is not None:
            try:
                os.rename(path + NEW, path)
            except OSError:
                pass  # it is read from here next time too
            return data
    _remove(path + NEW)
    return data


def write(name, data):
    """Keep the bytes; False when the flash is full or fails: the old ones stay then. The same again costs no wear."""
    path = FOLDER + "/" + name
    try:
        if read(name) == data:
            return True
    except MemoryError:
        return False
    try:
        os.stat(path + NEW)
        return False  # the flash did not even take the renaming of what may be the only whole copy
    except OSError:
        pass
    if _save(path, data):
        return True
    try:
        os.mkdir(FOLDER)
    except OSError:  # it is there: the flash is full
        return False
    return _save(path, data)


def remove(name):
    """Forget it. The leftover goes first, or a cut in between would bring it back."""
    path = FOLDER + "/" + name
    _remove(path + NEW)
    _remove(path)


def names(prefix):
    """The names that begin so, whole or not."""
    found = set()
    try:
        for entry in os.listdir(FOLDER):
            if entry.endswith(NEW):
                entry = entry[: -len(NEW)]
            if entry.startswith(prefix):
                found.add(entry)
    except OSError:
        pass
    return sorted(found)


def _load(path):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    if _crc(data[:-4]) != data[-4:]:
        return None
    return data[:-4]


def _save(path, data):
    try:
        with open(path + NEW, "wb") as file:
            file.write(data)
            file.write(_crc(data))
        os.rename(path + NEW, path)
        return True
    except (OSError, MemoryError):
        _remove(path + NEW)
        return False


def _crc(data):
    return binascii.crc32(data).to_bytes(4, "little")


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass
