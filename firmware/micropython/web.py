"""One caller of the page of set-up mode: a small HTTP server that never waits and believes nobody."""

import errno
import time

LINE = 512
HEADERS = 2048
BODY = 4096  # a claim code that brings a public authority's certificate has 3 KB
READ_MS = 10_000
WRITE_MS = 15_000
LINGER_MS = 1_000  # closing while the caller still sends would take our answer from its hands

REASONS = {200: "OK", 302: "Found", 404: "Not Found"}
COMMON = (
    "Connection: close\r\nCache-Control: no-store\r\nX-Frame-Options: DENY\r\nReferrer-Policy: same-origin\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "form-action 'self'\r\n"
)


class Bad(Exception):
    """A request that is refused: its status."""


class Request:
    """What a caller asked for, complete."""

    def __init__(self, line, headers):
        try:
            self.method, target, version = line.decode().split(" ")
        except ValueError:  # UnicodeError too
            raise Bad(400)
        if self.method not in ("GET", "HEAD", "POST") or not version.startswith("HTTP/1."):
            raise Bad(405)
        if target.startswith("http://"):
            target = "/" + "/".join(target.split("/")[3:])
        path, _, query = target.partition("?")
        self.path = path
        self.query = decode(query.encode())
        self.headers = {}
        for header in headers:
            name, colon, value = header.partition(b":")
            if not colon:
                raise Bad(400)
            try:
                self.headers[name.decode().lower()] = value.decode().strip()
            except UnicodeError:  # not one we read
                pass
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not length.isdigit():
            raise Bad(400)
        self.length = int(length) if len(length) < 8 else BODY + 1
        if self.length > BODY:
            raise Bad(413)
        self.body = b""

    def form(self):
        """The fields of a form."""
        return decode(self.body)


class Client:
    """One connection; turn() is called again and again."""

    count = 0

    def __init__(self, sock, answer):
        Client.count += 1
        self.order = Client.count
        self.sock = sock
        self.heard = False
        self.answering = False
        self.closed = False
        self._answer = answer
        self._in = b""
        self._request = None
        self._pieces = None
        self._out = b""
        self._lingering = False
        self._until = time.ticks_add(time.ticks_ms(), READ_MS)
        sock.setblocking(False)

    def close(self):
        self.closed = True
        self.sock.close()

    def turn(self, ready):
        """Go on as far as it goes without waiting; ready: the socket has something, or takes something."""
        if time.ticks_diff(time.ticks_ms(), self._until) >= 0:
            self.close()
        elif ready:
            if self.answering:
                self._write()
            else:
                self._read()

    def _read(self):
        data = self.sock.recv(512)
        if not data:
            self.close()
            return
        if self._lingering:
            return
        self.heard = True
        self._in += data
        try:
            if self._parse():
                self._begin(*self._answer(self._request))
        except Bad as error:
            self._begin(error.args[0], "", None)

    def _parse(self):
        """True when the request is complete."""
        if self._request is None:
            end = self._in.find(b"\r\n\r\n")
            line = self._in.find(b"\r\n")
            if (line if line >= 0 else len(self._in)) > LINE:
                raise Bad(414)
            if (end if end >= 0 else len(self._in)) > LINE + HEADERS:
                raise Bad(431)
            if end < 0:
                return False
            lines = self._in[:end].split(b"\r\n")
            self._in = self._in[end + 4 :]
            self._request = Request(lines[0], lines[1:])
        if len(self._in) < self._request.length:
            return False
        self._request.body = self._in[: self._request.length]
        self._in = b""
        return True

    def _begin(self, status, headers, pieces):
        make = pieces or (lambda: iter(()))
        length = sum(len(piece.encode()) for piece in make())  # made twice, so that it need not be held
        self._pieces = make()
        if self._request is not None and self._request.method == "HEAD":
            self._pieces = iter(())
        text = "HTTP/1.1 %d %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n%s%s\r\n"
        self._out = (text % (status, REASONS.get(status, "Refused"), length, headers, COMMON)).encode()
        self.answering = True
        self._until = time.ticks_add(time.ticks_ms(), WRITE_MS)

    def _write(self):
        try:
            self._out = self._out[self.sock.send(self._out) :]
        except OSError as error:
            if error.errno != errno.EAGAIN:  # ready by select(), and then lwIP has no buffer for it
                raise
            return
        if not self._out:
            try:
                self._out = next(self._pieces).encode()
            except StopIteration:
                self.answering = False
                self._lingering = True
                self._until = time.ticks_add(time.ticks_ms(), LINGER_MS)


def decode(data):
    """Fields of a form or query, percent-encoded; Bad where they are not."""
    fields = {}
    for pair in data.split(b"&"):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        try:
            fields[_unquote(name)] = _unquote(value)
        except ValueError:  # UnicodeError too
            raise Bad(400)
    return fields


def _unquote(data):
    parts = data.split(b"%")
    out = bytearray(parts[0])
    for part in parts[1:]:
        if len(part) < 2:
            raise ValueError
        out.append(int(part[:2], 16))
        out += part[2:]
    return out.decode()
