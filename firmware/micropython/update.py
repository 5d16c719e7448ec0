"""Over-the-air update: pulls a bundle in pieces, checks it, unpacks it into the slot that does not run.

The launcher (main.py) starts the new slot on trial and goes back unless confirm() is called. state/slots, which both
write, is described there.
"""

import binascii
import json
import os

import bundle
import store

ASK_MS = 5_000
ASKS = 12
RETRY_MS = 10_000  # between two attempts to write what a full flash did not take
RESERVE = 65_536  # bytes that must stay free: blocks that files fill in part, journal, state


class Updater:
    """One update at a time. report is what to send next, or None."""

    def __init__(self, config, board, log):
        self._board = board
        self._log = log
        self._slot, on_trial = _running()
        self._state = _load(self._slot)
        self.trial = on_trial and self._state["trial"] == self._slot
        self.report = None
        self.active = False  # the update topic is wanted
        self._order = None  # the one under way
        self._work = None  # its steps
        self._have = 0
        self._chunk = None
        self._asked = 0
        self._retry = 0
        self._stored = False
        result = self._state["result"]
        if not self._untried() and result and not result.get("told"):
            self._tell(result["state"], result["order"], result.get("text"))

    def offer(self, order):
        """An update command, its MAC already checked; what becomes of it is in report."""
        number = order["order"]
        state = self._state
        result = state["result"]
        if self._order and self._order["order"] == number:
            if self._stored:
                self._tell("stored", number)
            else:
                self._tell("loading", number, None, self._have)
        elif self.trial and state["order"] == number:
            self._tell("stored", number)
        elif result and result["order"] == number:
            self._tell(result["state"], number, result.get("text"))
        else:
            refusal = self._refusal(order)
            if refusal:
                self._tell("refused", number, refusal)
            else:
                if self._work:
                    self._work.close()  # its files too
                self.active = False
                self._chunk = None
                self._order = order
                self._work = self._steps(order)
                self._tell("accepted", number)

    def chunk(self, payload):
        """A message from the update topic: only kept here, in the middle of the link's reading."""
        if self.active and len(payload) > 4 and int.from_bytes(payload[:4], "big") == self._have:
            self._chunk = payload

    def tick(self):
        """One short step; True when the new version waits for its start: say goodbye and reset."""
        if self._work:
            try:
                next(self._work)
            except StopIteration:
                self._work = None
            except Exception as error:
                self._fail(error)
        return self._stored and (self.report is None or self._since() >= ASK_MS * ASKS)

    def reported(self):
        """The report has arrived."""
        report, self.report = self.report, None
        self._asked = self._board.uptime_ms
        result = self._state["result"]
        if (
            report
            and result
            and not result.get("told")
            and (result["order"], result["state"]) == (report["order"], report["state"])
        ):
            result["told"] = True
            self._save(self._state)

    def confirm(self):
        """The broker has heard this version: keep it. To be called on while trial is True: the flash may be full."""
        if not self.trial or self._board.uptime_ms < self._retry:
            return
        self._retry = self._board.uptime_ms + RETRY_MS
        if self._end("done"):
            self.trial = False
            bundle.remove(bundle.PART)
            self._log("update: the new version is kept")

    def expired(self):
        """The trial's time is over without confirm(): at the reset that follows, the launcher takes the old version."""
        if self.trial:
            self._end("failed", "the broker was not reached in time")

    def _untried(self):
        """Whether the launcher could not count a try of what is stored, and thus made none."""
        if self._state["trial"] in (None, self._slot) or self._stored:
            return False
        self._end("failed", "the flash is full: the new version could not be tried")
        return True

    def _refusal(self, order):
        if self._untried() and self._state["trial"]:
            return "the flash is full"
        if self.trial:
            return "a new version is on trial: ask again in a few minutes"
        if self._stored:
            return "another update waits for its restart"
        size = order.get("size")
        if not _is(size, int) or size < 1:
            return "the size must be a whole number"
        if _sha256(order) is None:
            return "the sha256 must be 64 hex digits"
        version = order.get("version")
        if not _is(version, str) or not 1 <= len(version) <= 32:
            return "the version must be a text of 1 to 32 characters"
        if version == self._board.FIRMWARE:
            return "version %s runs already" % version
        try:
            there = os.statvfs(".")
            free = there[1] * there[4]
        except OSError as error:
            return _flash(error)
        # What the last update left makes room for this one.
        missing = 2 * size + RESERVE - free - bundle.size(self._other())
        if missing > 0:
            return "the flash is too full: %d bytes more are needed" % missing

    def _steps(self, order):
        """The whole update, a generator: each step takes some tens of milliseconds, a wait is a step too."""
        size = order["size"]
        digest = _sha256(order)
        slot = self._other()
        for path in bundle.files(slot):
            os.remove(path)
            yield
        self._have = bundle.resume(digest, size)
        self._log("update: version %s, %d bytes, from byte %d on" % (order["version"], size, self._have))
        self.active = True
        while self._have < size:
            yield from self._await()
            data = memoryview(self._chunk)[4:]
            self._chunk = None
            if len(data) > size - self._have:
                raise ValueError("more data came than was announced")
            bundle.append(data)
            self._have += len(data)
        self.active = False
        yield from bundle.verify(digest)
        yield from bundle.unpack(slot, size)
        state = {"active": self._slot, "trial": slot, "tries": 0, "result": None}
        state["order"] = order["order"]
        state["version"] = order["version"]
        if not self._save(state):
            raise OSError(28)
        self._stored = True
        bundle.remove(bundle.PART)
        self._tell("stored", order["order"])
        self._log("update: version %s is stored" % order["version"])

    def _await(self):
        """Ask for the next data until they come."""
        asks = 0
        while self._chunk is None:
            # A report that is still to be sent goes first; with the link down, no time counts.
            if self.report is None and (asks == 0 or self._since() >= ASK_MS):
                if asks == ASKS:
                    raise Silence("no data came for a minute; another order goes on at byte %d" % self._have)
                asks += 1
                self._tell("loading", self._order["order"], None, self._have)
            yield

    def _fail(self, error):
        number = self._order["order"]
        text = _flash(error) if isinstance(error, OSError) else str(error) or type(error).__name__
        self._order = self._work = self._chunk = None
        self.active = False
        if not isinstance(error, Silence):
            bundle.remove(bundle.PART)
            for path in bundle.files(self._other()):
                bundle.remove(path)
        self._log("update: " + text)
        self._tell("failed", number, text)

    def _end(self, state, text=None):
        """Write down how the trial ended; False if the flash does not take it."""
        number = self._state["order"]
        new = dict(self._state)
        new.update(trial=None, tries=0, result=None)
        if state == "done":
            new["active"] = self._slot
        if number:
            new["result"] = {"order": number, "state": state, "text": text}
        if not self._save(new):
            self._log("update: the flash is full, cannot store: " + state)
            return False
        if number:
            self._tell(state, number, text)
        return True

    def _tell(self, state, number, text=None, offset=None):
        self.report = {"order": number, "state": state}
        if text:
            self.report["text"] = text[:120]
        if offset is not None:
            self.report["offset"] = offset
        self._asked = self._board.uptime_ms

    def _save(self, state):
        if not store.write("slots", json.dumps(state).encode()):
            return False
        self._state = state
        return True

    def _since(self):
        return self._board.uptime_ms - self._asked

    def _other(self):
        return "b" if self._slot == "a" else "a"


class Silence(Exception):
    """The server sent nothing; what has come so far is kept."""


def _running():
    try:
        import slot

        return slot.name, slot.trial
    except ImportError:  # started without the launcher
        return None, False


def _load(running):
    state = {"active": running, "trial": None, "tries": 0, "order": None, "version": None, "result": None}
    try:
        state.update(json.loads(store.read("slots") or b"{}"))
    except (ValueError, TypeError):
        pass
    result = state["result"]
    if not isinstance(result, dict) or not result.get("order"):
        state["result"] = None
    return state


def _is(value, kind):
    return isinstance(value, kind) and not isinstance(value, bool)


def _sha256(order):
    try:
        digest = binascii.unhexlify(order["sha256"])
        return digest if len(digest) == bundle.HEAD else None
    except (KeyError, TypeError, ValueError):
        return None


def _flash(error):
    return "the flash is full" if error.errno == 28 else "the flash fails: %s" % error
