"""The launcher: starts the firmware from slot a or b, and goes back when a new version fails its trial.

It is never updated over the air and shares no code with the slots. state/slots holds JSON and its CRC32 (4 bytes,
little endian): {"active": "a", "trial": "b" or null, "tries": 0}, and of the last update "order", "version" and
"result" (its report, or null). "active": null is the code on the import path: a desktop, or files copied flat.

The code it starts finds `import slot`, with slot.name ("a", "b" or None) and slot.trial.
"""

import binascii
import gc
import json
import os
import sys
import time

import machine

STATE = "state/slots"
TRIES = 3  # starts a new version has to prove itself; a power cut and the watchdog's bite use one up
EARLY_MS = 10_000  # a crash that soon: a broken slot, so that the other one is worth a try
PAUSE_S = 5  # after a crash: time to read the console, and no frantic restarts


class Slot:
    """What runs: stands in sys.modules as "slot"."""

    name = None
    trial = False


def run():
    """Run the firmware; its exit code. Ctrl-C passes through; any crash ends in a restart of the board."""
    state = _read() or _guess()
    trial = state["trial"]
    if trial and state["tries"] >= TRIES:
        _go_back(state, "did not prove itself in %d starts" % TRIES)
    elif trial:
        state["tries"] += 1
        if _write(state):  # a try that cannot be counted would be made for ever
            return _run_trial(trial)
    for name in [state["active"]] + [name for name in ("a", "b", None) if name != state["active"]]:
        begun = time.ticks_ms()
        try:
            return _start(name)
        except Exception as error:
            print("%s failed:" % ("slot " + name if name else "the code on the path"))
            sys.print_exception(error)
        if time.ticks_diff(time.ticks_ms(), begun) >= EARLY_MS:
            break
    return _restart()


def _run_trial(name):
    try:
        # A new version might hang before it has a watchdog of its own.
        machine.WDT(timeout=60_000).feed()
        code = _start(name, True)
        if not code:
            return code
        reason = "ended with code %s" % code
    except Exception as error:
        sys.print_exception(error)
        code = None
        reason = "%s: %s" % (type(error).__name__, error)
    state = _read()
    if state and state["trial"] == name:
        _go_back(state, reason)
    elif code:  # it has proved itself meanwhile: an end like any other
        return code
    return _restart()


def _start(name, trial=False):
    """Run app from a slot; its exit code. Leaves nothing behind when it fails."""
    if name and not _there(name):
        raise ImportError("slot %s is empty" % name)
    Slot.name, Slot.trial = name, trial
    before = set(sys.modules)
    sys.modules["slot"] = Slot
    if name:
        sys.path.insert(0, name)
    try:
        import app

        return app.run()
    except Exception:
        if name:
            sys.path.remove(name)
        for module in set(sys.modules) - before:
            del sys.modules[module]
        gc.collect()
        raise


def _restart():
    print("the board starts again in %d s" % PAUSE_S)
    time.sleep(PAUSE_S)
    machine.reset()


def _there(name):
    """Whether a slot is whole: its app is the last file to come and the first to go."""
    try:
        files = os.listdir(name)
        return "app.mpy" in files or "app.py" in files
    except OSError:
        return False


def _guess():
    """The state when nothing tells it. Of two slots one may be bad, so the first is tried as if it were new."""
    there = [name for name in ("a", "b") if _there(name)]
    return {"active": there[-1] if there else None, "trial": there[0] if len(there) > 1 else None, "tries": 0}


def _go_back(state, reason):
    reason = "".join(char if char >= " " else " " for char in reason)[:120]
    print("slot %s: %s; going back" % (state["trial"], reason))
    result = {"order": state.get("order"), "state": "failed", "text": reason}
    state.update(trial=None, tries=0, result=result)
    _write(state)


def _read():
    for path in (STATE, STATE + ".new"):  # FAT cannot rename over a file in one step: the new one may be the only one
        try:
            with open(path, "rb") as file:
                data = file.read()  # grows by little: a board that has failed may not have much in one piece
            if binascii.crc32(data[:-4]) == int.from_bytes(data[-4:], "little"):
                state = json.loads(data[:-4])
                slots = ("a", "b", None)
                if state["active"] in slots and state["trial"] in slots and isinstance(state["tries"], int):
                    if path != STATE:
                        os.rename(path, STATE)  # before anything writes over it
                    return state
        except Exception:  # not there, cut short, nonsense
            pass
    return None


def _write(state):
    try:
        data = json.dumps(state).encode()
        if "state" not in os.listdir():
            os.mkdir("state")
        with open(STATE + ".new", "wb") as file:
            file.write(data)
            file.write(binascii.crc32(data).to_bytes(4, "little"))
        os.rename(STATE + ".new", STATE)
        return True
    except Exception as error:
        print("cannot write %s:" % STATE, error)
        return False


if __name__ == "__main__":
    run()
