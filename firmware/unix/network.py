"""A Wi-Fi that is always there, once it was asked for: the desktop's own network."""

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_GOT_IP = 1010


class WLAN:
    PM_NONE = 0

    def __init__(self, interface=STA_IF):
        self._active = False
        self._joined = False

    def active(self, *flag):
        if flag:
            self._active = flag[0]
            self._joined = self._joined and self._active
        return self._active

    def connect(self, ssid=None, password=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        self._joined = True

    def disconnect(self):
        self._joined = False

    def isconnected(self):
        return self._joined

    def status(self, what=None):
        if what == "rssi":
            return -55
        return STAT_GOT_IP if self._joined else STAT_IDLE

    def config(self, *args, **kwargs):
        return None

    def ifconfig(self):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")
