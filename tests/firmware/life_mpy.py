"""The board's life with what a test changes about it: WAY names a function below. Prints JSON when the life ends.

WAY is the argument, or else what world/way holds.
"""

import json
import sys
import time

import machine
import network  # noqa: F401 - a shim too, which only the firmware imports
import run

run.fit_umqtt()

import socket  # noqa: E402 - umqtt has to be fitted first

import app  # noqa: E402
import link  # noqa: E402
import supervisor  # noqa: E402

supervisor.BACKOFF_MS = (10,)
waits = []
attempts = []
addresses = []


def stop_after(name, times):
    """End the life when this method of the supervisor is called so many times."""
    method = getattr(supervisor.Supervisor, name)

    def counted(self, *args):
        attempts.append(name)
        if len(attempts) > times:
            raise KeyboardInterrupt
        return method(self, *args)

    setattr(supervisor.Supervisor, name, counted)


def waiting():
    """How long each wait was asked for and took, while there is no network."""
    idle = supervisor.Supervisor._idle

    def timed(self, ms):
        if len(waits) == 12:
            raise KeyboardInterrupt
        began = time.ticks_ms()
        idle(self, ms)
        waits.append((ms, time.ticks_diff(time.ticks_ms(), began)))

    supervisor.Supervisor._idle = timed


def failing():
    """Nothing answers, twenty times."""
    stop_after("_back_off", 20)


def starving():
    """The driver or TLS has no memory for a connection: that is no MemoryError of ours, and has many names."""
    stop_after("_back_off", 6)
    errors = [
        (-17040, "RSA - The public key operation failed : BIGNUM - Memory allocation failed"),
        (16,),
        (-20864, "MBEDTLS_ERR_MD_ALLOC_FAILED"),
        (12,),
        (105,),
    ]

    def connect(self, *args):
        error = errors.pop(0)
        errors.append(error)
        raise OSError(*error)

    link.Link.connect = connect


def nameless():
    """The name server knows the broker once, then has no IPv4 address for it."""
    stop_after("_back_off", 4)
    found = socket.getaddrinfo

    def lookup(host, port, *args):
        if host != "127.0.0.1":
            return found(host, port)
        addresses.append(host)
        if len(addresses) == 1:
            return found(host, port)
        return [] if len(addresses) == 2 else [(30, 1, 0, "", None)]

    def client(name, server, *args, **options):
        addresses.append("to " + server)
        raise OSError(111)

    link.socket.getaddrinfo = lookup
    link.MQTTClient = client


def hungry():
    """There is no memory for what a signed order needs."""

    def check(self, order):
        raise MemoryError

    supervisor.Keys.check = check


if len(sys.argv) > 1:
    globals()[sys.argv[1]]()
else:
    with open("world/way") as file:
        globals()[file.read().strip()]()
code = None
try:
    code = app.run()
except machine.Restart:
    code = "restart"
print(json.dumps({"code": code, "waits": waits, "attempts": len(attempts), "addresses": addresses}))
