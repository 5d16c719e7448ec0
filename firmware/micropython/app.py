"""What the launcher starts: the board's life, or set-up mode where it cannot begin."""

import gc
import sys
import time

WISH = "setup"  # in store: why the board restarts into set-up mode


class Config:
    """A checked configuration, without the checks."""


def run():
    """0 after a goodbye, 1 when config.json cannot be used and there is no way to enter another."""
    config, error = _load()  # first of all: later there would not be room for the checks
    if error is not None and getattr(sys.modules.get("slot"), "trial", False):
        return 1  # the version before could use it: the launcher goes back
    import store
    from board import Board
    from button import Button
    from lamp import Lamp

    board = Board()

    def log(text):
        board.tick()
        print("%9.1f %s" % (board.uptime_ms / 1000, text))

    lamp, button = Lamp(config), Button(config)
    if error is not None:
        lamp.show("config")
        _set_up(board, lamp, button, log, error)
        return 1
    wished = store.read(WISH)
    if wished is not None:
        store.remove(WISH)
        _set_up(board, lamp, button, log, wished.decode().strip())
    lamp.show("boot")
    from supervisor import SetUp, Supervisor

    supervisor = Supervisor(config, board, lamp, button, log)
    supervisor.patient = wished is not None  # there is no access point here: go on trying
    while True:
        try:
            supervisor.run()
            return 0
        except SetUp as wish:
            log("set-up mode" + (": " + str(wish) if str(wish) else ""))
            if store.write(WISH, (str(wish) or " ").encode()):
                board.reset()  # the page and all that runs here do not fit the heap together
            supervisor.patient = True
            time.sleep_ms(100)


def _load():
    """The configuration and None; or the usual pins and what is wrong with it, "" where there is none."""
    import checked

    config, error = Config(), None
    found = checked.load()
    if found is None:
        found, error = _check(checked)
    for name, value in found.items():
        setattr(config, name, value)
    return config, error


def _check(checked):
    import settings

    error = None
    try:
        config = settings.load()
        found = config.__dict__
        if not config.copy:
            checked.keep(found)
    except settings.ConfigError as wrong:
        found = settings.usual_pins()
        error = "%s: %s" % (settings.PATH, wrong)
        print(error)
        if isinstance(wrong, settings.Missing):
            error = ""
    del sys.modules["settings"]
    gc.collect()
    return found, error


def _set_up(board, lamp, button, log, error):
    import portal  # only where it is wanted: it takes its part of the heap

    portal.run(board, lamp, button, log, error or None)
