"""What happened while nobody could be told: noted in RAM, where it matters in flash too, and sent on reconnect.

Everything is dated on the scale of this boot's uptime; what an earlier boot noted lies below zero there. It gets
there by the RTC, where that went on through the reset, or by the clock, if it was set then and is set now. What
neither can date is dropped and counted, never guessed. When the ring is full, the least goes: a change of the
network before a boot, and that before a change of the mains; among equals what is in RAM alone, then the oldest.

Wear: a small file for each entry (0.07 erases of a 4 KiB block, its removal included), WRITES of them at once and one
more each half hour; beyond that RAM alone.
"""

import struct

import store

KINDS = ("net_lost", "net_back", "boot", "mains_lost", "mains_back")
RANK = b"\x00\x00\x01\x02\x02"
ENTRIES = 64  # in RAM
SLOTS = 32  # in flash
WRITES = 32
REFILL_MS = 1_800_000
YEAR_MS = 31_536_000_000
LIMIT = 1024  # the contract's largest payload
SLACK_MS = 5_000  # clocks of whole seconds, and what setting one moves it
PREFIX = "j-"
RECORD = "<IBIII"  # number, kind, seconds since 1970 or 0, era, seconds of the era

# An entry is [number, kind, uptime in ms or None, seconds since 1970, slot or None].


class Journal:
    """The entries not sent yet, oldest first."""

    def __init__(self, board):
        self._board = board
        self._entries = []
        self._batch = ()
        self._writes = WRITES
        self._refilled = board.uptime_ms
        self.lost = 0  # dropped for want of room, or damaged in flash
        self.undated = 0
        self._load()
        self._number = self._entries[-1][0] + 1 if self._entries else 0

    def note(self, kind, keep=False, at_ms=None):
        """Remember what happens now, or happened at that uptime; keep: through a reset and a loss of power too."""
        board = self._board
        board.tick()
        entry = [self._number, KINDS.index(kind), board.uptime_ms if at_ms is None else at_ms, 0, None]
        self._number += 1
        self._entries.append(entry)
        if len(self._entries) > ENTRIES:
            self.lost += 1
            least = min(self._entries, key=lambda entry: (RANK[entry[1]], entry[4] is not None, entry[0]))
            self._drop(least)
            if least is entry:
                return
        if keep:
            self._keep(entry)

    def batch(self, limit=16):
        """One payload of the oldest entries, dated as of now, or None. Those that wait for the clock are left out."""
        self._board.tick()
        self._date()
        now = self._board.uptime_ms
        text = '{"v":1,"boot":"%s","entries":[' % self._board.boot
        batch = []
        for entry in self._entries:
            if entry[2] is None:
                continue
            # Whole numbers: the chip's float has seven digits, a year in seconds has eight.
            tenths = (now - entry[2] + 50) // 100
            item = '%s{"t_s":-%d.%d,"kind":"%s"}' % ("," if batch else "", tenths // 10, tenths % 10, KINDS[entry[1]])
            if len(batch) >= limit or len(text) + len(item) + 2 > LIMIT:
                break
            text += item
            batch.append(entry[0])
        self._batch = batch
        return (text + "]}").encode() if batch else None

    def sent(self):
        """The last batch() arrived: forget it. What was noted since stays."""
        batch, self._batch = self._batch, ()
        for entry in [entry for entry in self._entries if entry[0] in batch]:
            self._drop(entry)

    def _keep(self, entry):
        board = self._board
        earned = (board.uptime_ms - self._refilled) // REFILL_MS
        self._refilled += earned * REFILL_MS
        self._writes = min(self._writes + earned, WRITES)
        if not self._writes:
            return
        kept = [other for other in self._entries if other[4] is not None]
        least = None
        if len(kept) < SLOTS:
            used = [other[4] for other in kept]
            slot = next(slot for slot in range(SLOTS) if slot not in used)
        else:
            kept.append(entry)
            least = min(kept, key=lambda entry: (RANK[entry[1]], entry[0]))
            if least is entry:
                return
            slot = least[4]
        self._writes -= 1
        ago_s = (board.uptime_ms - entry[2]) // 1000
        epoch = board.epoch()
        epoch = epoch - ago_s if epoch else 0
        record = struct.pack(RECORD, entry[0], entry[1], epoch, board.era, max(board.age_s() - ago_s, 0))
        if store.write(PREFIX + str(slot), record):
            entry[4] = slot
            if least:
                least[4] = None

    def _load(self):
        for name in store.names(PREFIX):
            try:
                slot = int(name[len(PREFIX) :])
                number, kind, epoch, era, age_s = struct.unpack(RECORD, store.read(name))
                entry = [number, kind, None, epoch, slot]
                if not (0 <= slot < SLOTS and kind < len(KINDS)):
                    raise ValueError
            except (ValueError, TypeError):  # another name, another length, or None: damaged
                store.remove(name)
                self.lost += 1
                continue
            self._entries.append(entry)
            if era == self._board.era:
                self._place(entry, self._board.age_s() - age_s)
            elif not epoch:
                self._drop(entry)
                self.undated += 1
        self._entries.sort(key=lambda entry: entry[0])

    def _date(self):
        """Date what waited for the clock; drop what is too old to be told."""
        now_s = self._board.epoch()
        for entry in list(self._entries):
            if entry[2] is None and now_s is not None:
                self._place(entry, now_s - entry[3])
            if entry[2] is not None and self._board.uptime_ms - entry[2] > YEAR_MS:
                self._drop(entry)
                self.undated += 1

    def _place(self, entry, ago_s):
        """Date an entry of an earlier boot; one that would be of this boot was dated by a clock that is wrong."""
        at_ms = self._board.uptime_ms - ago_s * 1000
        if at_ms > SLACK_MS:
            self._drop(entry)
            self.undated += 1
        else:
            entry[2] = min(at_ms, 0)

    def _drop(self, entry):
        self._entries.remove(entry)
        if entry[4] is not None:
            store.remove(PREFIX + str(entry[4]))
