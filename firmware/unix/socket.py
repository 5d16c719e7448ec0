"""The ESP32's socket: setblocking(True) means "wait for ever" and cancels an earlier settimeout().

The unix port keeps the time-out instead, which would hide exactly the hang the firmware guards against. And where that
says EAGAIN when the time is over, the ESP32 says ETIMEDOUT, but for time-outs below the 100 ms it counts in.
"""

import errno
import io

import usocket
from usocket import *  # noqa: F403

_CLOSE = 4  # MP_STREAM_CLOSE
_FILENO = 10  # MP_STREAM_GET_FILENO, what select.poll() asks for

default_timeout = None  # for a umqtt that cannot be told one, see run.py


def getaddrinfo(host, port, *args):
    """As the ESP32 gives it: an address is (dotted quad, port)."""
    found = []
    for family, kind, proto, name, address in usocket.getaddrinfo(host, port, *args):
        if family == usocket.AF_INET:
            quad = ".".join(str(byte) for byte in usocket.sockaddr(address)[1])
            found.append((family, kind, proto, name, (quad, port)))
    return found


def _served():
    with open("world/portal-ports") as file:
        http, dns = file.read().split()
    return {80: int(http), 53: int(dns)}


def _native(address):
    return usocket.getaddrinfo(address[0], address[1])[0][-1] if isinstance(address, tuple) else address


class socket(io.IOBase):  # an io.IOBase, so that tls.SSLContext.wrap_socket() takes it
    def __init__(self, *args):
        self._socket = usocket.socket(*args)
        self.read = self._socket.read
        self.close = self._socket.close
        self.listen = self._socket.listen
        self.accept = self._socket.accept
        self.recvfrom = self._socket.recvfrom
        self.sendto = self._socket.sendto
        self.setsockopt = self._socket.setsockopt
        self._counts = True  # in tenths of a second
        if default_timeout is not None:
            self.settimeout(default_timeout)

    def connect(self, address):
        self._socket.connect(_native(address))

    def bind(self, address):
        # The low ports of the board's servers are not for everybody here.
        self._socket.bind(_native((address[0], _served().get(address[1], address[1]))))

    def settimeout(self, seconds):
        self._counts = seconds is None or seconds >= 0.1
        self._socket.settimeout(seconds)

    def setblocking(self, flag):
        self._socket.setblocking(True)
        self.settimeout(None if flag else 0)

    def recv(self, size):
        return self._timed(self._socket.recv, size)

    def send(self, data):
        return self._timed(self._socket.send, data)

    def _timed(self, call, value):
        try:
            return call(value)
        except OSError as error:
            if error.errno == errno.EAGAIN and self._counts:
                raise OSError(errno.ETIMEDOUT)
            raise

    # The stream protocol looks these up on the class.
    def readinto(self, buffer, *args):
        return self._socket.readinto(buffer, *args)

    def write(self, data, *args):
        return self._socket.write(data, *args)

    def ioctl(self, request, argument):
        if request == _FILENO:
            return self._socket.fileno()
        if request == _CLOSE:
            self._socket.close()
        return 0
