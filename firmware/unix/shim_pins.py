"""The pins of the desktop's board, looked up in the folder world at the moment they are asked for.

pin-N   0 or 1; ~50: pulses, 50 a second, as from an optocoupler without a capacitor; error: reading fails
out-N   written here: what an output was set to
adc-N   millivolts; error: reading fails
uart-N  path of a unix socket or a terminal: what is wired to the port; without it nobody answers
"""

import os
import select
import struct

import usocket
import utime


class Pin:
    IN = 1
    OUT = 3
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=None, pull=-1, value=None):
        if not isinstance(id, int) or not 0 <= id <= 48:
            raise ValueError("invalid pin")
        self.id = id
        self._out = None
        self._mode = self.IN
        self._pull = None
        self._handler = None
        self._trigger = 0
        self._pulse = 0
        self.init(mode, pull, value)
        self._level = None if self._mode == self.OUT else self._read()[0]

    def init(self, mode=None, pull=-1, value=None):
        if mode == self.OUT and 34 <= self.id <= 39:
            raise ValueError("pin can only be input")
        if mode is not None:
            self._mode = mode
        if pull != -1:
            self._pull = pull
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is not None:
            level = 1 if level else 0
            if level != self._out:
                self._out = level
                _write("out-%d" % self.id, str(level))
            return None
        if self._mode == self.OUT:
            return self._out or 0
        level, pulse = self._read()
        # The edges since the last look: those of the pulses that passed, or the one that shows.
        edges = 0
        if pulse != self._pulse:
            edges = self.IRQ_RISING | self.IRQ_FALLING
        elif level != self._level:
            edges = self.IRQ_RISING if level else self.IRQ_FALLING
        self._pulse = pulse
        self._level = level
        if self._handler and edges & self._trigger:
            self._handler(self)
        return level

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(not self._out)

    def irq(self, handler=None, trigger=IRQ_RISING | IRQ_FALLING):
        self._handler = handler
        self._trigger = trigger

    def _read(self):
        text = _look("pin-%d" % self.id)
        if text == "0" or text == "1":
            return int(text), 0
        if text and text[0] == "~":
            period = 1_000_000 // int(text[1:])
            now = utime.time_ns() // 1000
            return (0 if now % period < period * 2 // 5 else 1), now // period + 1
        return (1 if self._pull == self.PULL_UP else 0), 0


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3

    def __init__(self, pin, atten=ATTN_0DB):
        self._name = "adc-%d" % (pin.id if isinstance(pin, Pin) else pin)

    def read_uv(self):
        return int(_look(self._name) or 0) * 1000

    def read_u16(self):
        return min(self.read_uv() * 65535 // 3_300_000, 65535)


class UART:
    """Never waits; what is written while nobody is connected is lost, as on a wire."""

    def __init__(self, id, baudrate=9600, bits=8, parity=None, stop=1, tx=None, rx=None, timeout=0, **options):
        if not 0 <= id <= 2:
            raise ValueError("UART(%d) doesn't exist" % id)
        self._name = "uart-%d" % id
        self._path = None
        self._wire = None
        self._poll = None
        self._in = b""

    def any(self):
        self._take()
        return len(self._in)

    def read(self, size=-1):
        self._take()
        size = len(self._in) if size < 0 else size
        piece, self._in = self._in[:size], self._in[size:]
        return piece or None

    def readinto(self, buffer, size=-1):
        piece = self.read(len(buffer) if size < 0 else min(size, len(buffer)))
        if piece is None:
            return None
        buffer[: len(piece)] = piece
        return len(piece)

    def write(self, data):
        if self._connect():
            try:
                self._wire.write(data)
            except OSError:
                self.deinit()
        return len(data)

    def deinit(self):
        if self._wire:
            self._wire.close()
        self._wire = self._path = None

    def _take(self):
        if not self._connect():
            return
        try:
            while self._poll.poll(0):
                piece = self._wire.recv(256) if hasattr(self._wire, "recv") else self._wire.read(1)  # it fills up
                if not piece:
                    self.deinit()
                    return
                self._in = (self._in + piece)[:256]  # the ESP32's buffer; what comes then is lost
        except OSError:
            self.deinit()

    def _connect(self):
        path = _look(self._name)
        if path != self._path:
            self.deinit()
            if path:
                try:
                    self._wire = self._open(path)
                except OSError:
                    return False
                self._poll = select.poll()
                self._poll.register(self._wire, select.POLLIN)
                self._path = path
        return self._wire is not None

    def _open(self, path):
        if os.stat(path)[0] & 0o170000 != 0o140000:  # not a socket
            return open(path, "r+b", buffering=0)
        wire = usocket.socket(usocket.AF_UNIX)
        try:
            wire.connect(struct.pack("H", usocket.AF_UNIX) + path.encode() + b"\0")
        except OSError:
            wire.close()
            raise
        return wire


def _look(name):
    try:
        with open("world/" + name) as file:
            text = file.read().strip()
    except OSError:
        return None
    if text == "error":
        raise OSError(5)
    return text


def _write(name, text):
    with open("world/." + name, "w") as file:
        file.write(text)
    os.rename("world/." + name, "world/" + name)
