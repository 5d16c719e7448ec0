"""What the launcher starts: the board's life, or set-up mode where it cannot begin."""

import gc
import sys
import time


class Config:
    """What settings.py found, without its checks: they have done their work, and are a tenth of the heap."""


class DefaultPins:
    """Where boards without a configuration most likely have lamp and button (BOOT)."""

    def __init__(self):
        c3 = "C3" in getattr(sys.implementation, "_machine", "")
        self.led = 8 if c3 else 2
        self.led_inverted = c3
        self.button = 9 if c3 else 0


def run():
    """0 after a goodbye, 1 when config.json cannot be used and there is no way to enter another."""
    config, error = _load()  # first of all: later there would not be room for the checks
    if config is None and getattr(sys.modules.get("slot"), "trial", False):
        return 1  # the version before could use it: the launcher goes back
    from board import Board
    from button import Button
    from lamp import Lamp

    board = Board()

    def log(text):
        board.tick()
        print("%9.1f %s" % (board.uptime_ms / 1000, text))

    if config is None:
        pins = DefaultPins()
        lamp, button = Lamp(pins), Button(pins)
        lamp.show("config")
        _set_up(board, lamp, button, log, error)
        return 1
    lamp, button = Lamp(config), Button(config)
    lamp.show("boot")
    from supervisor import SetUp, Supervisor

    supervisor = Supervisor(config, board, lamp, button, log)
    while True:
        try:
            supervisor.run()
            return 0
        except SetUp as wish:
            log("set-up mode" + (": " + str(wish) if str(wish) else ""))
            _set_up(board, lamp, button, log, str(wish) or None)
            supervisor.patient = True  # there is no access point here: go on trying
            time.sleep_ms(100)


def _load():
    """The configuration and None, or None and what is wrong with it (None where there is none)."""
    import settings

    config, text = Config(), None
    try:
        found = settings.load()
        for name, value in found.__dict__.items():
            setattr(config, name, value)
    except settings.ConfigError as error:
        print("%s: %s" % (settings.PATH, error))
        config = None
        if not isinstance(error, settings.Missing):
            text = "%s: %s" % (settings.PATH, error)
    del sys.modules["settings"]
    gc.collect()
    return config, text


def _set_up(*args):
    import portal  # only where it is wanted: it takes its part of the heap

    portal.run(*args)
