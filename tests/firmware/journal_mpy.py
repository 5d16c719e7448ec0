"""Boards that live through several boots with one journal; prints what they would send."""

import sys

import flash_mpy as flash  # first: from here on the flash can be full

import json
import os
import time

import journal
import store

NOON = 1_800_000_000  # seconds since 1970, in 2027


class Board:
    """As much of a board as a journal sees, with a clock and a power switch of its own."""

    def __init__(self, clock=NOON, era=1, age_s=0, boot="b0"):
        self.uptime_ms = 0
        self.clock = clock
        self.era = era
        self.boot = boot
        self._age_s = age_s

    def tick(self):
        pass

    def epoch(self):
        return self.clock

    def age_s(self):
        return self._age_s

    def pass_s(self, seconds):
        self.uptime_ms += int(seconds * 1000)
        self._age_s += int(seconds)
        if self.clock is not None:
            self.clock += int(seconds)


def sent(told, limit=16):
    payload = told.batch(limit)
    if payload is None:
        return None
    return [[entry["kind"], entry["t_s"]] for entry in json.loads(payload)["entries"]]


def kinds(told, limit=64):
    """All that is remembered, in order."""
    found = []
    while True:
        batch = sent(told, limit)
        if batch is None:
            return found
        found += [kind for kind, _ in batch]
        told.sent()


def kept():
    return store.names("j-")


def show(**result):
    print(json.dumps(result))


def one_boot():
    board = Board(clock=None)
    told = journal.Journal(board)
    empty = told.batch()
    told.note("boot")
    board.pass_s(100)
    told.note("net_lost")
    board.pass_s(0.25)
    told.note("net_back")
    board.pass_s(19.97)
    show(empty=empty, payload=told.batch().decode(), lost=told.lost, undated=told.undated, flash=kept())


def golden():
    board = Board(boot="9f3c01ab")
    told = journal.Journal(board)
    board.pass_s(100)
    told.note("net_lost")
    board.pass_s(328)
    told.note("net_back")
    board.pass_s(12)
    show(payload=told.batch().decode())


def resend():
    """A batch is lost on the way; more happens meanwhile; then it arrives."""
    board = Board()
    told = journal.Journal(board)
    told.sent()
    for _ in range(3):
        told.note("mains_lost", True)
        board.pass_s(10)
        told.note("mains_back", True)
        board.pass_s(10)
    first = sent(told, 2)
    board.pass_s(5)
    again = sent(told, 2)
    told.note("net_lost")
    told.sent()
    told.sent()
    left = len(kept())
    rest = sent(told)
    told.sent()
    show(first=first, again=again, left=left, rest=rest, after=told.batch(), flash=kept())


def new_boots(how):
    """What an earlier boot kept, as a later one tells it."""
    board = Board(clock=None if how in ("never", "rtc", "set-later") else NOON, era=1)
    told = journal.Journal(board)
    board.pass_s(1000)
    told.note("mains_lost", True)
    told.note("net_lost")
    board.pass_s(30)
    told.note("mains_back", True)
    board.pass_s(6)
    later = {
        # Power was gone: another era; the clock as it says.
        "clock": lambda: Board(clock=board.clock + 500, era=2),
        "unset": lambda: Board(clock=None, era=2),
        "never": lambda: Board(clock=NOON, era=2),
        # A reset: the RTC went on.
        "rtc": lambda: Board(clock=None, era=1, age_s=board.age_s() + 2),
        "set-later": lambda: Board(clock=NOON, era=1, age_s=board.age_s() + 2),
        "wrong-clock": lambda: Board(clock=board.clock + 90_000, era=1, age_s=board.age_s() + 2),
        # Clocks that cannot be right: what was before this boot would be after it began.
        "back": lambda: Board(clock=board.clock - 1_000, era=2),
        "rtc-back": lambda: Board(clock=None, era=1, age_s=500),
        "year": lambda: Board(clock=board.clock + 31_536_000, era=2),
        "nearly": lambda: Board(clock=board.clock - 8, era=2),
    }[how]()
    later.boot = "b1"
    told = journal.Journal(later)
    told.note("boot")
    later.pass_s(20)
    first = sent(told)
    told.sent()
    waiting = len(kept())
    second = None
    if how == "unset":  # the clock is set at last
        later.clock = board.clock + 520
        second = sent(told)
        told.sent()
    show(first=first, second=second, waiting=waiting, undated=told.undated, lost=told.lost, flash=kept())


