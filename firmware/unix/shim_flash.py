"""The flash of the desktop's board: it is full while world/flash-full exists. The folder world is no part of it."""

import builtins
import io
import os
import sys

_open = open
_os = os


class _File(io.IOBase):
    def __init__(self, file):
        self._file = file

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    # The stream protocol looks these up on the class.
    def readinto(self, buffer):
        return self._file.readinto(buffer)

    def write(self, data):
        _room()
        return self._file.write(data)

    def ioctl(self, request, argument):
        if request == 4:  # MP_STREAM_CLOSE
            self._file.close()
        return 0


class _Os:
    def __getattr__(self, name):
        return getattr(_os, name)

    def rename(self, old, new):
        _room()
        _os.rename(old, new)

    def mkdir(self, path):
        _room()
        _os.mkdir(path)


def fit():
    """Let open() and os, as modules imported from now on see them, know the flash's limits."""
    builtins.open = _open_limited
    sys.modules["os"] = _Os()


def _open_limited(path, mode="r", *args, **options):
    file = _open(path, mode, *args, **options)
    ours = isinstance(path, str) and not path.startswith("world/") and any(letter in mode for letter in "wa+x")
    return _File(file) if ours else file


def _room():
    try:
        _os.stat("world/flash-full")
    except OSError:
        return
    raise OSError(28)
