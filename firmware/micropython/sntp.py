"""The time of day over UDP, without ever waiting for it.

ntptime looks its server up with getaddrinfo(), which no time-out reaches: where a name server keeps silent, the main
loop stood still for longer than the broker waits for a beat. So both questions are our own: the address of HOST
(RFC 1035), then the time there (RFC 4330).
"""

import os
import socket
import struct

HOST = "pool.ntp.org"
DNS_PORT = 53
NTP_PORT = 123
EPOCH_1900 = 2_208_988_800


class Sntp:
    """One attempt. Whatever is no answer to the question is passed over."""

    def __init__(self, resolver):
        self._socket = None
        self._token = os.urandom(8)
        name = b"".join(bytes([len(part)]) + part.encode() for part in HOST.split("."))
        self._question = name + b"\x00\x00\x01\x00\x01"  # an address, in the internet
        query = self._token[:2] + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + self._question
        self._ask(resolver, DNS_PORT, query)
        self._read = self._address

    def poll(self):
        """Seconds since 1970; None while there is no answer. Raises, of many kinds, when it is of no use."""
        try:
            data = self._socket.recv(512)
        except OSError:  # nothing yet, as a rule, and by port with another number
            return None
        return self._read(data)

    def close(self):
        """Give the socket back."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _ask(self, host, port, data):
        self.close()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        # host is a number, so this looks nothing up; connected, the socket hears nobody else.
        self._socket.connect(socket.getaddrinfo(host, port)[0][-1])
        self._socket.send(data)

    def _address(self, data):
        start = 12 + len(self._question)
        if data[:2] != self._token[:2] or not data[2] & 0x80 or data[12:start] != self._question:
            return None
        at = start
        while at < len(data):
            while data[at] and data[at] < 0xC0:  # a name: labels, then nothing or a pointer
                at += 1 + data[at]
            at += 2 if data[at] else 1
            kind, _, _, size = struct.unpack(">HHIH", data[at : at + 10])
            at += 10
            if kind == 1 and size == 4:
                packet = b"\x23" + bytes(39) + self._token  # version 4, client; the token comes back
                self._ask("%d.%d.%d.%d" % tuple(data[at : at + 4]), NTP_PORT, packet)
                self._read = self._time
                return None
            at += size
        raise ValueError("no address of " + HOST)

    def _time(self, data):
        # From a server that knows the time itself, to our question.
        if len(data) < 48 or data[0] & 7 != 4 or data[0] >> 6 == 3 or not 1 <= data[1] <= 15:
            return None
        if data[24:32] != self._token:
            return None
        seconds = struct.unpack(">I", data[40:44])[0]
        if seconds < 0x80000000:  # the count began anew in 2036
            seconds += 1 << 32
        return seconds - EPOCH_1900
