"""Flashes that fail as told: files that lose power at any byte, a littlefs in RAM that does, and one that counts."""

import shim_flash

shim_flash.fit()

import os  # noqa: E402

import store  # noqa: E402


class PowerLost(BaseException):
    """Everything stops here; no handler of the firmware's takes it."""


class Cut:
    """Stands under store.py: each byte written and each change of the folder costs one of the budget."""

    def __init__(self, budget, fat=False):
        self.left = budget
        self.fat = fat  # a rename is two steps there
        store.open = self.open
        store.os = self

    def restore(self):
        store.open = open
        store.os = os

    def spend(self):
        if self.left <= 0:
            raise PowerLost
        self.left -= 1

    def open(self, path, mode):
        if "w" in mode:
            self.spend()
            return Torn(open(path, mode), self)
        return open(path, mode)

    def rename(self, old, new):
        self.spend()
        if self.fat:
            try:
                os.remove(new)
            except OSError:
                pass
            self.spend()
        os.rename(old, new)

    def remove(self, path):
        self.spend()
        os.remove(path)

    def mkdir(self, path):
        self.spend()
        os.mkdir(path)

    def listdir(self, path):
        return os.listdir(path)

    def stat(self, path):
        return os.stat(path)


class Torn:
    def __init__(self, file, cut):
        self._file = file
        self._cut = cut

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def write(self, data):
        for index in range(len(data)):
            self._cut.spend()
            self._file.write(data[index : index + 1])


class Blocks:
    """A NOR flash in RAM. After `budget` changes it takes no more, and half of the last one."""

    def __init__(self, count, budget=None, data=None, size=512):
        self.size = size
        self.data = data if data is not None else bytearray(count * size)
        self.budget = budget
        self.changes = 0
        self.erases = 0

    def readblocks(self, block, buffer, offset=0):
        at = block * self.size + offset
        buffer[:] = self.data[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        return self._change(block * self.size + offset, bytes(buffer))

    def ioctl(self, request, argument):
        if request == 4:
            return len(self.data) // self.size
        if request == 5:
            return self.size
        if request == 6:
            self.erases += 1
            return self._change(argument * self.size, b"\xff" * self.size)
        return 0

    def _change(self, at, new):
        left = self.budget - self.changes if self.budget is not None else 1
        self.changes += 1
        if left < 0:
            return -5
        if left == 0:
            new = new[: len(new) // 2]
        self.data[at : at + len(new)] = new
        return -5 if left == 0 else 0


def mount(blocks, make=False):
    """The littlefs on these blocks becomes the place of the board's files."""
    import vfs

    if make:
        vfs.VfsLfs2.mkfs(blocks)
    vfs.mount(vfs.VfsLfs2(blocks, readsize=32, progsize=32, lookahead=32), "/flash")
    os.chdir("/flash")


def unmount():
    import vfs

    os.chdir("/")
    vfs.umount("/flash")
