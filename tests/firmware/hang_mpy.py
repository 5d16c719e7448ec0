"""The firmware, which hangs after some seconds of its first boot: `world/hang` says how. The next boot is sound."""

import sys
import time

import machine
import run
import usocket

run.fit_umqtt()

sleep_ms = time.sleep_ms
begun = time.ticks_ms()


def in_a_loop():
    while True:
        pass


def in_a_call():
    listener = usocket.socket()
    listener.bind(usocket.getaddrinfo("127.0.0.1", 0)[0][-1])
    listener.listen(1)
    listener.accept()


def without_memory():
    kept = []
    size = 1000
    while True:
        try:
            kept.append(bytearray(size))
        except MemoryError:
            size = size // 2 or 1


def hang(ms):
    sleep_ms(ms)
    if time.ticks_diff(time.ticks_ms(), begun) > 2_000:
        way = open("world/hang").read()
        print("hangs " + way)
        globals()[way]()


if machine.reset_cause() != machine.WDT_RESET:
    time.sleep_ms = hang
sys.exit(run.boot())
