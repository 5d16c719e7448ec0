"""A wire that can be choked: it carries so many bytes towards the board, and then no more, or too slowly."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

TALK_S = 60.0
TRICKLE_S = 0.5


class Throttle:
    """A wire to a port that carries only so many bytes of what comes back, on connections it is told to."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.begun = 0.0  # when the first connection was throttled (monotonic)
        self.left = 0
        self._bytes = 0
        self._then = ""

    def __enter__(self) -> Throttle:
        threading.Thread(target=self._accept, daemon=True, name="throttle").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def choke(self, after: int, then: str, times: int = 1) -> None:
        """The next connections get so many bytes; `then` is "stall", "reset" or "trickle" (a byte each TRICKLE_S)."""
        self._bytes, self._then, self.left = after, then, times

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                choked = self.left > 0
                if choked:
                    self.left -= 1
                    self.begun = self.begun or time.monotonic()
                threading.Thread(target=self._carry, args=(sock, choked), daemon=True).start()

    def _carry(self, sock: socket.socket, choked: bool) -> None:
        with sock, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as target:
            for end in (sock, target):
                end.settimeout(TALK_S)
            up = threading.Thread(target=_pump, args=(sock, target), daemon=True)
            up.start()
            if choked:
                self._choke(target, sock)
            else:
                _pump(target, sock)
            if not (choked and self._then == "reset"):
                up.join(TALK_S)

    def _choke(self, source: socket.socket, sink: socket.socket) -> None:
        left = self._bytes
        while left and (data := source.recv(left)):
            sink.sendall(data)
            left -= len(data)
        if self._then == "reset":
            sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sink.close()
        elif self._then == "trickle":
            while data := source.recv(1):
                time.sleep(TRICKLE_S)
                sink.sendall(data)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
