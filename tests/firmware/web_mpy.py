"""One caller of set-up mode's page, on a socket that now and then takes nothing although it was said to be ready."""

import errno
import json

import web


class Socket:
    closed = False
    refusals = 0

    def __init__(self):
        self.sent = b""

    def setblocking(self, flag):
        pass

    def recv(self, size):
        return b"GET / HTTP/1.1\r\n\r\n"

    def send(self, data):
        if not self.refusals:  # what lwIP does when it has no buffer left
            self.refusals = 1
            raise OSError(errno.EAGAIN)
        self.refusals = 0
        self.sent += data[:100]
        return len(data[:100])

    def close(self):
        self.closed = True


sock = Socket()
client = web.Client(sock, lambda request: (200, "", lambda: iter(["x" * 300, "y" * 300])))
error = None
try:
    for _ in range(60):
        if sock.sent[-300:] != b"y" * 300:
            client.turn(True)
except OSError as failure:
    error = failure.errno
print(json.dumps({"error": error, "end": sock.sent[-300:].decode(), "closed": sock.closed}))
