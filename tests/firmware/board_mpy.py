"""One board in its folder: a boot of it, its uptime, its clock."""

import sys

import flash_mpy as flash  # first: from here on the flash can be full

import json
import time

import board as module
import machine
import store
from board import Board


class Esp32:
    platform = "esp32"


class Ntp:
    """Stands in for ntptime: answers as told, and counts."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def settime(self):
        self.asked.append(board.uptime_ms // 1000)
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            raise OSError(110)
        clock[0] = answer


clock = [0]  # seconds since 2000, as the chip counts them


def show(**result):
    print(json.dumps(result))


def uptime():
    """A month in a moment."""
    time.ticks_offset = (1 << 30) - 2_000 - time.ticks_ms()  # two seconds before the wrap
    board = Board()
    uptimes = []
    for _day in range(30):
        for _ in range(24):
            time.ticks_offset += 3_600_000
            board.tick()
        uptimes.append(board.uptime_ms // 1000)
    epoch = board.epoch()
    time.time = lambda: 1000  # as after a cold start: 2000-01-01
    show(uptimes=uptimes, epoch=epoch, cold=board.epoch())


def boot():
    """One boot, as the files in world and state have it."""
    board = Board()
    show(boot=board.boot, boots=board.boots, cause=board.reset_cause, era=board.era, age_s=board.age_s())


def writes():
    """What a boot changes in the flash."""
    Board()
    power = flash.Cut(1000)
    writes = []
    write = store.write

    def counted(name, data):
        writes.append(name)
        return write(name, data)

    store.write = counted
    board = Board()
    show(writes=writes, changes=1000 - power.left, boots=board.boots)


def cut():
    """Power lost at any byte of the counting; the count of the boot after that, without and with RTC memory."""
    counts = set()
    memories = (b"", machine.RTC().memory())
    done = False
    budget = 0
    while not done:
        for memory in memories:
            store.write("boots", b"41")
            machine.RTC().memory(memory)
            power = flash.Cut(budget)
            done = True
            try:
                Board()
            except flash.PowerLost:
                done = False
            power.restore()
            machine.RTC().memory(b"")
            counts.add(Board().boots)
        budget += 1
    show(steps=budget, counts=sorted(counts))


def noise():
    """RTC memory with each byte changed, shorter, longer: none of it is the last boot's."""
    machine.reset_cause = lambda: machine.WDT_RESET
    board = Board()
    good = machine.RTC().memory()
    machine.RTC().memory(good)
    warm = Board()
    good = machine.RTC().memory()
    bad = [good[:-1], good + b"\0", b"", b"\0" * len(good), b"svitlo"]
    bad += [good[:index] + bytes([good[index] ^ 0x10]) + good[index + 1 :] for index in range(len(good))]
    seen = set()
    boots = set()
    for memory in bad:
        store.write("boots", str(warm.boots).encode())
        machine.RTC().memory(memory)
        board_now = Board()
        seen.add((board_now.reset_cause, board_now.era == board.era))
        boots.add(board_now.boots - warm.boots)
    show(warm=[warm.reset_cause, warm.era == board.era], seen=list(seen), boots=list(boots), tried=len(bad))


def spoil():
    """The counter's file with each byte changed; what RTC memory then says."""
    for _ in range(12):
        Board()
    memory = machine.RTC().memory()
    with open("state/boots", "rb") as file:
        good = file.read()
    counts = set()
    for remembered in (memory, b""):
        for index in range(len(good)):
            with open("state/boots", "wb") as file:
                file.write(good[:index] + bytes([good[index] ^ 0x11]) + good[index + 1 :])
            machine.RTC().memory(remembered)
            counts.add((len(remembered) > 0, Board().boots))
    for text in (b"", b"-4", b"99999999999", b"twelve", b"\xff\xfe"):
        store.write("boots", text)
        machine.RTC().memory(b"")
        counts.add((False, Board().boots))
    show(counts=sorted(counts))


def bare():
    """A port whose RTC has no memory."""

    class Rtc:
        pass

    machine.RTC = Rtc
    machine.reset_cause = lambda: 99
    board = Board()
    show(boots=[board.boots, Board().boots], cause=board.reset_cause)


def chip():
    """A board of ours that believes to be on the chip."""
    global board
    module.sys = Esp32
    time.time = lambda: clock[0]
    board = Board()


def ntp(*answers):
    """Called in each pass for three days; when did it ask."""
    chip()
    server = Ntp(*[None if answer == "none" else int(answer) for answer in answers])
    sys.modules["ntptime"] = server
    said = set()
    for _ in range(3 * 24 * 60 * 6):
        said.add(board.set_clock())
        time.ticks_offset += 10_000
        clock[0] += 10
        board.tick()
    show(asked=server.asked, said=sorted(said), timeout=server.timeout, epoch=board.epoch())


def set_twice():
    """The age through clock changes and a reset between them."""
    chip()
    sys.modules["ntptime"] = Ntp(846_000_000, 846_086_500)
    ages = []

    def live(seconds):
        time.ticks_offset += seconds * 1000
        clock[0] += seconds
        board.tick()
        ages.append(board.age_s())

    live(100)
    board.set_clock()
    live(50)
    era = board.era
    global_reset()
    ages.append(board.age_s())
    live(10)
    board.set_clock()
    live(5)
    show(ages=ages, same=board.era == era, epoch=board.epoch())


def global_reset():
    global board
    machine.reset_cause = lambda: machine.WDT_RESET
    board = Board()


def clock_lost():
    """RTC memory outlived what the clock did not."""
    chip()
    sys.modules["ntptime"] = Ntp(846_000_000)
    board.set_clock()
    era = board.era
    clock[0] = 3
    global_reset()
    show(same=board.era == era, age=board.age_s())


globals()[sys.argv[1]](*sys.argv[2:])
