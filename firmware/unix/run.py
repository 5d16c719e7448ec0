"""Start the firmware on MicroPython's unix port, in the working directory of one board.

MICROPYPATH names this folder, firmware/micropython and the folder umqtt is in, in this order.
"""

import gc
import sys

import machine
import shim_flash
import socket
from umqtt import simple

shim_flash.fit()


def fit_umqtt():
    """Let a umqtt.simple older than the firmware's (1.6) look like it; say which way it went."""
    simple.socket = socket  # 1.3 imports usocket, which goes past the shim
    try:
        simple.MQTTClient.connect(None, True, 1)
    except AttributeError:  # it took the time-out and tripped over None
        return "umqtt.simple: as it is"
    except TypeError:
        pass

    class Client(simple.MQTTClient):
        def connect(self, clean_session=True, timeout=None):
            self.ssl_params = {"wrapper": self.ssl, "server_hostname": self.server}
            socket.default_timeout = timeout
            try:
                return super().connect(clean_session)
            finally:
                socket.default_timeout = None

    simple.MQTTClient = Client
    return "umqtt.simple: older than 1.6, fitted"


def boot():
    """Run the firmware from its first import on, as many times as it resets the board."""
    before = set(sys.modules)
    while True:
        try:
            import main

            return main.run()
        except machine.Restart:
            main = None
            for name in set(sys.modules) - before:
                del sys.modules[name]
            gc.collect()


if __name__ == "__main__":
    print(fit_umqtt())
    sys.exit(boot())
