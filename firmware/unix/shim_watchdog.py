"""The watchdog of the desktop."""


class WDT:
    """Never bites: a stopped process stands for a dead link or a hung board, as the test has it."""

    def __init__(self, id=0, timeout=5000):
        pass

    def feed(self):
        pass
