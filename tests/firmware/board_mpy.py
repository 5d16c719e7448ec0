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


Esp32.modules = {}  # what the board lets go of stays where Python looks


class Asked:
    """Stands in for one Sntp: silence, an error, or the seconds since 2000."""

    answers = ()
    times = ()
    open = 0

    def __init__(self, resolver):
        Asked.times += (board.uptime_ms // 1000,)
        self.answer = Asked.answers[0] if Asked.answers else None
        Asked.answers = Asked.answers[1:]
        if self.answer == "refused":
            raise OSError(113)
        Asked.open += 1

    def poll(self):
        if self.answer == "broken":
            raise ValueError
        return self.answer and self.answer + module.EPOCH_2000

    def close(self):
        Asked.open -= 1


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


class Stub:
    """The module sntp, which the board imports when it is time to ask."""

    Sntp = Asked


def set_to(date):
    clock[0] = time.mktime(date[:3] + date[4:7] + (0, 0))


def chip(*answers):
    """A board of ours that believes to be on the chip."""
    global board
    module.sys = Esp32
    sys.modules["sntp"] = Stub
    module.network.ipconfig = lambda what: "10.0.0.1"
    machine.RTC.datetime = lambda self, date: set_to(date)
    time.time = lambda: clock[0]
    time.ticks_ms = lambda: time.ticks_offset & ((1 << 30) - 1)  # what the test itself takes does not count
    Asked.answers = answers
    board = Board()


def live(seconds, step=1):
    """Time passes, and the main loop turns."""
    for _ in range(seconds // step):
        time.ticks_offset += step * 1000
        clock[0] += step
        board.tick()
        board.set_clock()


def ntp(*answers):
    """Three days but ten minutes: when did it ask."""
    chip(*[int(answer) if answer.isdigit() else answer if answer != "silence" else None for answer in answers])
    before = board.set_clock()
    live(3 * 86_400 - 600, 2)
    show(asked=Asked.times, before=before, after=board.set_clock(), open=Asked.open, epoch=board.epoch())


def set_twice():
    """The age through clock changes and a reset between them."""
    chip("broken", 846_000_000, 846_000_500)
    live(50)
    ages = [board.age_s()]
    live(30)
    ages.append(board.age_s())
    before = board.epoch()
    era = board.era
    global_reset()
    ages.append(board.age_s())
    live(5)
    ages.append(board.age_s())
    show(ages=ages, same=board.era == era, epochs=[before, board.epoch()])


def global_reset():
    global board
    machine.reset_cause = lambda: machine.WDT_RESET
    board = Board()


def clock_lost():
    """RTC memory outlived what the clock did not."""
    chip(846_000_000)
    live(1)
    era = board.era
    clock[0] = 3
    global_reset()
    show(same=board.era == era, age=board.age_s())


def guess():
    """A cold start with nobody to ask: the clock shows the last time that was known, and nobody is told it."""
    chip()
    never = board.guess_clock()
    chip(846_000_000)
    live(2)
    known = board.epoch()
    machine.RTC().memory(b"")
    clock[0] = 3
    machine.reset_cause = lambda: machine.PWRON_RESET
    chip()
    guessed = board.guess_clock()
    shown = clock[0] + module.EPOCH_2000
    told = [board.epoch(), board.age_s()]
    global_reset()  # a guess stays one through a reset
    told.append(board.epoch())
    chip(846_100_000)
    live(2)
    show(never=never, guessed=guessed, behind=known - shown, told=told, set=board.epoch() is not None)


globals()[sys.argv[1]](*sys.argv[2:])
