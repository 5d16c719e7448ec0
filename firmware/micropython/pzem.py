"""PZEM-004T v3, an energy meter on a UART (9600 8N1, Modbus RTU), asked without ever waiting for it.

It lives on the mains it measures: when that is gone, it says nothing.
"""

import time

ASK_MS = 2_000
AGAIN_MS = 500  # between two questions when the first answer is in doubt
ANSWER_MS = 500
FRESH_MS = 10_000
MAX_DECIVOLTS = 4_000

# The address any single meter answers to, function 4, registers 0 to 9, CRC.
REQUEST = b"\xf8\x04\x00\x00\x00\x0a\x64\x64"
ANSWER = 25  # bytes: address, 4, 20, the registers, CRC
FAULT = 5  # address, 0x84, code, CRC


class Pzem:
    """One meter. volts is the latest reading, None when it is older than 10 s."""

    GOOD = 1  # it told the voltage
    ALIVE = 2  # it answered that it cannot
    BAD = 3  # bytes, but no answer among them
    SILENT = 4

    def __init__(self, uart):
        self._uart = uart
        self._in = b""
        self._asked = None  # when the question was put that is open
        self._next = time.ticks_ms()
        self._read = self._next
        self.volts = None
        self.counts = [0, 0, 0, 0, 0]  # of each way a question ended

    def tick(self):
        """Do what is due; how a question ended (GOOD, ALIVE, BAD or SILENT), or None."""
        now = time.ticks_ms()
        if self.volts is not None and time.ticks_diff(now, self._read) >= FRESH_MS:
            self.volts = None
        outcome = None
        try:
            if self._asked is not None:
                outcome = self._listen(now)
            elif time.ticks_diff(now, self._next) >= 0:
                self._ask(now)
        except OSError:
            outcome = self.SILENT
            self._next = time.ticks_add(now, ASK_MS)
        if outcome:
            self._asked = None
            self.counts[outcome] += 1
        return outcome

    def again(self):
        """The outcome is surprising: ask again soon."""
        self._next = time.ticks_add(time.ticks_ms(), AGAIN_MS)

    def forget(self):
        """The reading is of before something that changed it."""
        self.volts = None

    def _ask(self, now):
        self._next = time.ticks_add(now, ASK_MS)
        for _ in range(8):  # an answer that came too late is none to this question
            if not self._uart.any():
                break
            self._uart.read(64)
        self._in = b""
        self._uart.write(REQUEST)
        self._asked = now

    def _listen(self, now):
        # First look, then see whether it is too late: a loop that stood still finds its answer waiting.
        if self._uart.any():
            piece = self._uart.read(64)
            if piece:
                self._in += piece
                outcome = self._find(now)
                if outcome:
                    return outcome
                self._in = self._in[-64:]
        if time.ticks_diff(now, self._asked) < ANSWER_MS:
            return None
        return self.BAD if self._in else self.SILENT

    def _find(self, now):
        """An answer among the bytes so far, wherever it begins: noise or our own question may come first."""
        data = self._in
        for at in range(len(data) - FAULT + 1):
            if data[at + 1] == 4 and data[at + 2] == 20 and _whole(data[at : at + ANSWER], ANSWER):
                decivolts = data[at + 3] << 8 | data[at + 4]
                if decivolts > MAX_DECIVOLTS:
                    return self.BAD
                self.volts = decivolts / 10
                self._read = now
                return self.GOOD
            if data[at + 1] == 0x84 and _whole(data[at : at + FAULT], FAULT):
                return self.ALIVE
        return None


def _whole(frame, size):
    return len(frame) == size and crc16(frame[:-2]) == frame[-1] << 8 | frame[-2]


def crc16(data):
    """The CRC of Modbus; on the wire its low byte comes first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
