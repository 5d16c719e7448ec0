"""The stream under umqtt: what umqtt.simple takes for its socket, with a deadline on everything.

umqtt (1.4 and newer) calls wrap_socket(sock, server_hostname=...) on the object it is given as ssl= and from then on
uses only read, write, setblocking and close of the result. Channel stands there, with or without TLS below it, and
mends what would leave a board hanging in a cellar:
- setblocking(True) means "for ever" on the ESP32 and cancels connect(timeout=) with the first packet;
- a peer that vanished without a word swallows heartbeats silently;
- whoever waits for an answer sees nothing else;
- umqtt writes each field for itself, and Nagle with delayed ACKs makes 40 ms of each QoS 1 publish;
- the end of the stream is an IndexError, a certificate not yet valid a ValueError.
"""

import errno
import time

STEP_MS = 10  # between two looks at a TLS stream
STEP_S = 0.05  # of a plain one: the ESP32 counts in tenths of a second, so it waits for one and says EAGAIN
NOTHING = (errno.EAGAIN, errno.ETIMEDOUT)  # nothing yet: the port decides which
LAST_LOOK_MS = (
    100  # at the deadline: the board may itself have stood still (flash erased, Wi-Fi busy), the answer be there
)
KEEP = 1025  # more than any payload of the contract has; what is over is dropped, for a large piece may not be free


class LinkError(OSError):
    """The link is of no use any more; the text says why."""

    def __str__(self):
        return self.args[0]


class Channel:
    """What umqtt takes for its socket. Each operation has one deadline, however the bytes trickle in."""

    def __init__(self, raw, stream, timeout_ms, on_wait):
        self._raw = raw  # TLS sockets have no settimeout(), the socket below them does
        # recv() returns what is there. TLS has read() only, which fills up, and waits anew for each byte: it must not
        # wait at all. send() ends with its time-out, where write() begins anew after each piece that went.
        self._tls = stream is not raw
        self._take = stream.read if self._tls else raw.recv
        self._give = stream.write if self._tls else raw.send
        self._close = stream.close
        self._timeout_ms = timeout_ms
        self._on_wait = on_wait  # called between two tries; may shout()
        self._wait = True
        self.count = 0  # reads that brought something
        self.received = time.ticks_ms()  # when the last one did
        self.unanswered = None  # when the oldest ping without an answer was sent
        self.begin()

    def begin(self, timeout_ms=None):
        """Start one operation. What an interrupted one left unsent is no whole packet, so it is dropped."""
        self._out = bytearray()
        self._start_clock(timeout_ms)

    def _start_clock(self, timeout_ms=None):
        self._until = time.ticks_add(time.ticks_ms(), timeout_ms or self._timeout_ms)
        self._looked = False

    def setblocking(self, flag):
        self._wait = flag

    def write(self, data, size=None):
        self._out += data if size is None else memoryview(data)[:size]

    def flush(self):
        """Send what was collected, as one segment."""
        out, self._out = self._out, bytearray()
        sent = 0
        while sent < len(out):
            self._limit()
            try:
                count = self._try(self._give, memoryview(out)[sent:])
            except ValueError as error:  # Mbed TLS on a certificate's dates, and a board that starts in 2000
                raise LinkError("certificate not accepted: %s" % error)
            if count:
                sent += count
            else:  # the first packet of TLS waits for the handshake
                self._pause()

    def shout(self, packet, timeout_ms):
        """Send a whole packet that wants no answer as soon as may be; what is waited for meanwhile has to hurry."""
        self._out += packet  # from on_wait, so nothing is in there that umqtt has not finished
        if time.ticks_diff(self._until, time.ticks_ms()) > timeout_ms:
            self._start_clock(timeout_ms)

    def read(self, size):
        self.flush()
        if size == 1:
            return self._some(1)
        if size < 0:
            raise LinkError("malformed packet")
        kept = bytearray()
        while size:
            piece = self._some(min(size, 256))
            size -= len(piece)
            if len(kept) < KEEP:
                kept += piece
        return bytes(kept)

    def _some(self, size):
        while True:
            if self._wait:
                self._limit()
            else:
                self._raw.settimeout(0)
            piece = self._try(self._take, size)
            if piece is not None:
                break
            if not self._wait:
                return None
            self._pause()
            if self._out:
                self.flush()
        if not piece:
            raise LinkError("closed by the broker")
        self.count += 1
        self.received = time.ticks_ms()
        self.unanswered = None
        return piece

    def _try(self, call, value):
        try:
            return call(value)
        except OSError as error:
            if error.args[0] not in NOTHING:
                raise

    def _pause(self):
        self._on_wait()
        if self._tls:
            time.sleep_ms(STEP_MS)

    def _limit(self):
        if time.ticks_diff(self._until, time.ticks_ms()) <= 0:
            if self._looked:
                raise LinkError("no answer from the broker")
            self._until = time.ticks_add(time.ticks_ms(), LAST_LOOK_MS)
            self._looked = True
        if not self._tls:
            self._raw.settimeout(STEP_S)

    def close(self):
        """The end of a clean disconnect: wait until the broker has hung up.

        Closing with unread bytes sends a reset, which may overtake the DISCONNECT and let the will out.
        """
        try:
            self._start_clock()
            self.flush()
            self._wait = True
            while True:
                self._some(64)
        except OSError:
            pass
        self.abort()

    def abort(self):
        """Close now; what was not sent is dropped."""
        try:
            self._close()
        except OSError:
            pass
        if self._tls:
            self._raw.close()