def waiting_is_kept():
    """Boots without a clock change nothing in what waits for one, and new entries come after it."""
    board = Board()
    told = journal.Journal(board)
    told.note("mains_lost", True)
    board.pass_s(60)
    for era in (2, 3, 4):
        told = journal.Journal(Board(clock=None, era=era))
        told.note("boot", True)
    flash_now = kept()
    board = Board(clock=board.clock + 100, era=5)
    told = journal.Journal(board)
    told.note("mains_back", True)
    show(sent=sent(told), undated=told.undated, before=flash_now, flash=kept())


def overflow(*story):
    """kind:count ... noted in order; what is left of them, run by run."""
    board = Board()
    told = journal.Journal(board)
    for part in story:
        kind, count = part.split(":")
        for _ in range(int(count)):
            told.note(kind)
            board.pass_s(1)
    times = []
    while told.batch(64):
        times += sent(told, 64)
        told.sent()
    runs = []
    for kind, t_s in times:
        if runs and runs[-1][0] == kind:
            runs[-1][1] += 1
        else:
            runs.append([kind, 1, t_s])
    show(runs=runs, lost=told.lost)


def wear():
    """Far more than the flash should take, then a quiet day."""
    board = Board()
    told = journal.Journal(board)
    writes = [0]
    write = store.write

    def counted(name, data):
        writes[0] += 1
        return write(name, data)

    store.write = counted
    for _ in range(500):
        told.note("mains_lost", True)
        told.note("mains_back", True)
    burst = writes[0]
    board.pass_s(3 * 1800 + 60)
    for _ in range(10):
        told.note("mains_lost", True)
    refilled = writes[0] - burst
    board.pass_s(365 * 86_400)
    for _ in range(500):
        told.note("mains_lost", True)
    show(burst=burst, refilled=refilled, most=writes[0] - burst - refilled, files=len(kept()), left=len(kinds(told)))


def slots():
    """More kept than there are files for: which survive a loss of power."""
    board = Board()
    told = journal.Journal(board)
    told.note("net_lost", True)
    for _ in range(20):
        told.note("boot", True)
    for _ in range(40):
        board.pass_s(1800)
        told.note("mains_lost", True)
    board.pass_s(1800)
    told.note("net_back", True)
    files = len(kept())
    told = journal.Journal(Board(clock=board.clock + 60, era=2))
    times = [t_s for _, t_s in sent(told, 64)]
    show(files=files, ordered=times == sorted(times), survived=kinds(told), flash=kept())


def orphan():
    """An entry to be kept that the full ring does not even take."""
    told = journal.Journal(Board())
    for _ in range(64):
        told.note("mains_lost")
    told.note("net_lost", True)
    show(left=kinds(told).count("net_lost"), flash=kept())


def erases():
    """Erases of 4 KiB blocks, for an entry that is kept, sent and forgotten."""
    blocks = flash.Blocks(8, size=4096)
    flash.mount(blocks, make=True)
    board = Board()
    told = journal.Journal(board)
    rounds = 400
    began = blocks.erases
    for _ in range(rounds):
        board.pass_s(1800)
        told.note("mains_lost", True)
        told.batch()
        told.sent()
    show(events=rounds, erases=blocks.erases - began)


def cut():
    """Power lost after 0, 1, 2 ... changes of a littlefs, while entries are noted, sent and noted again."""
    story = ("mains_lost", "mains_back", "mains_lost", "boot", "mains_back", "mains_lost")
    views = set()
    bad = []
    budget = 0
    done = False
    data = bytearray(12 * 512)
    while not done:
        blocks = flash.Blocks(12, None, data)
        flash.mount(blocks, make=True)
        board = Board()
        told = journal.Journal(board)
        blocks.budget = blocks.changes + budget
        for kind in story[:4]:
            told.note(kind, True)
            board.pass_s(10)
        told.batch(2)
        told.sent()
        for kind in story[4:]:
            told.note(kind, True)
            board.pass_s(10)
        done = blocks.changes <= blocks.budget
        safe = {entry[2] // 10_000 for entry in told._entries if entry[4] is not None}
        flash.unmount()
        flash.mount(flash.Blocks(12, None, data))
        later = Board(clock=board.clock, era=2)
        told = journal.Journal(later)
        batch = sent(told) or []
        for kind, t_s in batch:  # each entry that is left is one that was, at the time it was
            at = (t_s + 60) / 10
            if int(at + 0.5) not in range(6) or story[int(at + 0.5)] != kind:
                bad.append([budget, kind, t_s])
            safe.discard(int(at + 0.5))
        if safe:
            bad.append([budget, "lost", sorted(safe)])
        views.add((len(batch), told.lost, told.undated))
        told.note("net_lost", True)
        told.batch()
        told.sent()
        if told.batch() is not None or kept():
            bad.append([budget, "not forgotten"])
        flash.unmount()
        budget += 1
    show(steps=budget, views=sorted(views), bad=bad)


def spoil():
    """Each byte of one of two files changed, and other rubbish under the journal's names."""
    told = journal.Journal(Board())
    told.note("mains_lost", True)
    told.note("mains_back", True)
    with open("state/j-0", "rb") as file:
        good = file.read()
    views = set()
    for index in range(len(good)):
        with open("state/j-0", "wb") as file:
            file.write(good[:index] + bytes([good[index] ^ 0x41]) + good[index + 1 :])
        told = journal.Journal(Board(clock=NOON + 60, era=2))
        views.add((told.lost, kept() == ["j-1"], str(sent(told))))
    for name, data in (("j-x", b"1"), ("j-99", good[:-4]), ("j-3", b""), ("j-4", b"\xff" * 17), ("j--1", good[:-4])):
        store.write(name, data)
    told = journal.Journal(Board(clock=NOON + 60, era=2))
    show(views=list(views), size=len(good), rubbish=[told.lost, kept(), sent(told)])


def full():
    """A flash without room: remembered in RAM all the same."""
    os.mkdir("world")
    with open("world/flash-full", "wb"):
        pass
    board = Board()
    told = journal.Journal(board)
    told.note("mains_lost", True)
    board.pass_s(5)
    first = sent(told)
    os.remove("world/flash-full")
    told.note("mains_back", True)
    show(first=first, flash=kept(), rest=sent(told))


def wrap():
    """Noted before and after the ticks wrap, with the real board."""
    from board import Board as Real

    time.ticks_offset = (1 << 30) - 600_000  # ten minutes before the wrap
    time.ticks_ms = lambda: time.ticks_offset & ((1 << 30) - 1)  # what the test itself takes does not count
    told = journal.Journal(Real())
    told.note("net_lost")
    for _ in range(4):
        time.ticks_offset += 300_000
        told.note("net_back")
    show(sent=sent(told))


def long_ago():
    """A boot that lasts longer than the contract looks back."""
    board = Board()
    told = journal.Journal(board)
    told.note("mains_lost")
    board.pass_s(86_400)
    told.note("mains_back")
    board.pass_s(31_536_000 - 86_400)
    edge = sent(told)
    board.pass_s(1)
    show(edge=edge, rest=sent(told), undated=told.undated)


def biggest(limit):
    """The longest entries there can be."""
    board = Board()
    board.boot = "0" * 32
    told = journal.Journal(board)
    for _ in range(64):
        told.note("mains_lost")
    board.pass_s(31_535_999.9)
    payloads = []
    while True:
        payload = told.batch(int(limit))
        if payload is None:
            break
        payloads.append(payload.decode())
        told.sent()
    show(payloads=payloads)


def dropped_on_the_way():
    """The ring runs over while a batch is on its way."""
    board = Board()
    told = journal.Journal(board)
    for _ in range(64):
        told.note("net_lost")
    told.batch(10)
    for _ in range(5):
        told.note("mains_lost", True)
    told.sent()
    show(left=kinds(told).count("net_lost"), lost=told.lost, flash=kept())


def heap():
    """What a full journal holds."""
    import gc

    board = Board()
    board.pass_s(86_400 * 30)
    gc.collect()
    before = gc.mem_alloc()
    told = journal.Journal(board)
    gc.collect()
    empty = gc.mem_alloc() - before
    for _ in range(64):
        told.note("mains_lost", True)
    gc.collect()
    show(empty=empty, full=gc.mem_alloc() - before)


globals()[sys.argv[1]](*sys.argv[2:])
